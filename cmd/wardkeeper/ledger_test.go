package main

import (
	"fmt"
	"sync"
	"time"
)

// ledger is the history of a run: what was written when, and what was answered by which version. Afterwards it is checked
// whether something explains every answer.
type ledger struct {
	mu        sync.Mutex
	writes    map[string][]writing // by administrator, in order
	answers   []asking
	disturbed []span
	failures  int
}

type writing struct {
	id        string
	version   uint64
	active    bool
	committed time.Time
	announced time.Time // zero where it was not
}

type asking struct {
	sidecar int
	id      string
	version uint64 // of the record that the answer was made by
	allowed bool
	vouched bool // the record was confirmed
	token   bool // the question had to know of the last announcement for this administrator
	at      time.Time
}

// span is a time in which news of changes may have been held up.
type span struct{ from, to time.Time }

func (l *ledger) begin(w writing) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.writes == nil {
		l.writes = map[string][]writing{}
	}
	l.writes[w.id] = append(l.writes[w.id], w)
}

func (l *ledger) announced(w writing, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writes[w.id][len(l.writes[w.id])-1].announced = at
}

func (l *ledger) asked(a asking) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers = append(l.answers, a)
}

func (l *ledger) failed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures++
}

func (l *ledger) disturb(s span) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.disturbed = append(l.disturbed, s)
}

// The contract, with what a busy machine may add to it.
const (
	budget = 5 * time.Second
	lease  = time.Second
	noise  = time.Second
)

// faults lists the answers that nothing explains. told gives the moment from which on a change is one that sidecars must
// learn of: when it was committed, or announced. The lease holds for confirmed records; a sidecar that is too busy to hear
// heartbeats does not confirm any, and then the budget holds.
func (l *ledger) faults(told func(writing) time.Time) []string {
	var all []string
	for _, a := range l.answers {
		explained := false
		for _, w := range l.writes[a.id] {
			if w.version == a.version {
				explained = w.active == a.allowed
			}
			if w.version <= a.version || told(w).IsZero() {
				continue
			}
			late := a.at.Sub(told(w))
			if late > budget+noise || late > lease+noise && a.vouched && !l.heldUp(told(w), a.at) || a.token && late > 0 {
				all = append(all, fmt.Sprintf("sidecar %d answered %t to %s by version %d, %v after version %d was told",
					a.sidecar, a.allowed, a.id, a.version, late, w.version))
				break
			}
		}
		if first := l.writes[a.id]; !explained && len(first) > 0 && a.version >= first[0].version {
			all = append(all, fmt.Sprintf("sidecar %d answered %t to %s, which version %d does not say", a.sidecar, a.allowed, a.id, a.version))
		}
	}
	return all
}

// count counts the answers so far.
func (l *ledger) count() (allowed, denied, vouched int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.answers {
		if a.allowed {
			allowed++
		} else {
			denied++
		}
		if a.vouched {
			vouched++
		}
	}
	return allowed, denied, vouched
}

// heldUp says whether anything was disturbed between two moments, or shortly before.
func (l *ledger) heldUp(from, to time.Time) bool {
	for _, s := range l.disturbed {
		if s.from.Before(to) && s.to.After(from.Add(-lease)) {
			return true
		}
	}
	return false
}
