package freshness

import (
	"hash/maphash"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// invalidation records that a change of a record has been announced, so that everything fetched before is stale. Any
// client that may announce can cause one, so it proves nothing about the record, and its versions are only claims.
type invalidation struct {
	event            uint64              // when it was received, as a number of the tracker's events; 0: never
	position         membership.Position // of the last announcement received in the stream; zero: none
	version          uint64              // announced at that position; 0: none
	receivedAt       time.Time           // by the local clock
	outsideStreamAt  time.Time           // when an announcement was last received outside the stream; zero: never
	maxVersion       uint64              // the greatest version announced anywhere
	maxStreamVersion uint64              // the greatest version announced in the stream
	unmetVersion     uint64              // the greatest announced version that the origin did not have when asked again
	unmetAt          time.Time           // when the origin was found not to have it
}

// MaxInvalidations limits how many records' invalidations are remembered.
const MaxInvalidations = 200_000

// invalidations remembers announced changes for as long as records fetched before them may be cached.
//
// Records are identified by a hash, because announced ids can be long and numerous. Two records with the same hash invalidate
// each other.
type invalidations struct {
	seed      maphash.Seed
	byHash    map[uint64]invalidation
	order     []received // oldest first
	retention time.Duration

	everything        invalidation
	everyOrganization invalidation // a location of an unknown organization has changed
	anyUser           invalidation // some user has changed: an absent account may exist now
	evicted           invalidation // the newest invalidation dropped because of the limit
	lastLocationEvent uint64       // the event of the last change of a location
	locations         locationChanges
}

// received is an invalidation in the order of arrival.
type received struct {
	hash  uint64
	event uint64
	at    time.Time
}

func newInvalidations(retention time.Duration) *invalidations {
	return &invalidations{seed: maphash.MakeSeed(), byHash: map[uint64]invalidation{}, retention: retention}
}

func (m *invalidations) hash(key membership.Key) uint64 { return maphash.Comparable(m.seed, key) }

// own returns the invalidation of the record itself.
func (m *invalidations) own(key membership.Key) invalidation { return m.byHash[m.hash(key)] }

// relevant returns every invalidation that applies to a record. The record is stale if it was fetched before any of
// them.
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

// add remembers a change. After a change of a location, an organization's record is stale if it lists the location or is
// the named organization. If no organization is named, every organization's record is stale, because the location may
// now be in any of them.
func (m *invalidations) add(c pdp.Change, i invalidation) {
	switch c.Kind {
	case pdp.UserChanged:
		m.anyUser.replace(i)
		i.version = c.Version
		m.set(membership.Key{Kind: membership.UserRecord, ID: c.ID}, i)
	case pdp.LocationChanged:
		m.lastLocationEvent = i.event
		m.locations.add(c, i)
		location, organization := i, i
		if c.Organization == "" {
			m.everyOrganization.replace(i)
			location.version = c.Version // of the organization that lists it
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

// evict drops invalidations older than the retention, and the oldest ones above the limit.
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
	m.order = m.order[n:] // copying the slice for each announcement would be expensive
}

func (m *invalidations) claimUnmet(key membership.Key, now time.Time) {
	hash := m.hash(key)
	if i, ok := m.byHash[hash]; ok {
		i.unmetVersion, i.unmetAt = i.maxVersion, now
		m.byHash[hash] = i
	}
}

// merge returns what to remember after another invalidation of the same record arrives. They can arrive in any order.
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

// includes reports whether the position of the other invalidation is already known. A sidecar receives its own
// announcements twice: when it makes them, and in the stream.
func (i invalidation) includes(other invalidation) bool {
	return i.position.Epoch != "" && i.position.Epoch == other.position.Epoch && i.position.Sequence >= other.position.Sequence
}

// replace merges an invalidation that applies to more than one record and so has no versions.
func (i *invalidation) replace(next invalidation) {
	*i = i.merge(next)
	i.version, i.maxVersion, i.maxStreamVersion, i.unmetVersion = 0, 0, 0, 0
}
