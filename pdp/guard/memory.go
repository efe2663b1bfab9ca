package guard

import (
	"context"
	"sync"
	"time"
)

// maxHeld bounds the records that claims hold in a process.
const maxHeld = 100_000

// Memory keeps the claims of one process. Its zero value is ready for use.
type Memory struct {
	mu   sync.Mutex
	held map[string]*held // by name of locks
}

// held are the claims of one record.
type held struct {
	owner, state string // of the exclusive lock
	until        time.Time
	shared       map[string]time.Time // when they expire, by claim
	wantedUntil  time.Time            // nobody may share it anew until then
}

var _ Claims = (*Memory)(nil)

// Claim implements [Claims].
func (m *Memory) Claim(_ context.Context, id string, locks []Lock, ttl time.Duration) (time.Duration, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if m.held == nil {
		m.held = map[string]*held{}
	}
	if len(m.held)+len(locks) > maxHeld && m.sweep(now) > maxHeld-len(locks) {
		return 0, ErrFull
	}
	var wait time.Duration
	for _, l := range locks {
		wait = max(wait, m.held[l.Name].wait(l, now))
	}
	if wait > 0 {
		m.want(locks, now, ttl)
		return wait, nil
	}
	for _, l := range locks {
		if m.held[l.Name] == nil {
			m.held[l.Name] = &held{shared: map[string]time.Time{}}
		}
		m.held[l.Name].take(id, l, now.Add(ttl))
	}
	return 0, nil
}

// want keeps records that are to be locked exclusively from being shared anew. It does not extend an earlier wait: two who want
// each other's records must not keep both waiting.
func (m *Memory) want(locks []Lock, now time.Time, ttl time.Duration) {
	for _, l := range locks {
		h := m.held[l.Name]
		if last := h.lastShared(now); l.Exclusive && last.After(now) && !h.wantedUntil.After(now) {
			h.wantedUntil = last.Add(ttl)
		}
	}
}

// wait returns how long the claims in the way of a lock have left.
func (h *held) wait(l Lock, now time.Time) (wait time.Duration) {
	if h == nil {
		return 0
	}
	if h.owner != "" && h.state == l.State {
		wait = h.until.Sub(now)
	}
	if l.Exclusive {
		return max(wait, h.lastShared(now).Sub(now))
	}
	return max(wait, h.wantedUntil.Sub(now))
}

// lastShared returns when the last of those who share the record ends, and forgets those who have ended.
func (h *held) lastShared(now time.Time) (last time.Time) {
	if h == nil {
		return last
	}
	for id, until := range h.shared {
		switch {
		case !until.After(now):
			delete(h.shared, id)
		case until.After(last):
			last = until
		}
	}
	return last
}

func (h *held) take(id string, l Lock, until time.Time) {
	if l.Exclusive {
		h.owner, h.state, h.until, h.wantedUntil = id, l.State, until, time.Time{}
		return
	}
	h.shared[id] = until
}

// sweep forgets what has expired, and returns how many records are left.
func (m *Memory) sweep(now time.Time) int {
	for name, h := range m.held {
		if !h.until.After(now) && !h.wantedUntil.After(now) && !h.lastShared(now).After(now) {
			delete(m.held, name)
		}
	}
	return len(m.held)
}

// Release implements [Claims].
func (m *Memory) Release(_ context.Context, id string, locks []Lock) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range locks {
		h := m.held[l.Name]
		if h == nil {
			continue
		}
		delete(h.shared, id)
		if h.owner == id {
			h.owner, h.until = "", time.Time{}
		}
	}
	return nil
}
