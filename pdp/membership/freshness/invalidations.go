package freshness

import (
	"hash/maphash"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// invalidation says that a record has been announced to have changed. An announcement can come from whoever may announce, so that it
// proves nothing of the record: it ends the use of what was fetched before it was heard. The versions announced are claims.
type invalidation struct {
	event   uint64              // when it was heard, by the count of what was heard; 0 where never
	at      membership.Position // in the stream, of the last that was heard there; zero where none was
	version uint64              // claimed there, 0 where none was
	heard   time.Time           // by the local clock
	aside   time.Time           // when one was last heard elsewhere than in the stream; zero where never
	most    uint64              // the greatest version ever claimed
	held    uint64              // the greatest of those that were claimed in the stream
	vain    uint64              // the greatest claim that the origin did not meet when it was asked again
	asked   time.Time           // when that was
}

// Bounds of what is remembered: longer than any fact lives, and no more than memory allows.
const MaxMarks = 200_000

// invalidations remembers what has been announced, for as long as facts of before may be around. Its zero value is not usable.
//
// Records are told apart by a hash: announced ids can be long and many. Two records that share one end each other's facts.
type invalidations struct {
	seed  maphash.Seed
	byKey map[uint64]invalidation
	order []marked // by the time when they were heard
	keep  time.Duration

	anything  invalidation // everything is concerned
	everyTree invalidation // a location has changed, and its organization is not known
	anyUser   invalidation // some user has changed: an account that was not there may be now
	forgotten invalidation // the newest that memory did not allow to remember
	located   uint64       // the event of the last change of a location
}

// marked is a mark in the order of hearing.
type marked struct {
	key   uint64
	event uint64
	heard time.Time
}

func newInvalidations(keep time.Duration) *invalidations {
	return &invalidations{seed: maphash.MakeSeed(), byKey: map[uint64]invalidation{}, keep: keep}
}

// own gives what was announced of a record itself.
func (m *invalidations) own(key membership.Key) invalidation {
	return m.byKey[maphash.Comparable(m.seed, key)]
}

// again says whether a mark is known: an announcement is heard where it is made, and again in the stream.
func (m invalidation) again(by invalidation) bool {
	return m.at.Epoch != "" && m.at.Epoch == by.at.Epoch && m.at.Sequence >= by.at.Sequence
}

// then gives what there is to remember once another is heard of the same. They may come in any order.
func (m invalidation) then(by invalidation) invalidation {
	most, held := max(m.most, by.version), m.held
	if by.at.Epoch != "" {
		held = max(held, by.version)
	}
	switch {
	case m.again(by):
		if m.at == by.at {
			m.version = max(m.version, by.version)
		}
		by = m
	case by.at.Epoch == "":
		by.at, by.version, by.aside = m.at, m.version, by.heard
	default:
		by.aside = m.aside
	}
	by.most, by.held, by.vain, by.asked = most, held, m.vain, m.asked
	return by
}

// set remembers a mark for a record.
func (m *invalidations) set(record membership.Key, by invalidation) {
	key := maphash.Comparable(m.seed, record)
	before := m.byKey[key]
	by = before.then(by)
	m.byKey[key] = by
	if by.event == before.event {
		return
	}
	m.order = append(m.order, marked{key, by.event, by.heard})
	m.prune(by.heard)
}

func (m *invalidations) prune(now time.Time) {
	drop := 0
	for drop < len(m.order) && (len(m.order)-drop > MaxMarks || now.Sub(m.order[drop].heard) > m.keep) {
		gone := m.order[drop]
		drop++
		mark := m.byKey[gone.key]
		if mark.event != gone.event {
			continue // it was announced again since
		}
		delete(m.byKey, gone.key)
		if now.Sub(gone.heard) <= m.keep {
			m.forgotten.follow(mark)
		}
	}
	clear(m.order[:drop])
	m.order = m.order[drop:] // and not a copy of it, for each mark again
}

// take remembers a change. rootOf gives the organization that a location is known to belong to, "" where it is not.
func (m *invalidations) take(c pdp.Change, by invalidation, rootOf func(location string) string) {
	switch c.Kind {
	case pdp.UserChanged:
		m.anyUser.follow(by)
		by.version = c.Version
		m.set(membership.Key{Kind: membership.UserRecord, ID: c.ID}, by)
	case pdp.LocationChanged:
		known := rootOf(c.ID)
		if c.Organization == "" && known == "" {
			m.everyTree.follow(by)
		}
		m.set(membership.Key{Kind: membership.LocationPointer, ID: c.ID}, by)
		m.located = by.event
		if known != "" && known != c.Organization {
			m.set(membership.Key{Kind: membership.OrganizationRecord, ID: known}, by)
		}
		if c.Organization != "" {
			by.version = c.Version
			m.set(membership.Key{Kind: membership.OrganizationRecord, ID: c.Organization}, by)
		}
	default:
		m.anything.follow(by)
	}
}

// follow takes a newer mark in its place.
func (m *invalidation) follow(by invalidation) {
	*m = m.then(by)
	m.version, m.most, m.held, m.vain = 0, 0, 0, 0 // claims are about one record
}

// ownMark is where of gives what was announced of the record itself.
const ownMark = 0

// of gives what concerns a record: none of it may come after a fact that is to be used.
func (m *invalidations) of(key membership.Key, absent bool) [4]invalidation {
	var wide invalidation
	switch {
	case key.Kind == membership.OrganizationRecord || key.Kind == membership.LocationPointer:
		wide = m.everyTree
	case key.Kind == membership.UsernamePointer && absent:
		wide = m.anyUser
	}
	return [4]invalidation{m.own(key), m.anything, m.forgotten, wide}
}
