package membership

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// TestColumns: everything that a table lacks is told at once.
func TestColumns(t *testing.T) {
	server := servertest.StartPostgres(t)
	url := server.Database()
	conn := connected(t, url)
	do(t, conn, PostgresSchema)
	do(t, conn, `CREATE VIEW people AS SELECT id, username, family, true AS status, default_location, last_login::timestamp, title, version::text FROM users;
		CREATE DOMAIN moment AS timestamptz; CREATE DOMAIN instant AS moment; CREATE DOMAIN word AS varchar(50);
		CREATE VIEW sound AS SELECT 5 AS id, username::word, title, given, family::name, status, default_location, last_login::instant, version::numeric FROM users;
		CREATE VIEW roles AS SELECT user_id, location, role, status, access::text, profession FROM assignments`)
	o := postgresAt(t, PostgresConfig{URL: url, Tables: PostgresTables{Users: "people", Assignments: "public.roles", Locations: "places"}})
	_, err := o.User(context.Background(), "jane")
	require.ErrorContains(t, err, "the tables do not have the columns that are needed: people.given is missing; "+
		"people.status is of type boolean: it must be text; "+
		"people.last_login is of type timestamp without time zone: it must be a timestamptz, which has a zone; "+
		"people.version is of type text: it must be a bigint; "+
		"public.roles.registration_number is missing; public.roles.access is of type text: it must be a jsonb; "+
		"there is no table or view places")
	for _, ask := range []func() error{
		func() error { return o.Check(context.Background()) },
		func() error { _, err := o.Users(context.Background(), pdp.UserQuery{}); return err },
		func() error { _, err := o.Locations(context.Background(), "", 1); return err },
	} {
		assert.ErrorContains(t, ask(), "people.given is missing")
	}
	require.NoError(t, postgresAt(t, PostgresConfig{URL: url, Tables: PostgresTables{Users: "sound"}}).Check(context.Background()))

	// A column that loses its zone while it is read is a fault of the records.
	do(t, conn, `INSERT INTO users (id, last_login) VALUES ('jane', '2024-05-01T10:00:00Z')`)
	o = postgresAt(t, PostgresConfig{URL: url})
	faults := func() []string {
		sent, err := o.User(context.Background(), "jane")
		require.NoError(t, err)
		j := newJudge(words())
		_, shape, err := j.user(j.json(sent.Record))
		require.NoError(t, err)
		return shape.All()
	}
	assert.Empty(t, faults())
	do(t, conn, `DROP VIEW people, sound; DROP INDEX users_last_login_ascending, users_last_login_descending; ALTER TABLE users ALTER COLUMN last_login TYPE timestamp`)
	assert.Equal(t, []string{`user "jane": last_login must be an RFC 3339 time`}, faults())
}

// TestListedTwice: a record that a source gives twice in one list is refused, as a single question refuses it.
func TestListedTwice(t *testing.T) {
	twice := func(path string) *Cached {
		a := newApplication(t, withUsers(``))
		a.change(func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != path {
				return false
			}
			w.Header().Set("Content-Type", "application/json")
			one := `{"user": {"id": "jane", "username": "jane"}, "version": 1}`
			more := `, "more": false`
			if path == "/users/by-username" {
				more = ""
			}
			_, _ = w.Write([]byte(`{"users": [` + one + `, ` + one + `]` + more + `}`))
			return true
		})
		server := httptest.NewServer(http.StripPrefix("/membership", a))
		t.Cleanup(server.Close)
		c, err := OpenCached(CachedConfig{Origin: a.origin(server.URL, nil), Vocabulary: words(), FetchTimeout: patient})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, c.Close()) })
		return c
	}
	_, err := viewOf(t, twice("/users")).Users(context.Background(), pdp.UserQuery{})
	assert.Equal(t, pdp.Unavailable, pdp.KindOf(err))
	assert.ErrorContains(t, err, `user "jane": the origin gave a record twice in one list`)
	_, err = viewOf(t, twice("/users/by-username")).UserByUsername(context.Background(), "JANE")
	assert.Equal(t, pdp.Unavailable, pdp.KindOf(err))
	assert.ErrorContains(t, err, "twice in one list")
}
