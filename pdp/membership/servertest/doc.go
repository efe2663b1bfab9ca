// Package servertest starts the real servers that membership facts come from, for tests, as httptest does for HTTP: PostgreSQL,
// PgBouncer, and Redis alone, behind Sentinel and as a cluster. Each test gets servers of its own on free ports, which end with
// the test. It installs nothing: a missing program fails the test. Under -short, a test that starts a server is skipped, and
// `make test` never sets that. Start with [StartPostgres] and [StartRedis].
package servertest

import "testing"

func skipIfShort(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a server, which -short does not allow")
	}
}
