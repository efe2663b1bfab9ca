package cache

import (
	"errors"
	"sync"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// behind says whether a fetched record is older than what has been seen of it.
func (c *Cache) behind(e *entry) bool {
	kept := c.memory.get(e.Key)
	if kept == nil || kept.Expired(time.Now()) || !kept.Versioned() || !e.Versioned() {
		return false
	}
	if kept.comparable(e) {
		return kept.Version > e.Version
	}
	return kept.newer(e) // of two histories the one that was fetched later is in force
}

// errHistory is for an origin that breaks its contract.
var errHistory = errors.New("the origin gave a history that is longer than 64 characters, or not printable ASCII")

// setVersion takes the origin's version, or else counts: the same content keeps its number, other content gets a greater
// one, the microseconds of its fetch where these are.
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
	case known.hash == e.hash:
		e.Version = known.Version
	case known.Order > e.Order: // this fetch began before
		e.Version = min(known.Version-1, uint64(e.AsOf.UnixMicro()))
	default:
		e.Version = max(known.Version+1, uint64(e.AsOf.UnixMicro()))
	}
}

// histories knows which history the origin's records have, by the fetch that began last. It is safe for concurrent use.
type histories struct {
	mu      sync.Mutex
	order   uint64 // of that fetch; 0 before the first
	current string
	warned  time.Time // when the log told of something odd last
}

// toldEvery is how often the log tells of odd versions: an origin that breaks its contract does it with every record.
const toldEvery = time.Minute

// learn takes the history of a record that the origin gave.
func (c *Cache) learn(e *entry) error {
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
		c.log.Warn("the source's records have another history: it was restored, replaced or is several, and versions of before do not count")
	}
	return nil
}

// foreign says whether a record is of another history than the origin's.
func (h *histories) foreign(e *entry) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.order > 0 && h.current != e.History
}

func (h *histories) mayWarn() bool {
	now := time.Now()
	if !h.warned.IsZero() && now.Sub(h.warned) < toldEvery {
		return false
	}
	h.warned = now
	return true
}

// compare counts a record that has another content than was seen under its version: the versions of the origin say nothing.
func (c *Cache) compare(e *entry) {
	kept := c.memory.get(e.Key)
	if kept == nil || !kept.comparable(e) || kept.Version != e.Version || kept.validator != e.validator || kept.hash == e.hash {
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
