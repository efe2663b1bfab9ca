package benchscale

import (
	"context"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// region is the directory that was filled: a region with an administrator of all.
type region struct {
	users, asked int
	locations    int
}

const (
	divisions        = 20
	usersOfAFacility = 10
	fewestFacilities = 20
)

// fillSQL fills the tables: USERS users and FACILITIES facilities. One in a thousand users has a rare family name, one in 33 a username
// in a domain of their own, one in 25 such a username and a name at the end of the list; one in twenty is deactivated.
var fillSQL = []string{
	`SET session_replication_role = replica`, // without foreign keys; and the other triggers would write each user a second time
	`ALTER TABLE users DISABLE TRIGGER USER`, `ALTER TABLE assignments DISABLE TRIGGER USER`, `ALTER TABLE locations DISABLE TRIGGER USER`,
	// Indexes are made at the end, which takes a third of the time.
	`DO $$ DECLARE name regclass; BEGIN
		FOR name IN SELECT indexrelid FROM pg_index WHERE indrelid IN ('users'::regclass, 'assignments'::regclass, 'locations'::regclass)
			AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid) LOOP
			EXECUTE format('DROP INDEX %s', name);
		END LOOP;
	END $$`,
	`INSERT INTO locations (id, name, kind, model, version) VALUES ('metro', 'Metro', 'region', 'regional', 1)`,
	`INSERT INTO locations (id, name, kind, parent) SELECT 'd' || i, 'Division ' || i, 'division', 'metro' FROM generate_series(0, DIVISIONS - 1) i`,
	`INSERT INTO locations (id, name, kind, parent) SELECT 'f' || i, 'Facility ' || i, 'facility', 'd' || i % DIVISIONS FROM generate_series(0, FACILITIES - 1) i`,
	`INSERT INTO users (id, username, given, family, status, default_location, last_login, version)
		SELECT 'u' || i, 'u' || i || CASE WHEN i % 25 = 11 THEN '@zenith' WHEN i % 33 = 5 THEN '@north' ELSE '@main' END || '.example.org', 'Given' || i % 977,
		CASE WHEN i % 1000 = 7 THEN 'Quillfeather' WHEN i % 25 = 11 THEN 'Zz' || md5(i::text) ELSE 'Family' || md5(i::text) END,
		CASE WHEN i % 20 = 3 THEN 'deactivated' ELSE 'active' END, 'f' || i % FACILITIES, timestamptz '2020-01-01T00:00:00Z' + i * interval '1 minute', 1
		FROM generate_series(1, USERS) i`,
	`INSERT INTO assignments (user_id, location, role) SELECT 'u' || i, 'f' || i % FACILITIES, 'ed_normal' FROM generate_series(1, USERS) i`,
	`INSERT INTO users (id, default_location, version) VALUES ('admin', 'metro', 1)`,
	`INSERT INTO assignments (user_id, location, role) VALUES ('admin', 'metro', 'regional_admin')`,
	`SET session_replication_role = origin`,
	`SET maintenance_work_mem = '512MB'`,
}

// fill makes a region of n users.
func fill(t *testing.T, binary, database string, n int) region {
	schema, err := exec.Command(binary, "directory", "schema").Output()
	require.NoError(t, err)
	conn, err := pgx.Connect(t.Context(), database)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	execute := func(sql string) {
		_, err := conn.PgConn().Exec(t.Context(), sql).ReadAll()
		require.NoError(t, err, "%.300s", sql)
	}
	execute(string(schema))
	facilities := max(n/usersOfAFacility, fewestFacilities)
	numbers := strings.NewReplacer("USERS", strconv.Itoa(n), "FACILITIES", strconv.Itoa(facilities), "DIVISIONS", strconv.Itoa(divisions))
	for _, sql := range fillSQL {
		execute(numbers.Replace(sql))
	}
	execute(string(schema)) // with indexes and triggers
	execute(`VACUUM ANALYZE`)
	return region{users: n, asked: min(*asked, n), locations: facilities + divisions + 1}
}
