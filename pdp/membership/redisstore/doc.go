// Package redisstore keeps records in Redis for several sidecars, and carries announcements of changes between them in a
// Redis stream. It implements [membership.Store] and [membership.Stream] for a single server, Sentinel or a cluster.
// Redis is a cache, not a system of record: while it is down, sidecars query the origin. The package does not decide
// whether a record is fresh. Start reading at [Open] in store.go, then follow.go for the stream.
//
// With a fleet key ([Config.FleetKey]), whoever can read and write Redis but has no key can deny service, and cannot make up
// facts or announcements (seal.go, signed.go). A value opens only under the name that it was stored under. It can be
// replayed: its version, its position in the stream and its age, by the clocks of the sidecars, are part of it, so that the
// reader judges it as the old value that it is. An entry verifies only at its place in the stream. A stream whose newest
// entries were taken back is noticed by the sidecars that had written or read them. No signature reveals that a server shows
// different sidecars different streams, and keeps an announcement from some of them: a revocation can then be held back,
// until the record's maximum age, where the stream is what confirms records.
package redisstore
