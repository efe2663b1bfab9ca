// Package freshness decides how fresh cached records are. A [Tracker] receives announced changes and heartbeats, and
// [Tracker.Check] says of a record whether it is fresh, unconfirmed or stale. The package holds state in memory and reads the
// clock; it does no I/O, and neither fetches nor caches records: package cache does. Start with [Tracker.Check] in check.go.
package freshness
