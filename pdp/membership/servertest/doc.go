// Package servertest starts real servers for tests, as httptest does for HTTP: PostgreSQL, PgBouncer, Redis as a
// single server, behind Sentinel and as a Cluster, and Wardkeeper. Each server belongs to one test, listens on a free port, and is
// stopped at the end of the test. The package installs nothing: a missing program fails the test. With -short, which
// `make test` never sets, tests that start a server are skipped. Start reading at [StartPostgres] and [StartRedis].
package servertest

import "testing"

func skipIfShort(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a server; skipped with -short")
	}
}
