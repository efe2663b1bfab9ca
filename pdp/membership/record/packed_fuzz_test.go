package record_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// A value from Redis must either be an error or a record that is the same after encoding and reading it back.
func FuzzPacked(f *testing.F) {
	key := membership.Key{Kind: membership.UserRecord, ID: "u1"}
	d := documentOf(f, []byte(fixture.WithUsers(fixture.Everyone)), record.JSON)
	for i := range d.Users {
		f.Add(record.EncodeUser(nil, &d.Users[i]))
	}
	f.Add(record.EncodeLocations(nil, d.Locations))
	f.Add([]byte(`[{"id":"a","id":"a"},null]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _, _ = record.Unpack(key, data)
		packed := record.Pack(key, membership.Stamp{Version: 1}, data)
		if len(data) <= membership.MaxRecord {
			_, body, err := record.Unpack(key, packed)
			require.NoError(t, err)
			require.True(t, bytes.Equal(data, body))
		}
		if u, faults, err := readUser(data); err == nil && faults.Count() == 0 {
			again, faults, err := readUser(record.EncodeUser(nil, &u))
			require.NoError(t, err)
			require.Zero(t, faults.Count(), "%v", faults)
			requireSameUser(t, u, again)
		}
		if all, faults, err := readLocations(data); err == nil && faults.Count() == 0 {
			again, _, err := readLocations(record.EncodeLocations(nil, all))
			require.NoError(t, err)
			require.Len(t, again, len(all))
		}
	})
}

// BenchmarkEncoding reports the size of a user in Redis, compared with its JSON.
func BenchmarkEncoding(b *testing.B) {
	const users = 1000
	document := fixture.GenerateDocument(users, record.JSON)
	d := documentOf(b, document, record.JSON)
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
			if _, _, err := readUser(bodies[i%users]); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(size)/users, "B/user")
		b.ReportMetric(float64(len(document)-at)/users, "B/user-JSON")
		b.ReportMetric(float64(len(tree)), "B/tree")
		b.ReportMetric(float64(at), "B/tree-JSON")
	})
}
