package cache

import (
	"sync/atomic"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// Status is the state of a cache, for metrics and readiness.
type Status struct {
	// Quarantined names the records that violate a rule of policies/DOMAIN.md section 1, sorted; at most 1,000.
	Quarantined []string
	// Confirmed reports whether facts are confirmed now, Confirming whether this configuration can confirm them.
	Confirmed, Confirming bool
	Shared                bool          // other sidecars share a tier with this one
	StreamLive            bool          // the shared stream is being followed
	StreamLosses          uint64        // how often the stream was lost
	ByOrigin              bool          // the origin reports its own changes
	OriginLive            bool          // its changes are being received
	OriginLosses          uint64        // how often the origin's changes were lost
	SinceHeartbeat        time.Duration // of the confirming subscription; 0 if there is none
	// Unproven names the missing proofs that facts are up to date, sorted, in words of lower-case letters and "_". It is
	// empty while facts are confirmed.
	Unproven []string

	Memory, Entries int // bytes and records of the in-process tier

	FromMemory, FromShared, FromOrigin          uint64 // records by the tier that served them
	Failures, Lagging, Fallbacks, Refused, Lost uint64 // see counters
	Conflicts                                   uint64
	Awaited, Overdue                            uint64 // see counters
}

// Status returns the current state.
func (c *Cache) Status() Status {
	f := c.tracker.Status()
	s := Status{
		Quarantined: c.quarantine.names(), Shared: c.store != nil, StreamLive: f.StreamLive, StreamLosses: f.StreamLosses,
		Confirming: f.Confirming, Confirmed: f.Confirming && len(f.Unproven) == 0, SinceHeartbeat: f.SinceHeartbeat, Unproven: f.Unproven,
		ByOrigin: f.ByOrigin, OriginLive: f.OriginLive, OriginLosses: f.OriginLosses,
	}
	s.Memory, s.Entries = c.memory.size()
	s.FromMemory, s.FromShared, s.FromOrigin = c.counters.memory.Load(), c.counters.shared.Load(), c.counters.origin.Load()
	s.Failures, s.Lagging, s.Fallbacks = c.counters.failures.Load(), c.counters.lagging.Load(), c.counters.fallbacks.Load()
	s.Conflicts = c.counters.conflicts.Load()
	s.Awaited, s.Overdue = c.counters.awaited.Load(), c.counters.overdue.Load()
	s.Refused, s.Lost = c.counters.refused.Load(), c.counters.lostPuts.Load()
	return s
}

// Pools describes the connections to the origin and to the shared store.
func (c *Cache) Pools() (pools []membership.Pool) {
	for _, tier := range []any{c.origin, c.store} {
		if pooled, ok := tier.(membership.Pooled); ok {
			pools = append(pools, pooled.Pool())
		}
	}
	return pools
}

// counters count events for metrics.
type counters struct {
	memory    atomic.Uint64 // records served from memory
	shared    atomic.Uint64 // records served from the shared store
	origin    atomic.Uint64 // queries to the origin
	failures  atomic.Uint64 // failed queries to the origin
	lagging   atomic.Uint64 // queries to the origin that returned a record older than known
	awaited   atomic.Uint64 // records that another sidecar fetched while this one waited for it
	overdue   atomic.Uint64 // records that this sidecar fetched after it had waited for another one in vain
	conflicts atomic.Uint64 // records whose content changed without a change of version
	fallbacks atomic.Uint64 // unconfirmed records served while the origin was down
	refused   atomic.Uint64 // invalid values found in the shared store
	lostPuts  atomic.Uint64 // values that could not be written to or removed from the shared store
}
