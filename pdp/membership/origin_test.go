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

// versionless are views of all tables, none of which says a version.
const versionless = `CREATE VIEW people AS SELECT id, username, title, given, family, status, default_location, last_login FROM users;
CREATE VIEW roles AS SELECT user_id, location, role, status, access, profession, registration_number FROM assignments;
CREATE VIEW places AS SELECT id, name, kind, parent, model, plan FROM locations`

// postgresOrigin has a database for each document. With views, these are what is asked.
func postgresOrigin(server *servertest.Postgres, views, channel string) openBehind {
	return func(t *testing.T, document string) behind {
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
		return behind{func() membership.Origin {
			if p := pgOrigin(t, cfg); channel != "" {
				return p
			} else {
				return struct{ membership.Origin }{p} // as it is where no channel is named
			}
		}, replace}
	}
}

func TestPostgresOrigin(t *testing.T) {
	server := servertest.StartPostgres(t)
	for name, open := range map[string]openBehind{
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
