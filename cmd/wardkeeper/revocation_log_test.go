package main

import (
	"fmt"
	"sync"
	"time"
)

// revocationLog records when each change was written, and which version decided each question. Afterwards every answer is
// checked against the changes.
type revocationLog struct {
	maxAge time.Duration // of facts that are not confirmed

	mu          sync.Mutex
	changes     map[string][]adminChange // by administrator, in order
	answers     []adminAnswer
	disruptions []span
	failures    int
}

type adminChange struct {
	id        string
	version   uint64
	active    bool
	committed time.Time
	announced time.Time // zero if not announced
}

type adminAnswer struct {
	sidecar   int
	id        string
	version   uint64 // of the record that decided the question
	allowed   bool
	confirmed bool // the record was confirmed
	token     bool // the question required the last announcement for this administrator
	at        time.Time
}

// span is a period in which announcements may have been delayed.
type span struct{ from, to time.Time }

func (l *revocationLog) addWrite(w adminChange) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changes == nil {
		l.changes = map[string][]adminChange{}
	}
	l.changes[w.id] = append(l.changes[w.id], w)
}

func (l *revocationLog) setAnnounced(w adminChange, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changes[w.id][len(l.changes[w.id])-1].announced = at
}

func (l *revocationLog) addAnswer(a adminAnswer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers = append(l.answers, a)
}

func (l *revocationLog) addFailure() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures++
}

func (l *revocationLog) addDisruption(s span) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.disruptions = append(l.disruptions, s)
}

// The guarantees, and the tolerance for a busy machine.
const (
	lease     = time.Second
	tolerance = time.Second
)

// violations lists the answers that break the guarantees. knownSince returns the time from which a sidecar must learn of a
// change: when it was committed, or when it was announced. The lease applies to confirmed records. A sidecar that is too busy
// to receive heartbeats confirms none, and then the maximum age applies.
func (l *revocationLog) violations(knownSince func(adminChange) time.Time) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []string
	for _, a := range l.answers {
		explained := false
		for _, w := range l.changes[a.id] {
			if w.version == a.version {
				explained = w.active == a.allowed
			}
			if w.version <= a.version || knownSince(w).IsZero() {
				continue
			}
			late := a.at.Sub(knownSince(w))
			if late > l.maxAge+tolerance || late > lease+tolerance && a.confirmed && !l.disruptedBetween(knownSince(w), a.at) || a.token && late > 0 {
				all = append(all, fmt.Sprintf("sidecar %d answered %t to %s by version %d, %v after version %d",
					a.sidecar, a.allowed, a.id, a.version, late, w.version))
				break
			}
		}
		if first := l.changes[a.id]; !explained && len(first) > 0 && a.version >= first[0].version {
			all = append(all, fmt.Sprintf("sidecar %d answered %t to %s, contrary to version %d", a.sidecar, a.allowed, a.id, a.version))
		}
	}
	return all
}

// counts counts the answers so far.
func (l *revocationLog) counts() (allowed, denied, confirmed int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.answers {
		if a.allowed {
			allowed++
		} else {
			denied++
		}
		if a.confirmed {
			confirmed++
		}
	}
	return allowed, denied, confirmed
}

// disruptedBetween reports whether a server was disrupted between two moments, or up to a lease before.
func (l *revocationLog) disruptedBetween(from, to time.Time) bool {
	for _, s := range l.disruptions {
		if s.from.Before(to) && s.to.After(from.Add(-lease)) {
			return true
		}
	}
	return false
}
