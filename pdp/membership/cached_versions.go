package membership

import (
	"errors"
	"sync"
	"time"
)

// behind says whether a fetched record is older than what has been seen of it.
func (c *Cached) behind(e *record) bool {
	kept := c.memory.get(e.key)
	if kept == nil || kept.expired(time.Now()) || !kept.versioned() || !e.versioned() {
		return false
	}
	if kept.comparable(e) {
		return kept.version > e.version
	}
	return kept.newer(e) // of two histories the one that was fetched later is in force
}

// errHistory is for an origin that breaks its contract.
var errHistory = errors.New("the origin gave a history that is longer than 64 characters, or not printable ASCII")

// setVersion takes the origin's version, or else counts: the same content keeps its number, other content gets a greater
// one, the microseconds of its fetch where these are.
func (c *Cached) setVersion(e *record, version uint64, known *record) {
	if version != 0 {
		e.version = version
		return
	}
	e.made = true
	if kept := c.memory.get(e.key); kept != nil && !kept.absent {
		known = kept
	}
	switch {
	case known == nil || known.absent:
		e.version = uint64(e.asOf.UnixMicro())
	case known.hash == e.hash:
		e.version = known.version
	case known.order > e.order: // this fetch began before
		e.version = min(known.version-1, uint64(e.asOf.UnixMicro()))
	default:
		e.version = max(known.version+1, uint64(e.asOf.UnixMicro()))
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
func (c *Cached) learn(e *record) error {
	if !isHistory(e.history) {
		return errHistory
	}
	h := &c.histories
	h.mu.Lock()
	defer h.mu.Unlock()
	if e.order <= h.order {
		return nil
	}
	c.feed.learned(&e.fact)
	other := h.order > 0 && h.current != e.history
	h.order, h.current = e.order, e.history
	if other && h.mayWarn() {
		c.log.Warn("the source's records have another history: it was restored, replaced or is several, and versions of before do not count")
	}
	return nil
}

// foreign says whether a record is of another history than the origin's.
func (h *histories) foreign(e *record) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.order > 0 && h.current != e.history
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
func (c *Cached) compare(e *record) {
	kept := c.memory.get(e.key)
	if kept == nil || !kept.comparable(e) || kept.version != e.version || kept.judge != e.judge || kept.hash == e.hash {
		return
	}
	c.counters.conflicts.Add(1)
	h := &c.histories
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mayWarn() {
		c.log.Warn("a record has changed without its version: the source was restored from a backup, or its versions do not move with every change",
			"record", e.key.String())
	}
}
