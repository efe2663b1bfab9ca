package record

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// A packed value has a header, a body and a checksum. The header begins with four bytes of format, eight bytes each of
// version and asOf (microseconds since 1970), and the history after one byte with its length. The script that stores
// values in Redis reads them at these offsets. The key and the position in the stream follow. Fixed-width numbers are
// big-endian.
const (
	packedFormat   = "WKF\x03"
	PackedVersion  = "3" // of the format
	packedFixed    = len(packedFormat) + 8 + 8
	packedChecksum = 4
	MinPacked      = packedFixed + packedChecksum // of any packed value, in bytes

	MaxEpoch  = 128
	MaxHeader = packedFixed + 1 + membership.MaxHistory + 1 + 2 + facts.MaxID + 2 + MaxEpoch + binary.MaxVarintLen64 + packedChecksum
)

var (
	ErrFormat   = errors.New("the value in Redis is not in this release's format")
	ErrChecksum = errors.New("the value in Redis is damaged")
	ErrKey      = errors.New("the value in Redis belongs to another key")

	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// MaxPacked returns the maximum length in bytes of the packed value of a key of this kind.
func MaxPacked(k membership.Kind) int {
	switch k {
	case membership.OrganizationRecord, membership.OrganizationParts:
		return MaxHeader + membership.MaxOrganization
	case membership.UserRecord:
		return MaxHeader + membership.MaxRecord
	}
	return MaxHeader + facts.MaxID
}

// Pack returns the value to store for a key. It rounds AsOf down to microseconds.
func Pack(key membership.Key, s membership.Stamp, body []byte) []byte {
	b := make([]byte, 0, MaxHeader+len(body))
	b = append(b, packedFormat...)
	b = binary.BigEndian.AppendUint64(b, s.Version)
	b = binary.BigEndian.AppendUint64(b, unixMicros(s.AsOf))
	b = appendString(b, s.History)
	b = append(b, byte(key.Kind))
	b = appendString(b, key.ID)
	b = appendString(b, s.At.Epoch)
	b = binary.AppendUvarint(b, s.At.Sequence)
	b = append(b, body...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// Unpack reads a value that Pack returned for this key. For any other value it returns [ErrFormat], [ErrChecksum] or
// [ErrKey]. The body is a subslice of data.
func Unpack(key membership.Key, data []byte) (membership.Stamp, []byte, error) {
	var s membership.Stamp
	end := len(data) - packedChecksum
	switch {
	case end < packedFixed || len(data) > MaxPacked(key.Kind) || string(data[:len(packedFormat)]) != packedFormat:
		return s, nil, ErrFormat
	case binary.BigEndian.Uint32(data[end:]) != crc32.Checksum(data[:end], castagnoli):
		return s, nil, ErrChecksum
	}
	s.Version = binary.BigEndian.Uint64(data[len(packedFormat):])
	asOf := binary.BigEndian.Uint64(data[len(packedFormat)+8:])
	history, rest, ok := cutString(data[packedFixed:end], membership.MaxHistory)
	if !ok || !membership.ValidHistory(string(history)) || s.Version > pdp.MaxVersion || asOf > pdp.MaxVersion || len(rest) == 0 {
		return membership.Stamp{}, nil, ErrFormat
	}
	if asOf != 0 {
		s.AsOf = time.UnixMicro(int64(asOf))
	}
	s.History = string(history)
	kind := membership.Kind(rest[0])
	id, rest, ok := cutString(rest[1:], facts.MaxID)
	epoch, rest, ok2 := cutString(rest, MaxEpoch)
	sequence, n := binary.Uvarint(rest)
	switch {
	case !ok || !ok2 || n <= 0:
		return membership.Stamp{}, nil, ErrFormat
	case kind != key.Kind || string(id) != key.ID:
		return membership.Stamp{}, nil, ErrKey
	}
	s.At = membership.Position{Epoch: string(epoch), Sequence: sequence}
	return s, rest[n:], nil
}

// SplitPacked splits a packed value after the part that the script for storing values reads: format, version, asOf and
// history. It returns ok false if there is no such part.
func SplitPacked(data []byte) (readable, rest []byte, ok bool) {
	if len(data) <= packedFixed {
		return nil, nil, false
	}
	_, rest, ok = cutString(data[packedFixed:], membership.MaxHistory)
	return data[:len(data)-len(rest)], rest, ok
}

// PackedAsOf returns the AsOf of a packed value.
func PackedAsOf(data []byte) time.Time {
	return time.UnixMicro(int64(binary.BigEndian.Uint64(data[len(packedFormat)+8:])))
}

// SetPackedAsOf replaces the AsOf of a packed value.
func SetPackedAsOf(data []byte, asOf time.Time) {
	binary.BigEndian.PutUint64(data[len(packedFormat)+8:], unixMicros(asOf))
	end := len(data) - packedChecksum
	binary.BigEndian.PutUint32(data[end:], crc32.Checksum(data[:end], castagnoli))
}

// unixMicros returns microseconds since 1970, rounded down; 0 for the zero time and any time before 1970.
func unixMicros(t time.Time) uint64 {
	if us := t.UnixMicro(); !t.IsZero() && us > 0 {
		return uint64(us)
	}
	return 0
}

func appendString(b []byte, text string) []byte {
	b = binary.AppendUvarint(b, uint64(len(text)))
	return append(b, text...)
}

// cutString cuts the leading string off b. ok is false if there is none or if it is longer than limit.
func cutString(b []byte, limit int) (text, rest []byte, ok bool) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(limit) || size > uint64(len(b)-n) {
		return nil, nil, false
	}
	end := n + int(size)
	return b[n:end], b[end:], true
}
