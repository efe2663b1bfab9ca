package membership

import (
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// mark says that a record has been announced to have changed.
type mark struct {
	event   uint64    // when it was heard, by the count of what was heard; 0 where never
	at      position  // in the stream; zero where it was heard elsewhere
	heard   time.Time // by the local clock
	version uint64    // announced with it, 0 where none
	least   uint64    // the highest version ever announced
}

// Bounds of what is remembered: longer than any fact lives, and no more than memory allows.
const maxMarks = 200_000

// marks remembers what has been announced, for as long as facts of before may be around. Its zero value is not usable.
type marks struct {
	byKey map[recordKey]mark
	order []marked // by the time when they were heard
	keep  time.Duration

	anything  mark // everything is concerned
	everyTree mark // a location has changed, and its organization is not known
	anyUser   mark // some user has changed: an account that was not there may be now
	forgotten mark // the newest that memory did not allow to remember
}

// marked is a mark in the order of hearing.
type marked struct {
	key   recordKey
	event uint64
	heard time.Time
}

func newMarks(keep time.Duration) *marks {
	return &marks{byKey: map[recordKey]mark{}, keep: keep}
}

// again says whether a mark is known: an announcement is heard where it is made, and again in the stream.
func (m mark) again(by mark) bool {
	return m.at.epoch != "" && m.at.epoch == by.at.epoch && m.at.sequence >= by.at.sequence
}

// set remembers a mark for a key.
func (m *marks) set(key recordKey, by mark) {
	before := m.byKey[key]
	if before.again(by) {
		return
	}
	by.least = max(by.version, before.least)
	m.byKey[key] = by
	m.order = append(m.order, marked{key, by.event, by.heard})
	m.prune(by.heard)
}

func (m *marks) prune(now time.Time) {
	drop := 0
	for drop < len(m.order) && (len(m.order)-drop > maxMarks || now.Sub(m.order[drop].heard) > m.keep) {
		gone := m.order[drop]
		drop++
		mark := m.byKey[gone.key]
		if mark.event != gone.event {
			continue // it was announced again since
		}
		delete(m.byKey, gone.key)
		if now.Sub(gone.heard) <= m.keep {
			m.forgotten = mark
			m.forgotten.version, m.forgotten.least = 0, 0
		}
	}
	clear(m.order[:drop])
	m.order = m.order[drop:] // what is in front of it goes when it grows next: copying it each time would hold up every question
}

// take remembers a change. rootOf gives the organization that a location is known to belong to, "" where it is not.
func (m *marks) take(c pdp.Change, by mark, rootOf func(location string) string) {
	switch c.Kind {
	case pdp.UserChanged:
		by.version = c.Version
		m.set(recordKey{userRecord, c.ID}, by)
		by.version = 0
		m.anyUser.follow(by)
	case pdp.LocationChanged:
		known := rootOf(c.ID)
		for _, root := range []string{c.Organization, known} {
			if root == "" {
				continue
			}
			by.version = 0
			if root == c.Organization {
				by.version = c.Version
			}
			m.set(recordKey{organizationRecord, root}, by)
		}
		by.version = 0
		if c.Organization == "" && known == "" {
			m.everyTree.follow(by)
		}
		m.set(recordKey{locationPointer, c.ID}, by)
	default:
		m.anything.follow(by)
	}
}

// follow takes a newer mark in its place.
func (m *mark) follow(by mark) {
	if !m.again(by) {
		*m = by
	}
}

// of gives what concerns a record, the newest last; none of them may come after a fact that is to be used.
func (m *marks) of(key recordKey, absent bool) [3]mark {
	own := m.byKey[key]
	general := m.anything
	if m.forgotten.event > general.event {
		general = m.forgotten
	}
	var wide mark
	switch {
	case key.kind == organizationRecord || key.kind == locationPointer:
		wide = m.everyTree
	case key.kind == usernamePointer && absent:
		wide = m.anyUser
	}
	return [3]mark{own, general, wide}
}
