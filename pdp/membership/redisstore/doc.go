// Package redisstore keeps records for several sidecars in Redis, and announces changes to all of them by a stream there: it is a
// [membership.Store] and a [membership.Stream], for one server, Sentinel or a cluster. Redis is a cache and no system of record:
// while it is down, sidecars ask the origin. It does not say whether a record is fresh. Start with [Open] in store.go, then
// follow.go for the stream.
package redisstore
