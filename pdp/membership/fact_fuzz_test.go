package membership

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever lies in Redis is an error or a draft.
func FuzzFact(f *testing.F) {
	key := recordKey{userRecord, "u1"}
	d := draftOf(f, []byte(withUsers(everyone)), JSON)
	for i := range d.users {
		f.Add(encodeUser(nil, &d.users[i]))
	}
	f.Add(encodeLocations(nil, d.locations))
	f.Add([]byte("\x02\x01\x10\x06\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _, _ = unpackFact(key, data)
		packed := packFact(key, stamp{version: 1}, data)
		if len(data) <= MaxRecord {
			_, body, err := unpackFact(key, packed)
			require.NoError(t, err)
			require.True(t, bytes.Equal(data, body))
		}
		if u, faults, err := unpackedUser(t, data, words()); err == nil && faults.Count() == 0 {
			again, faults, err := unpackedUser(t, encodeUser(nil, &u), words())
			require.NoError(t, err)
			require.Zero(t, faults.Count(), "%v", faults)
			requireSameDraft(t, u, again)
		}
		if all, faults, err := unpackedLocations(t, data); err == nil && faults.Count() == 0 {
			again, _, err := unpackedLocations(t, encodeLocations(nil, all))
			require.NoError(t, err)
			require.Len(t, again, len(all))
		}
	})
}

// BenchmarkFact reports what a user takes in Redis, beside its JSON.
func BenchmarkFact(b *testing.B) {
	const users = 1000
	document := generated(users, JSON)
	d := draftOf(b, document, JSON)
	var bodies [][]byte
	size := 0
	for i := range d.users {
		bodies = append(bodies, encodeUser(nil, &d.users[i]))
		size += len(bodies[i])
	}
	tree := encodeLocations(nil, d.locations)
	at := bytes.Index(document, []byte(`"users"`))
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			encodeUser(nil, &d.users[i%users])
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, _, err := unpackedUser(b, bodies[i%users], words()); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(size)/users, "B/user")
		b.ReportMetric(float64(len(document)-at)/users, "B/user-JSON")
		b.ReportMetric(float64(len(tree)), "B/tree")
		b.ReportMetric(float64(at), "B/tree-JSON")
	})
}
