package cache

import (
	"time"
)

// Status is how a cached source is doing.
type Status struct {
	// Quarantined names the records that break a rule of policies/DOMAIN.md section 1, sorted; at most 1,000.
	Quarantined []string
	// Vouched says whether facts are vouched for now, Vouching whether they ever are with these settings.
	Vouched, Vouching bool
	Shared            bool          // other sidecars share a tier with this one
	SharedLive        bool          // and it is heard of
	SharedBreaks      uint64        // how often that was lost
	Listens           bool          // the origin tells of its changes by itself
	Listening         bool          // the origin's own news is heard
	ListeningBreaks   uint64        // how often that was lost
	Heard             time.Duration // since when nothing was heard of what vouches; 0 where nothing does
	// Unproven names the proofs that are missing for facts to be vouched for, sorted words of lower-case letters and "_"; none
	// where they are.
	Unproven []string

	Memory, Entries int // bytes and records of the in-process tier

	FromMemory, FromShared, FromOrigin          uint64 // facts by where they came from
	Failures, Lagging, Fallbacks, Refused, Lost uint64 // see counters
	Conflicts                                   uint64
}

// Status says how the source is doing. It is safe for concurrent use.
func (c *Cache) Status() Status {
	f := c.tracker.Status()
	s := Status{
		Quarantined: c.quarantine.names(), Shared: c.store != nil, SharedLive: f.StreamLive, SharedBreaks: f.StreamLosses,
		Vouching: f.Confirming, Vouched: f.Confirming && len(f.Unproven) == 0, Heard: f.SinceHeartbeat, Unproven: f.Unproven,
		Listens: f.ByOrigin, Listening: f.OriginLive, ListeningBreaks: f.OriginLosses,
	}
	s.Memory, s.Entries = c.memory.size()
	s.FromMemory, s.FromShared, s.FromOrigin = c.counters.memory.Load(), c.counters.shared.Load(), c.counters.origin.Load()
	s.Failures, s.Lagging, s.Fallbacks = c.counters.failures.Load(), c.counters.lagging.Load(), c.counters.fallbacks.Load()
	s.Conflicts = c.counters.conflicts.Load()
	s.Refused, s.Lost = c.counters.refused.Load(), c.counters.lostPuts.Load()
	return s
}
