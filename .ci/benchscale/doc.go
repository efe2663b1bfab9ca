// Package benchscale measures how Wardkeeper behaves as a directory grows: one sidecar after the other over a real PostgreSQL and a real
// Redis, which the harness starts. It is a test, so that `make test` runs it on a small directory; `make bench-scale` measures up to
// a million users, and writes a table and a picture.
package benchscale
