// Package redisstore keeps records in Redis for several sidecars, and carries announcements of changes between them in a
// Redis stream. It implements [membership.Store] and [membership.Stream] for a single server, Sentinel or a cluster.
// Redis is a cache, not a system of record: while it is down, sidecars query the origin. The package does not decide
// whether a record is fresh. Start reading at [Open] in store.go, then follow.go for the stream.
package redisstore
