package membership

import (
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// mark says that a record has been announced to have changed.
type mark struct {
	event   uint64    // when it was heard, by the count of what was heard; 0 where never
	at      position  // in the stream, of the last that was heard there; zero where none was
	heard   time.Time // by the local clock
	aside   time.Time // when one was last heard elsewhere than in the stream; zero where never
	version uint64    // announced with it, 0 where any of them had none
	least   uint64    // the highest version ever announced
}

// Bounds of what is remembered: longer than any fact lives, and no more than memory allows.
const maxMarks = 200_000

// marks remembers what has been announced, for as long as facts of before may be around. Its zero value is not usable.
type marks struct {
	byKey map[recordKey]mark
	order []marked // by the time when they were heard
	keep  time.Duration

	anything  mark   // everything is concerned
	everyTree mark   // a location has changed, and its organization is not known
	anyUser   mark   // some user has changed: an account that was not there may be now
	forgotten mark   // the newest that memory did not allow to remember
	located   uint64 // the event of the last change of a location
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

// then gives what there is to remember once another is heard of the same. They may come in any order, and some without a
// version: nothing that one of them says is unsaid by another.
func (m mark) then(by mark) mark {
	least := max(m.least, by.version)
	if m.event > 0 && m.version == 0 {
		by.version = 0
	}
	switch {
	case m.again(by):
		m.version = min(m.version, by.version)
		by = m
	case by.at.epoch == "":
		by.at, by.aside = m.at, by.heard
	default:
		by.aside = m.aside
	}
	by.least = least
	return by
}

// set remembers a mark for a key.
func (m *marks) set(key recordKey, by mark) {
	before := m.byKey[key]
	by = before.then(by)
	m.byKey[key] = by
	if by.event == before.event {
		return
	}
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
			mark.version = 0
			m.forgotten.follow(mark)
		}
	}
	clear(m.order[:drop])
	m.order = m.order[drop:] // and not a copy of it, for each mark again
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
		m.located = by.event
	default:
		m.anything.follow(by)
	}
}

// follow takes a newer mark in its place.
func (m *mark) follow(by mark) {
	*m = m.then(by)
	m.least = 0 // it is of no one record
}

// of gives what concerns a record: none of it may come after a fact that is to be used.
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
