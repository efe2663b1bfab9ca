package freshness

import (
	"hash/maphash"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// invalidation says that a record has been announced to have changed: whatever was fetched before is stale. Anybody who may
// announce can cause one, so it proves nothing about the record, and its versions are claims.
type invalidation struct {
	event            uint64              // when it was received, by the tracker's count; 0: never
	position         membership.Position // of the last one received in the stream; zero: none
	version          uint64              // announced at that position; 0: none
	receivedAt       time.Time           // by the local clock
	outsideStreamAt  time.Time           // when one was last received outside the stream; zero: never
	maxVersion       uint64              // the greatest version announced anywhere
	maxStreamVersion uint64              // the greatest version announced in the stream
	unmetVersion     uint64              // the greatest announced version that the origin did not have when asked again
	unmetAt          time.Time           // when that was
}

// MaxInvalidations bounds how many records' invalidations are remembered.
const MaxInvalidations = 200_000

// invalidations remembers announced changes for as long as records fetched before them may be cached.
//
// Records are identified by a hash, since announced ids can be long and many. Two records with the same hash invalidate each
// other.
type invalidations struct {
	seed      maphash.Seed
	byHash    map[uint64]invalidation
	order     []received // oldest first
	retention time.Duration

	everything        invalidation
	everyOrganization invalidation // a location of an unknown organization has changed
	anyUser           invalidation // some user has changed: an absent account may exist now
	evicted           invalidation // the newest that was dropped to stay within the bound
	lastLocationEvent uint64       // the event of the last change of a location
}

// received is an entry of the order in which invalidations arrived.
type received struct {
	hash  uint64
	event uint64
	at    time.Time
}

func newInvalidations(retention time.Duration) *invalidations {
	return &invalidations{seed: maphash.MakeSeed(), byHash: map[uint64]invalidation{}, retention: retention}
}

func (m *invalidations) hash(key membership.Key) uint64 { return maphash.Comparable(m.seed, key) }

// own gives the invalidation of the record itself.
func (m *invalidations) own(key membership.Key) invalidation { return m.byHash[m.hash(key)] }

// relevant gives every invalidation that concerns a record. The record is stale if it was fetched before any of them.
func (m *invalidations) relevant(key membership.Key, absent bool) [4]invalidation {
	var wide invalidation
	switch {
	case key.Kind == membership.OrganizationRecord || key.Kind == membership.LocationPointer:
		wide = m.everyOrganization
	case key.Kind == membership.UsernamePointer && absent:
		wide = m.anyUser
	}
	return [4]invalidation{m.own(key), m.everything, m.evicted, wide}
}

// add remembers a change. An organization's record is stale if it lists the location, if it is the named organization, or, where
// none is named, in any case: the location may be in any organization now.
func (m *invalidations) add(c pdp.Change, i invalidation) {
	switch c.Kind {
	case pdp.UserChanged:
		m.anyUser.replace(i)
		i.version = c.Version
		m.set(membership.Key{Kind: membership.UserRecord, ID: c.ID}, i)
	case pdp.LocationChanged:
		m.lastLocationEvent = i.event
		location, organization := i, i
		if c.Organization == "" {
			m.everyOrganization.replace(i)
			location.version = c.Version // of whatever organization lists it
		} else {
			organization.version = c.Version
			m.set(membership.Key{Kind: membership.OrganizationRecord, ID: c.Organization}, organization)
		}
		m.set(membership.Key{Kind: membership.LocationPointer, ID: c.ID}, location)
	default:
		m.everything.replace(i)
	}
}

func (m *invalidations) set(key membership.Key, i invalidation) {
	hash := m.hash(key)
	before := m.byHash[hash]
	i = before.merge(i)
	m.byHash[hash] = i
	if i.event == before.event {
		return
	}
	m.order = append(m.order, received{hash, i.event, i.receivedAt})
	m.evict(i.receivedAt)
}

// evict drops what is older than the retention, and the oldest above the bound.
func (m *invalidations) evict(now time.Time) {
	n := 0
	for n < len(m.order) && (len(m.order)-n > MaxInvalidations || now.Sub(m.order[n].at) > m.retention) {
		oldest := m.order[n]
		n++
		i := m.byHash[oldest.hash]
		if i.event != oldest.event {
			continue // the record was announced again later
		}
		delete(m.byHash, oldest.hash)
		if now.Sub(oldest.at) <= m.retention {
			m.evicted.replace(i)
		}
	}
	clear(m.order[:n])
	m.order = m.order[n:] // copying it would cost as much for each announcement
}

func (m *invalidations) claimUnmet(key membership.Key, now time.Time) {
	hash := m.hash(key)
	if i, ok := m.byHash[hash]; ok {
		i.unmetVersion, i.unmetAt = i.maxVersion, now
		m.byHash[hash] = i
	}
}

// merge gives what to remember once another invalidation of the same record arrives. They can arrive in any order.
func (i invalidation) merge(next invalidation) invalidation {
	maxVersion, maxStreamVersion := max(i.maxVersion, next.version), i.maxStreamVersion
	if next.position.Epoch != "" {
		maxStreamVersion = max(maxStreamVersion, next.version)
	}
	switch {
	case i.includes(next):
		if i.position == next.position {
			i.version = max(i.version, next.version)
		}
		next = i
	case next.position.Epoch == "":
		next.position, next.version, next.outsideStreamAt = i.position, i.version, next.receivedAt
	default:
		next.outsideStreamAt = i.outsideStreamAt
	}
	next.maxVersion, next.maxStreamVersion, next.unmetVersion, next.unmetAt = maxVersion, maxStreamVersion, i.unmetVersion, i.unmetAt
	return next
}

// includes reports whether the other position of the stream is known already. A sidecar receives its own announcements twice:
// when it makes them, and in the stream.
func (i invalidation) includes(other invalidation) bool {
	return i.position.Epoch != "" && i.position.Epoch == other.position.Epoch && i.position.Sequence >= other.position.Sequence
}

// replace merges an invalidation of more than one record, which has no versions.
func (i *invalidation) replace(next invalidation) {
	*i = i.merge(next)
	i.version, i.maxVersion, i.maxStreamVersion, i.unmetVersion = 0, 0, 0, 0
}
