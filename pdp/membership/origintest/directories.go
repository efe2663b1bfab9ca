package origintest

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// ParseDirectory returns the directory of a document. It fails the test if the document has faults.
func ParseDirectory(t testing.TB, document string) *directory.Directory {
	t.Helper()
	d, err := directory.Parse([]byte(document), fixture.Vocabulary())
	require.NoError(t, err)
	return d
}

// MixedDirectory returns the directory of [fixture.MixedDocument].
func MixedDirectory(t testing.TB, seed uint64, users int) *directory.Directory {
	t.Helper()
	return ParseDirectory(t, fixture.MixedDocument(seed, users))
}

// ReadDocument returns the records of a document. It fails the test if the document has faults.
func ReadDocument(t testing.TB, document []byte, f record.Format) *record.Document {
	t.Helper()
	faults := &record.Faults{}
	d := directory.ReadRecords(document, f, fixture.Vocabulary(), faults)
	require.NoError(t, faults.Err())
	return d
}

// UserIDs returns the ids of users.
func UserIDs(all []*facts.User) []string {
	out := make([]string, len(all))
	for i, u := range all {
		out[i] = u.ID()
	}
	return out
}

// Records returns the records of a directory, without their versions.
func Records(d *directory.Directory) (locations []facts.LocationRecord, users []facts.UserRecord) {
	for _, l := range d.AllLocations() {
		locations = append(locations, l.Record())
	}
	for _, u := range d.AllUsers() {
		users = append(users, u.Record())
	}
	return locations, users
}

// AssertSameDirectory requires two directories to have the same records.
func AssertSameDirectory(t *testing.T, a, b *directory.Directory) {
	t.Helper()
	locationsA, usersA := Records(a)
	locationsB, usersB := Records(b)
	assert.Equal(t, locationsA, locationsB)
	assert.Equal(t, usersA, usersB)
}
