// Package freshness decides how fresh cached records are. A [Tracker] receives announced changes and heartbeats, and
// [Tracker.Check] returns whether a record is fresh, unconfirmed or stale. The package keeps its state in memory and
// reads the clock. It does no I/O, and neither fetches nor caches records; package cache does. Start reading at
// [Tracker.Check] in check.go.
package freshness
