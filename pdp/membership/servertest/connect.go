package servertest

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// Connect opens a connection to a PostgreSQL database. It is closed at the end of the test.
func Connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// Exec executes SQL statements, separated by semicolons.
func Exec(t testing.TB, conn *pgx.Conn, sql string) {
	t.Helper()
	require.NoError(t, conn.PgConn().Exec(context.Background(), sql).Close(), sql)
}
