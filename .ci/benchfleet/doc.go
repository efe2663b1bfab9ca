// Package benchfleet measures many sidecars over one PostgreSQL and one Redis: real processes, which the harness starts, asks, probes,
// stops, kills and cuts off, while records change and people lose their rights. It is a test, so that `make test` runs it with a few;
// `make bench-fleet` runs fifty. It fails if an answer is older than allowed, or if the database has too many connections.
package benchfleet
