package freshness

import (
	"iter"
	"slices"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// Verdict says whether a record may be used.
type Verdict uint8

const (
	Stale       Verdict = iota // must not be used
	Unconfirmed                // should be fetched again, and used only if that fails
	Fresh
)

// Check returns whether a record may be used. maxAge is the maximum age of a record that is not confirmed. confirmed
// reports whether a live subscription proves that the record has not changed.
func (t *Tracker) Check(p *Provenance, maxAge time.Duration) (v Verdict, confirmed bool) {
	now := time.Now()
	if p.Expired(now) {
		return Stale, false
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	relevant := t.invalidations.relevant(p.Key, p.Absent)
	if slices.ContainsFunc(relevant[:], func(i invalidation) bool { return t.invalidates(i, p) }) {
		return Stale, false
	}
	if stale, _ := t.checkLocations(p); stale {
		return Stale, false
	}
	lastKnownGood := p.AsOf
	if t.confirmer != ConfirmedByNone && !t.claimedNewer(p) && t.covered(p) {
		s := t.confirming()
		if s.live(now, t.lease) {
			return Fresh, true
		}
		if s.watermark.After(lastKnownGood) {
			lastKnownGood = s.watermark
		}
	}
	if membership.Elapsed(now, lastKnownGood) > maxAge {
		return Stale, false
	}
	if t.confirmer != ConfirmedByNone && !p.AsOf.After(t.confirming().unconfirmedUntil(now, t.lease)) {
		return Unconfirmed, false
	}
	return Fresh, false
}

// invalidates reports whether the fetch of a record may have missed an announced change. It ignores versions, because an
// announced version can be wrong, and a restored origin assigns the same versions again.
func (t *Tracker) invalidates(i invalidation, p *Provenance) bool {
	switch {
	case i.event == 0:
		return false
	case p.Event > 0:
		return i.event > p.Event
	case !i.outsideStreamAt.IsZero() && !p.AsOf.After(i.outsideStreamAt.Add(t.lease)):
		return true
	case i.position.Epoch != "" && i.position.Epoch == p.At.Epoch:
		return i.position.Sequence > p.At.Sequence
	}
	// Another process fetched the record. Its clock may differ by up to a lease.
	return !p.AsOf.After(i.receivedAt.Add(t.lease))
}

// checkLocations looks for announcements of the locations in an organization's record. If the record was fetched before
// such an announcement, it is stale: the location may have moved to another organization, and the sender of the
// announcement need not have known that the location was here. claims are the keys of the locations that were announced
// with a version but without an organization.
func (t *Tracker) checkLocations(p *Provenance) (stale bool, claims []membership.Key) {
	last := t.invalidations.lastLocationEvent
	if p.Locations == nil || last == 0 {
		return false, nil
	}
	var since uint64
	if known := p.Locations.checked.Load(); known != nil {
		if known.until == last {
			return false, known.claims
		}
		since, claims = known.until, slices.Clone(known.claims)
	}
	check := func(key membership.Key) {
		i := t.invalidations.own(key)
		stale = stale || t.invalidates(i, p)
		if i.maxVersion > 0 && !slices.Contains(claims, key) {
			claims = append(claims, key)
		}
	}
	if keys, ok := t.invalidations.locations.changesOf(p, since); ok {
		for _, key := range keys {
			check(key)
		}
	} else {
		claims = nil
		for id := range p.Locations.IDs() {
			check(membership.Key{Kind: membership.LocationPointer, ID: id})
		}
	}
	if !stale {
		p.Locations.checked.Store(&checkedLocations{until: last, claims: claims})
	}
	return stale, claims
}

// covered reports whether every change since the fetch of a record has been received, up to the watermark.
func (t *Tracker) covered(p *Provenance) bool {
	s := t.confirming()
	switch {
	case t.confirmer == ConfirmedByOrigin && (t.historyMismatch || !p.Absent && p.History != s.history):
		// The record comes from a database other than the one whose changes are reported. An absent record has no history.
		return false
	case p.Event > 0:
		return p.Event >= s.startEvent
	case t.confirmer == ConfirmedByStream:
		return p.At.Epoch != "" && p.At.Epoch == t.position.Epoch && p.At.Sequence >= t.floor.Sequence
	}
	return p.AsOf.After(s.startedAt.Add(t.lease))
}

// claimsNewerThan reports whether a greater version than the record's has been announced.
func (i invalidation) claimsNewerThan(p *Provenance) bool {
	return p.Versioned() && p.Version < i.maxVersion
}

// retryAfter is the minimum time between two repeated fetches for announced versions that the origin does not have. A
// client that announces ever greater versions must not delay every question.
const retryAfter = 5 * time.Second

// claims returns the invalidations that announced versions of a record: its own and, for an organization, those of its
// locations.
func (t *Tracker) claims(p *Provenance) iter.Seq[invalidation] {
	return func(yield func(invalidation) bool) {
		if !yield(t.invalidations.own(p.Key)) {
			return
		}
		_, keys := t.checkLocations(p)
		for _, key := range keys {
			if !yield(t.invalidations.own(key)) {
				return
			}
		}
	}
}

func (t *Tracker) claimedNewer(p *Provenance) bool {
	for i := range t.claims(p) {
		if i.claimsNewerThan(p) {
			return true
		}
	}
	return false
}

// ClaimedNewer reports whether a greater version than the record's has been announced, and whether the record should be
// fetched from the origin again.
func (t *Tracker) ClaimedNewer(p *Provenance) (newer, retry bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for i := range t.claims(p) {
		if i.claimsNewerThan(p) {
			newer = true
			retry = retry || i.maxVersion > i.unmetVersion && membership.Elapsed(time.Now(), i.unmetAt) > retryAfter
		}
	}
	return newer, retry
}

// ClaimUnmet remembers that the origin does not have the greatest announced version of a record.
func (t *Tracker) ClaimUnmet(p *Provenance) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, keys := t.checkLocations(p)
	for _, key := range append(keys[:len(keys):len(keys)], p.Key) {
		t.invalidations.claimUnmet(key, time.Now())
	}
}

// BelowMinVersion reports whether a record is older than the announcements at the given positions of the stream require.
// A later announcement of the same record replaces the requirement. Versions announced outside the stream do not count.
func (t *Tracker) BelowMinVersion(p *Provenance, atLeast []membership.Position) bool {
	if len(atLeast) == 0 {
		return false
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	for i := range t.claims(p) {
		for _, at := range atLeast {
			minVersion := i.maxStreamVersion
			if i.position.Epoch == at.Epoch && i.position.Sequence <= at.Sequence {
				minVersion = i.version
			}
			if p.Versioned() && p.Version < minVersion {
				return true
			}
		}
	}
	return false
}
