package pgorigin

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

const guardedRecords = `
INSERT INTO locations (id, kind, parent, model, plan) VALUES
  ('metro', 'region', NULL, 'regional', NULL), ('north', 'division', 'metro', NULL, NULL), ('abc', 'facility', 'north', NULL, NULL),
  ('ghi', 'facility', 'north', NULL, NULL), ('grp', 'group', NULL, 'practice_group', NULL), ('p1', 'practice', 'grp', NULL, NULL),
  ('sys', 'system', NULL, 'health_system', 'paid'), ('ent', 'entity', 'sys', NULL, NULL);
INSERT INTO users (id, status) VALUES ('alice', 'active'), ('rafael', 'active'), ('gone', 'deactivated'), ('jane', 'active'), ('ola', 'active'), ('ona', 'active'), ('eve', 'active'), ('solo', 'active');
INSERT INTO assignments (user_id, location, role, status) VALUES
  ('alice', 'metro', 'regional_admin', 'active'), ('rafael', 'metro', 'regional_admin', 'active'), ('gone', 'metro', 'regional_admin', 'active'),
  ('jane', 'abc', 'ed_normal', 'active'), ('jane', 'ghi', 'ed_normal', 'active'),
  ('ola', 'grp', 'owner', 'active'), ('ona', 'grp', 'owner', 'deactivated'), ('ona', 'p1', 'owner', 'active'), ('eve', 'ent', 'entity_admin', 'active');
UPDATE users SET default_location = CASE id WHEN 'jane' THEN 'ghi' ELSE 'metro' END WHERE id IN ('alice', 'rafael', 'gone', 'jane');`

// guardedDatabase returns a database with guards and some records.
func guardedDatabase(t *testing.T, server *servertest.Postgres) (url string, conn *pgx.Conn) {
	t.Helper()
	url = server.Database()
	conn = servertest.Connect(t, url)
	servertest.Exec(t, conn, Schema)
	for range 2 {
		servertest.Exec(t, conn, Guards)
	}
	servertest.Exec(t, conn, Schema)
	servertest.Exec(t, conn, "BEGIN;"+guardedRecords+"COMMIT")
	return url, conn
}

// restore makes the records again what they were.
func restore(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	servertest.Exec(t, conn, `ROLLBACK; BEGIN; SET LOCAL session_replication_role = replica;
		DELETE FROM assignments; DELETE FROM users; DELETE FROM locations; COMMIT; BEGIN;`+guardedRecords+"COMMIT")
}

// codeOf returns the code of the rule that an error is about; its SQLSTATE if there is none.
func codeOf(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	refused, ok := errors.AsType[*pgconn.PgError](err)
	require.True(t, ok, err)
	if refused.ConstraintName == "" {
		return refused.Code
	}
	return refused.ConstraintName
}

func postgresGuards(t *testing.T, server *servertest.Postgres) {
	_, conn := guardedDatabase(t, server)
	servertest.Exec(t, conn, `DROP ROLE IF EXISTS writer; CREATE ROLE writer; GRANT SELECT, INSERT, UPDATE, DELETE ON users, assignments, locations TO writer;
		GRANT USAGE ON SEQUENCE wardkeeper_versions TO writer`)
	for sql, code := range map[string]string{
		`DELETE FROM assignments WHERE user_id = 'jane' AND location = 'abc'`:                                                                                "",
		`DELETE FROM assignments WHERE user_id = 'jane' AND location = 'ghi'`:                                                                                "default_location",
		`DELETE FROM assignments WHERE user_id = 'jane'`:                                                                                                     "only_location",
		`UPDATE users SET default_location = NULL WHERE id = 'jane'; DELETE FROM assignments WHERE user_id = 'jane'`:                                         "only_location",
		`UPDATE users SET default_location = 'abc' WHERE id = 'jane'; DELETE FROM assignments WHERE user_id = 'jane' AND location = 'ghi'`:                   "",
		`DELETE FROM assignments WHERE user_id = 'jane' AND location = 'ghi'; UPDATE users SET default_location = 'abc' WHERE id = 'jane'`:                   "",
		`UPDATE assignments SET location = 'north', role = 'public_health' WHERE user_id = 'jane' AND location = 'ghi'`:                                      "default_location",
		`UPDATE users SET default_location = 'north' WHERE id = 'jane'`:                                                                                      "not_assigned",
		`UPDATE users SET default_location = NULL WHERE id = 'jane'`:                                                                                         "default_location",
		`INSERT INTO assignments (user_id, location, role) VALUES ('solo', 'abc', 'ed_normal')`:                                                              "default_location",
		`INSERT INTO assignments (user_id, location, role) VALUES ('solo', 'abc', 'ed_normal'); UPDATE users SET default_location = 'abc' WHERE id = 'solo'`: "",
		`INSERT INTO users (id, default_location) VALUES ('new', 'abc')`:                                                                                     "not_assigned",
		`INSERT INTO assignments (user_id, location, role) VALUES ('jane', 'abc', 'ed_admin')`:                                                               "already_assigned",
		`INSERT INTO assignments (user_id, location, role) VALUES ('jane', 'abc', 'ed_admin') ON CONFLICT DO NOTHING`:                                        "",
		`DELETE FROM users WHERE id = 'jane'`:                                                                                                                "",
		`DELETE FROM users WHERE id = 'rafael'; UPDATE users SET status = 'deactivated' WHERE id = 'alice'`:                                                  "self",
		`DELETE FROM users WHERE id = 'rafael'`:                                                                                                              "",
		`DELETE FROM users WHERE id IN ('rafael', 'alice')`:                                                                                                  "self",
		`UPDATE users SET status = 'deactivated' WHERE id IN ('alice', 'rafael')`:                                                                            "self",
		`UPDATE users SET status = 'deactivated' WHERE id = 'alice'`:                                                                                         "",
		`UPDATE assignments SET location = 'north', role = 'division_admin' WHERE user_id IN ('alice', 'rafael');
			UPDATE users SET default_location = 'north' WHERE id IN ('alice', 'rafael')`: "self",
		`UPDATE assignments SET status = 'deactivated' WHERE user_id = 'ola'`:                                                                                      "self",
		`UPDATE assignments SET role = 'practitioner' WHERE user_id = 'ola'`:                                                                                       "self",
		`UPDATE assignments SET status = 'deactivated' WHERE user_id = 'ola'; UPDATE assignments SET status = 'active' WHERE user_id = 'ona' AND location = 'grp'`: "",
		`DELETE FROM assignments WHERE user_id = 'ona'`:                                                                                                            "",
		`DELETE FROM assignments WHERE user_id = 'eve'`:                                                                                                            "self",
		`DELETE FROM assignments WHERE location = 'ent'; DELETE FROM locations WHERE id IN ('sys', 'ent')`:                                                         "",
		`UPDATE users SET last_login = now() WHERE id = 'alice'`:                                                                                                   "",
	} {
		before := count(t, conn)
		tx := conn.PgConn().Exec(context.Background(), `BEGIN; SET LOCAL ROLE writer; `+sql+`; SET CONSTRAINTS ALL IMMEDIATE; RESET ROLE`).Close()
		assert.Equal(t, code, codeOf(t, tx), sql)
		servertest.Exec(t, conn, "ROLLBACK")
		tx = conn.PgConn().Exec(context.Background(), `BEGIN; `+sql+`; COMMIT`).Close()
		assert.Equal(t, code, codeOf(t, tx), sql)
		restore(t, conn)
		assert.Equal(t, before, count(t, conn))
	}
}

// The names of roles are the policy's.
func postgresAdministrators(t *testing.T, server *servertest.Postgres) {
	_, conn := guardedDatabase(t, server)
	var administer []string
	for kind, roles := range fixture.Vocabulary().Roles {
		for _, role := range roles {
			var yes bool
			require.NoError(t, conn.QueryRow(t.Context(), `SELECT wardkeeper_administers($1, $2)`, kind, role).Scan(&yes))
			if yes {
				administer = append(administer, role+" at "+kind)
			}
		}
	}
	assert.ElementsMatch(t, []string{"regional_admin at region", "system_admin at system", "entity_admin at system", "entity_admin at entity", "owner at group"}, administer)
}

func count(t *testing.T, conn *pgx.Conn) (n int) {
	t.Helper()
	require.NoError(t, conn.QueryRow(context.Background(), `SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM assignments) + (SELECT count(*) FROM locations)`).Scan(&n))
	return n
}

// Two transactions that are allowed one by one, at a time: one of them is refused, or has to be tried again. Without guards both
// are made.
func postgresGuardsRace(t *testing.T, server *servertest.Postgres) {
	url, conn := guardedDatabase(t, server)
	for _, c := range []struct{ first, second, codes string }{ // where both rules break, the order of the transactions says which is named
		{`UPDATE users SET default_location = 'abc' WHERE id = 'jane'; DELETE FROM assignments WHERE user_id = 'jane' AND location = 'ghi'`,
			`DELETE FROM assignments WHERE user_id = 'jane' AND location = 'abc'`, "default_location only_location"},
		{`DELETE FROM assignments WHERE user_id = 'jane' AND location = 'abc'`, `UPDATE users SET default_location = 'abc' WHERE id = 'jane'`, "not_assigned"},
		{`UPDATE users SET status = 'deactivated' WHERE id = 'alice'`, `UPDATE users SET status = 'deactivated' WHERE id = 'rafael'`, "self"},
		{`UPDATE users SET status = 'deactivated' WHERE id = 'alice'`, `DELETE FROM users WHERE id = 'rafael'`, "self"},
		{`INSERT INTO assignments VALUES ('ola', 'p1', 'owner')`, `INSERT INTO assignments VALUES ('ola', 'p1', 'practitioner')`, "already_assigned"},
	} {
		for _, level := range []pgx.TxIsoLevel{pgx.ReadCommitted, pgx.RepeatableRead, pgx.Serializable} {
			restore(t, conn)
			first, second := race(t, url, level, c.first, c.second)
			assert.Subset(t, append([]string{"", "40001", "40P01"}, strings.Fields(c.codes)...), []string{first, second}, "%s: %s", level, c.second)
			assert.False(t, first == "" && second == "", "%s: %s", level, c.second)
		}
	}
	restore(t, conn)
	servertest.Exec(t, conn, `DROP TRIGGER "GUARD_users_updated" ON users`)
	first, second := race(t, url, pgx.ReadCommitted, `UPDATE users SET status = 'deactivated' WHERE id = 'alice'`, `UPDATE users SET status = 'deactivated' WHERE id = 'rafael'`)
	assert.Equal(t, []string{"", ""}, []string{first, second})
}

// race makes both changes in transactions that overlap, and returns their codes.
func race(t *testing.T, url string, level pgx.TxIsoLevel, changes ...string) (first, second string) {
	t.Helper()
	ctx := context.Background()
	begin := func() (*pgx.Conn, pgx.Tx) {
		conn := servertest.Connect(t, url)
		tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: level})
		require.NoError(t, err)
		_, err = tx.Exec(ctx, `SELECT count(*) FROM assignments`) // takes the snapshot
		require.NoError(t, err)
		return conn, tx
	}
	one, early := begin()
	two, late := begin()
	_, err := one.PgConn().Exec(ctx, changes[0]).ReadAll()
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() {
		_, err := two.PgConn().Exec(ctx, changes[1]).ReadAll()
		if err == nil {
			err = late.Commit(ctx)
		}
		done <- err
	}()
	first = codeOf(t, early.Commit(ctx))
	second = codeOf(t, <-done)
	require.NoError(t, errors.Join(one.Close(ctx), two.Close(ctx)))
	return first, second
}
