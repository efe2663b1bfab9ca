package pgorigin

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

func postgresSchemaTwice(t *testing.T, server *servertest.Postgres) {
	d := origintest.MixedDirectory(t, 5, 50)
	p, conn := filledOrigin(t, server, d)
	before := snapshot(t, p)
	for range 2 {
		servertest.Exec(t, conn, Schema)
	}
	assert.Equal(t, before, snapshot(t, p))

	// A database of an earlier release compared usernames by lower case only.
	servertest.Exec(t, conn, `DROP INDEX users_canonical_username; CREATE UNIQUE INDEX users_folded_username ON users (lower(username))`)
	servertest.Exec(t, conn, Schema)
	var indexes []string
	require.NoError(t, conn.QueryRow(context.Background(), `SELECT array_agg(indexrelid::regclass::text) FROM pg_index WHERE indrelid = 'users'::regclass AND indisunique AND NOT indisprimary`).Scan(&indexes))
	assert.Equal(t, []string{"users_canonical_username"}, indexes)
	servertest.Exec(t, conn, `INSERT INTO users (id, username) VALUES ('one', E'Jose\u0301')`)
	err := conn.PgConn().Exec(context.Background(), `INSERT INTO users (id, username) VALUES ('two', 'JOSÉ')`).Close()
	assert.ErrorContains(t, err, "users_canonical_username")
	servertest.Exec(t, conn, `DELETE FROM users WHERE id = 'one'`)

	// One of an earlier release told of changes without the version before.
	servertest.Exec(t, conn, `CREATE FUNCTION wardkeeper_tell(kind text, id text DEFAULT NULL, organization text DEFAULT NULL, version bigint DEFAULT NULL) RETURNS void LANGUAGE sql AS ''`)
	servertest.Exec(t, conn, Schema)
	var functions int
	require.NoError(t, conn.QueryRow(context.Background(), `SELECT count(*) FROM pg_proc WHERE proname = 'wardkeeper_tell'`).Scan(&functions))
	assert.Equal(t, 1, functions)

	servertest.Exec(t, conn, `UPDATE users SET title = 'x'`)
	for id, u := range snapshot(t, p).users {
		assert.Greater(t, u.Version, before.users[id].Version)
	}
}
