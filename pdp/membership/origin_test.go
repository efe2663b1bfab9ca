package membership_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
	"github.com/wardkeeper/wardkeeper/pdp/membership/pgorigin"
)

// versionless creates views of all tables without version columns.
const versionless = `CREATE VIEW people AS SELECT id, username, title, given, family, status, default_location, last_login FROM users;
CREATE VIEW roles AS SELECT user_id, location, role, status, access, profession, registration_number FROM assignments;
CREATE VIEW places AS SELECT id, name, kind, parent, model, plan FROM locations`

// postgresOrigin creates a database for each document. The origin reads the views, if any, instead of the tables.
func postgresOrigin(server *servertest.Postgres, views, channel string) newTestOrigin {
	return func(t *testing.T, document string) testOrigin {
		url := server.Database()
		replace := func(document string) {
			require.NoError(t, pgorigin.Import(context.Background(), pgorigin.Target{URL: url}, origintest.ParseDirectory(t, document), nil))
		}
		require.NoError(t, pgorigin.Import(context.Background(), pgorigin.Target{URL: url, Schema: true}, origintest.ParseDirectory(t, document), nil))
		cfg := pgorigin.Config{URL: url, Listen: channel, Announced: channel != "", MaxConnections: 4}
		if views != "" {
			servertest.Exec(t, servertest.Connect(t, url), views)
			cfg.Tables = pgorigin.Tables{Users: "people", Assignments: "roles", Locations: "places"}
		}
		return testOrigin{func() membership.Origin {
			if p := pgOrigin(t, cfg); channel != "" {
				return p
			} else {
				return struct{ membership.Origin }{p} // hides Watch, as if no channel were configured
			}
		}, replace}
	}
}

func TestPostgresOriginPassesAcceptance(t *testing.T) {
	server := servertest.StartPostgres(t)
	for name, open := range map[string]newTestOrigin{
		"tables":                 postgresOrigin(server, "", pgorigin.DefaultChannel),
		"views without versions": postgresOrigin(server, versionless, ""),
	} {
		t.Run(name, func(t *testing.T) {
			origintest.TestOrigin(t, func(t *testing.T, document string) (membership.Origin, func(string)) {
				o := open(t, document)
				return o.open(), o.replace
			})
		})
	}
}
