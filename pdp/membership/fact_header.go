package membership

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strings"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// A fact in Redis is, in this order: the format, version and asOf (microseconds) in eight bytes each, and the history with
// its length in one byte, so that a script finds them; then what tells the key, then the position, the body, and a checksum of
// all of it. Numbers of fixed width have their highest byte first.
const (
	factFormat   = "WKF\x02"
	factFixed    = len(factFormat) + 8 + 8
	factChecksum = 4

	longestKey   = 4 * longest // folding can make a username longer
	longestEpoch = 128
	maxHeader    = factFixed + 1 + MaxHistory + 1 + 2 + longestKey + 2 + longestEpoch + binary.MaxVarintLen64 + factChecksum
)

var (
	errFact    = errors.New("the value in Redis is not a fact of this format")
	errFactSum = errors.New("the value in Redis is damaged")
	errFactKey = errors.New("the value in Redis belongs to another key")

	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// maxFact is how many bytes a value of this kind may have.
func (k recordKind) maxFact() int {
	switch k {
	case organizationRecord:
		return maxHeader + MaxOrganization
	case userRecord:
		return maxHeader + MaxRecord
	}
	return maxHeader + longestKey
}

// packFact makes the value of a key. The body may be empty: what is known not to exist has none. Of asOf it keeps the
// microseconds.
func packFact(key recordKey, s stamp, body []byte) []byte {
	b := make([]byte, 0, maxHeader+len(body))
	b = append(b, factFormat...)
	b = binary.BigEndian.AppendUint64(b, s.version)
	b = binary.BigEndian.AppendUint64(b, micros(s.asOf))
	b = appendText(b, s.history)
	b = append(b, byte(key.kind))
	b = appendText(b, key.id)
	b = appendText(b, s.at.epoch)
	b = binary.AppendUvarint(b, s.at.sequence)
	b = append(b, body...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// unpackFact refuses what was not packed for this key, and by this format. The body lies in data.
func unpackFact(key recordKey, data []byte) (stamp, []byte, error) {
	var s stamp
	end := len(data) - factChecksum
	switch {
	case end < factFixed || len(data) > key.kind.maxFact() || string(data[:len(factFormat)]) != factFormat:
		return s, nil, errFact
	case binary.BigEndian.Uint32(data[end:]) != crc32.Checksum(data[:end], castagnoli):
		return s, nil, errFactSum
	}
	s.version = binary.BigEndian.Uint64(data[len(factFormat):])
	asOf := binary.BigEndian.Uint64(data[len(factFormat)+8:])
	history, rest, ok := cutText(data[factFixed:end], MaxHistory)
	if !ok || !isHistory(string(history)) || s.version > pdp.MaxVersion || asOf > pdp.MaxVersion || len(rest) == 0 {
		return stamp{}, nil, errFact
	}
	if asOf != 0 {
		s.asOf = time.UnixMicro(int64(asOf))
	}
	s.history = string(history)
	kind := recordKind(rest[0])
	id, rest, ok := cutText(rest[1:], longestKey)
	epoch, rest, ok2 := cutText(rest, longestEpoch)
	sequence, n := binary.Uvarint(rest)
	switch {
	case !ok || !ok2 || n <= 0:
		return stamp{}, nil, errFact
	case kind != key.kind || string(id) != key.id:
		return stamp{}, nil, errFactKey
	}
	s.at = position{epoch: string(epoch), sequence: sequence}
	return s, rest[n:], nil
}

// isHistory says whether an origin can have such a history.
func isHistory(text string) bool {
	return len(text) <= MaxHistory && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}

// micros is 0 for the zero time, and rounds towards the past.
func micros(t time.Time) uint64 {
	if us := t.UnixMicro(); !t.IsZero() && us > 0 {
		return uint64(us)
	}
	return 0
}

func appendText(b []byte, text string) []byte {
	b = binary.AppendUvarint(b, uint64(len(text)))
	return append(b, text...)
}

// cutText takes a text off the front; not ok where there is none, or one that is longer than allowed.
func cutText(b []byte, most int) (text, rest []byte, ok bool) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(most) || size > uint64(len(b)-n) {
		return nil, nil, false
	}
	end := n + int(size)
	return b[n:end], b[end:], true
}
