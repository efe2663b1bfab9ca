package cache

import (
	"errors"
	"sync"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// behind reports whether a fetched record is older than the one in memory.
func (c *Cache) behind(e *entry) bool {
	kept := c.memory.get(e.Key)
	if kept == nil || kept.Expired(time.Now()) || !kept.Versioned() || !e.Versioned() {
		return false
	}
	if kept.comparable(e) {
		return kept.Version > e.Version
	}
	return kept.newer(e) // of two histories, the one fetched later is current
}

var errHistory = errors.New("the origin delivered a history that is longer than 64 characters or not printable ASCII")

// setVersion sets the origin's version or, if there is none, a synthetic one. The same content keeps its version. Other
// content gets a greater version: the time of the fetch in microseconds, or the next number if that is greater.
func (c *Cache) setVersion(e *entry, version uint64, known *entry) {
	if version != 0 {
		e.Version = version
		return
	}
	e.Synthetic = true
	if kept := c.memory.get(e.Key); kept != nil && !kept.Absent {
		known = kept
	}
	switch {
	case known == nil || known.Absent:
		e.Version = uint64(e.AsOf.UnixMicro())
	case known.contentHash() == e.hash:
		e.Version = known.Version
	case known.Order > e.Order: // this fetch began earlier
		e.Version = min(known.Version-1, uint64(e.AsOf.UnixMicro()))
	default:
		e.Version = max(known.Version+1, uint64(e.AsOf.UnixMicro()))
	}
}

// histories keeps the history of the origin's records, as of the fetch that began last. It is safe for concurrent use.
type histories struct {
	mu      sync.Mutex
	order   uint64 // of that fetch; 0 before the first one
	current string
	warned  time.Time // when a warning was last logged
}

// warnInterval limits warnings about versions, which could otherwise be logged for every record.
const warnInterval = time.Minute

// observeHistory records the history of a record that the origin delivered.
func (c *Cache) observeHistory(e *entry) error {
	if !membership.ValidHistory(e.History) {
		return errHistory
	}
	h := &c.histories
	h.mu.Lock()
	defer h.mu.Unlock()
	if e.Order <= h.order {
		return nil
	}
	c.tracker.ObserveHistory(&e.Provenance)
	other := h.order > 0 && h.current != e.History
	h.order, h.current = e.Order, e.History
	if other && h.mayWarn() {
		c.log.Warn("the source's records have another history, and earlier versions do not count: it was restored or replaced, or several databases answer")
	}
	return nil
}

// foreign reports whether the history of a record differs from that of the origin's records.
func (h *histories) foreign(e *entry) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.order > 0 && h.current != e.History
}

func (h *histories) mayWarn() bool {
	now := time.Now()
	if !h.warned.IsZero() && now.Sub(h.warned) < warnInterval {
		return false
	}
	h.warned = now
	return true
}

// detectConflict counts a record whose content changed without a change of version. The origin's versions are then
// unreliable.
func (c *Cache) detectConflict(e *entry) {
	kept := c.memory.get(e.Key)
	if kept == nil || !kept.comparable(e) || kept.Version != e.Version || kept.validator != e.validator || kept.contentHash() == e.hash {
		return
	}
	c.counters.conflicts.Add(1)
	h := &c.histories
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mayWarn() {
		c.log.Warn("a record has changed without its version: the source was restored from a backup, or its versions do not move with every change",
			"record", e.Key.String())
	}
}
