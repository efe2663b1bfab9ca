package membership_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"

	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/pgorigin"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

func TestAllMissingAndMistypedColumnsAreReported(t *testing.T) {
	server := servertest.StartPostgres(t)
	url := server.Database()
	conn := servertest.Connect(t, url)
	servertest.Exec(t, conn, pgorigin.Schema)
	servertest.Exec(t, conn, `CREATE VIEW people AS SELECT id, username, family, true AS status, default_location, last_login::timestamp, title, version::text FROM users;
		CREATE DOMAIN moment AS timestamptz; CREATE DOMAIN instant AS moment; CREATE DOMAIN word AS varchar(50);
		CREATE VIEW sound AS SELECT 5 AS id, username::word, title, given, family::name, status, default_location, last_login::instant, version::numeric FROM users;
		CREATE VIEW roles AS SELECT user_id, location, role, status, access::text, profession FROM assignments`)
	o := pgOrigin(t, pgorigin.Config{URL: url, Tables: pgorigin.Tables{Users: "people", Assignments: "public.roles", Locations: "places"}})
	_, err := o.User(context.Background(), "jane")
	require.ErrorContains(t, err, "the tables do not have the columns that are needed: people.given is missing; "+
		"people.status is of type boolean: it must be text; "+
		"people.last_login is of type timestamp without time zone: it must be a timestamptz, which has a zone; "+
		"people.version is of type text: it must be a bigint; "+
		"public.roles.registration_number is missing; public.roles.access is of type text: it must be a jsonb; "+
		"there is no table or view places")
	for _, call := range []func() error{
		func() error { return o.Check(context.Background()) },
		func() error { _, err := o.Users(context.Background(), facts.UserQuery{}); return err },
		func() error { _, err := o.Locations(context.Background(), "", 1); return err },
	} {
		assert.ErrorContains(t, call(), "people.given is missing")
	}
	require.NoError(t, pgOrigin(t, pgorigin.Config{URL: url, Tables: pgorigin.Tables{Users: "sound"}}).Check(context.Background()))

	// A column that loses its time zone while the origin is open makes the records faulty.
	servertest.Exec(t, conn, `INSERT INTO users (id, last_login) VALUES ('jane', '2024-05-01T10:00:00Z')`)
	o = pgOrigin(t, pgorigin.Config{URL: url})
	faults := func() []string {
		raw, err := o.User(context.Background(), "jane")
		require.NoError(t, err)
		validator := record.NewValidator(fixture.Vocabulary())
		_, userFaults, err := validator.User(validator.Tokens(raw.Record))
		require.NoError(t, err)
		return userFaults.All()
	}
	assert.Empty(t, faults())
	servertest.Exec(t, conn, `DROP VIEW people, sound; DROP INDEX users_in_order_of_last_login_ascending, users_in_order_of_last_login_descending,
		users_inactive_by_last_login_ascending, users_inactive_by_last_login_descending; ALTER TABLE users ALTER COLUMN last_login TYPE timestamp`)
	assert.Equal(t, []string{`user "jane": last_login must be an RFC 3339 time`}, faults())
}
