package record_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// Whatever lies in Redis is an error or a draft.
func FuzzFact(f *testing.F) {
	key := membership.Key{Kind: membership.UserRecord, ID: "u1"}
	d := DraftOf(f, []byte(fixture.WithUsers(fixture.Everyone)), record.JSON)
	for i := range d.Users {
		f.Add(record.EncodeUser(nil, &d.Users[i]))
	}
	f.Add(record.EncodeLocations(nil, d.Locations))
	f.Add([]byte("\x02\x01\x10\x06\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _, _ = record.Unpack(key, data)
		packed := record.Pack(key, membership.Stamp{Version: 1}, data)
		if len(data) <= membership.MaxRecord {
			_, body, err := record.Unpack(key, packed)
			require.NoError(t, err)
			require.True(t, bytes.Equal(data, body))
		}
		if u, faults, err := unpackedUser(t, data, fixture.Words()); err == nil && faults.Count() == 0 {
			again, faults, err := unpackedUser(t, record.EncodeUser(nil, &u), fixture.Words())
			require.NoError(t, err)
			require.Zero(t, faults.Count(), "%v", faults)
			requireSameDraft(t, u, again)
		}
		if all, faults, err := unpackedLocations(t, data); err == nil && faults.Count() == 0 {
			again, _, err := unpackedLocations(t, record.EncodeLocations(nil, all))
			require.NoError(t, err)
			require.Len(t, again, len(all))
		}
	})
}

// BenchmarkFact reports what a user takes in Redis, beside its JSON.
func BenchmarkFact(b *testing.B) {
	const users = 1000
	document := fixture.Generated(users, record.JSON)
	d := DraftOf(b, document, record.JSON)
	var bodies [][]byte
	size := 0
	for i := range d.Users {
		bodies = append(bodies, record.EncodeUser(nil, &d.Users[i]))
		size += len(bodies[i])
	}
	tree := record.EncodeLocations(nil, d.Locations)
	at := bytes.Index(document, []byte(`"users"`))
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			record.EncodeUser(nil, &d.Users[i%users])
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, _, err := unpackedUser(b, bodies[i%users], fixture.Words()); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(size)/users, "B/user")
		b.ReportMetric(float64(len(document)-at)/users, "B/user-JSON")
		b.ReportMetric(float64(len(tree)), "B/tree")
		b.ReportMetric(float64(at), "B/tree-JSON")
	})
}
