package redisstore

import (
	"encoding/binary"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/fleetkey"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// A sealed value begins like a packed one, because the script that stores values reads that part. The rest is encrypted,
// together with the time of the fetch by the writer's clock. Name and beginning are authenticated: a value of another key,
// kind or version does not open.

const (
	clockSize = 8
	sealSize  = clockSize + fleetkey.SealSize // how much longer a sealed value is than a packed one
)

// seal returns the value to store under a name; nil if the value is not a packed one.
func (s *Store) seal(name string, packed []byte) []byte {
	readable, rest, ok := record.SplitPacked(packed)
	if !ok {
		return nil
	}
	fetched := time.Now().Add(min(0, record.PackedAsOf(packed).Sub(s.Now()))) // by this machine's clock, and never later than now
	text := binary.BigEndian.AppendUint64(make([]byte, 0, clockSize+len(rest)), uint64(fetched.UnixMicro()))
	sealed := s.cfg.FleetKey.Seal(fleetkey.SharedValue, append(text, rest...), []byte(name), readable)
	return append(readable[:len(readable):len(readable)], sealed...)
}

// unseal returns the packed value in what is stored under a name. It makes the value older if the clocks of the sidecars
// say that it is. Whoever controls Redis controls its clock, by which a value that is replayed would look new.
func (s *Store) unseal(name string, value []byte) ([]byte, error) {
	readable, rest, ok := record.SplitPacked(value)
	if !ok {
		rest = nil // it is counted as not sealed
	}
	text, err := s.cfg.FleetKey.Open(fleetkey.SharedValue, rest, []byte(name), readable)
	if err == nil && len(text) < clockSize {
		err = record.ErrFormat
	}
	if err != nil {
		return nil, err
	}
	packed := append(readable[:len(readable):len(readable)], text[clockSize:]...)
	if len(packed) < record.MinPacked {
		return nil, record.ErrFormat
	}
	fetched := time.UnixMicro(int64(binary.BigEndian.Uint64(text)))
	asOf, now := record.PackedAsOf(packed), s.Now()
	if age := membership.Elapsed(time.Now(), fetched); !now.IsZero() && age > now.Sub(asOf) {
		record.SetPackedAsOf(packed, now.Add(-age))
	}
	return packed, nil
}
