package freshness

import (
	"iter"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// checkAnyAge checks a record with a maximum age that no test reaches.
func checkAnyAge(f *Tracker, e *Provenance) (Verdict, bool) { return f.Check(e, time.Hour) }

// fetchedElsewhere returns a record that another sidecar has just fetched.
func fetchedElsewhere(at membership.Position) *Provenance {
	return userRecord(Provenance{Stamp: membership.Stamp{AsOf: time.Now(), At: at}}, 1)
}

// While heartbeats arrive, the stream confirms records fetched in its epoch from the floor on.
func TestStreamConfirms(t *testing.T) {
	synctest.Test(t, func(*testing.T) {
		f := NewTracker(Config{Confirmer: ConfirmedByStream, Lease: time.Second, Retention: 20 * time.Minute})
		s := streamHandler{f}
		confirmed := func(e *Provenance) bool {
			_, ok := checkAnyAge(f, e)
			return ok
		}
		assert.False(t, confirmed(userRecord(f.BeginFetch(), 1)), "the stream has not begun")
		assert.False(t, confirmed(fetchedElsewhere(membership.Position{})))
		s.Began(membership.Position{Epoch: "e", Sequence: 9}, membership.Position{Epoch: "e", Sequence: 7}, nil, time.Now())
		assert.True(t, confirmed(userRecord(f.BeginFetch(), 1)))
		assert.True(t, confirmed(fetchedElsewhere(membership.Position{Epoch: "e", Sequence: 7})))
		assert.True(t, confirmed(fetchedElsewhere(membership.Position{Epoch: "e", Sequence: 12})), "the other sidecar is ahead")
		assert.False(t, confirmed(fetchedElsewhere(membership.Position{Epoch: "e", Sequence: 6})), "it is before the floor")
		assert.False(t, confirmed(fetchedElsewhere(membership.Position{Epoch: "d", Sequence: 8})), "another epoch")
		assert.False(t, confirmed(fetchedElsewhere(membership.Position{})), "the other sidecar did not follow the stream")
		time.Sleep(time.Millisecond)
		ownRecord, otherRecord := userRecord(f.BeginFetch(), 1), fetchedElsewhere(membership.Position{Epoch: "e", Sequence: 9})
		time.Sleep(time.Second - time.Millisecond)
		assert.True(t, confirmed(ownRecord))
		time.Sleep(time.Millisecond)
		assert.False(t, confirmed(ownRecord), "the lease is over")
		assert.False(t, confirmed(otherRecord))
		v, _ := checkAnyAge(f, ownRecord)
		assert.Equal(t, Unconfirmed, v)
		assert.Zero(t, f.BeginFetch().At, "a fetch that begins now has no position")
		later := userRecord(f.BeginFetch(), 1)
		v, _ = checkAnyAge(f, later)
		assert.Equal(t, Fresh, v, "by age, since it was fetched after the last heartbeat")
		s.Heartbeat(time.Now())
		assert.True(t, confirmed(ownRecord), "the stream was not broken")
		s.Heartbeat(time.Now().Add(-time.Hour))
		assert.True(t, confirmed(ownRecord), "an old heartbeat changes nothing")
		s.Lost(nil)
		v, ok := checkAnyAge(f, ownRecord)
		assert.Equal(t, Unconfirmed, v)
		assert.False(t, ok)
		s.Began(membership.Position{Epoch: "e", Sequence: 9}, membership.Position{Epoch: "e", Sequence: 7}, nil, time.Now())
		assert.False(t, confirmed(ownRecord), "changes may have been missed")
		assert.True(t, confirmed(otherRecord), "it is after the floor")
	})
}

// Without a position in the same epoch, the clocks are compared. They may differ by a lease.
func TestRecordOfAnotherSidecarIsComparedByPosition(t *testing.T) {
	synctest.Test(t, func(*testing.T) {
		f, s := trackerOfStream()
		fetched := func(after time.Duration, at membership.Position) *Provenance {
			e := fetchedElsewhere(at)
			e.AsOf = time.Now().Add(after)
			return e
		}
		s.Changed(membership.Announcement{At: membership.Position{Epoch: "e", Sequence: 5}, Changes: changed(0)})
		for _, one := range []struct {
			what string
			e    *Provenance
			want Verdict
		}{
			{"after it in the stream", fetched(0, membership.Position{Epoch: "e", Sequence: 5}), Fresh},
			{"before it in the stream", fetched(2*time.Second, membership.Position{Epoch: "e", Sequence: 4}), Stale},
			{"in another stream, long after", fetched(1001*time.Millisecond, membership.Position{Epoch: "d", Sequence: 9}), Fresh},
			{"in another stream, shortly after", fetched(time.Second, membership.Position{Epoch: "d", Sequence: 9}), Stale},
			{"in none, shortly after", fetched(time.Second, membership.Position{}), Stale},
			{"in none, before", fetched(-time.Second, membership.Position{}), Stale},
		} {
			v, _ := checkAnyAge(f, one.e)
			assert.Equal(t, one.want, v, one.what)
		}
	})
}

// The watcher confirms records fetched since it began. Records fetched by another sidecar must be a lease newer by its
// clock.
func TestWatcherConfirms(t *testing.T) {
	synctest.Test(t, func(*testing.T) {
		f := NewTracker(Config{Confirmer: ConfirmedByOrigin, Lease: time.Second, Retention: 20 * time.Minute})
		before := userRecord(f.BeginFetch(), 1)
		time.Sleep(time.Millisecond)
		changeHandler{f}.Began(time.Now(), "")
		confirmed := func(e *Provenance, after time.Duration) bool {
			e.AsOf = e.AsOf.Add(after)
			_, ok := checkAnyAge(f, e)
			return ok
		}
		assert.False(t, confirmed(before, 0))
		assert.True(t, confirmed(userRecord(f.BeginFetch(), 1), 0))
		assert.False(t, confirmed(fetchedElsewhere(membership.Position{}), time.Second))
		assert.True(t, confirmed(fetchedElsewhere(membership.Position{}), 1001*time.Millisecond))
		changeHandler{f}.Lost(nil)
		assert.False(t, confirmed(fetchedElsewhere(membership.Position{}), 1001*time.Millisecond))
	})
}

func TestReachedWhileStreamIsLive(t *testing.T) {
	synctest.Test(t, func(*testing.T) {
		f, s := trackerOfStream()
		s.Changed(membership.Announcement{At: membership.Position{Epoch: "e", Sequence: 5}, Changes: changed(0)})
		assert.True(t, f.Reached(membership.Position{Epoch: "e", Sequence: 5}))
		assert.False(t, f.Reached(membership.Position{Epoch: "e", Sequence: 6}))
		assert.False(t, f.Reached(membership.Position{Epoch: "d", Sequence: 5}))
		time.Sleep(1001 * time.Millisecond)
		assert.False(t, f.Reached(membership.Position{Epoch: "e", Sequence: 5}))
		s.Heartbeat(time.Now())
		assert.True(t, f.Reached(membership.Position{Epoch: "e", Sequence: 5}))
	})
}

func TestAnnouncementInvalidatesRelatedRecords(t *testing.T) {
	kinds := map[string]membership.Key{
		"jane": {Kind: membership.UserRecord, ID: "jane"}, "joe": {Kind: membership.UserRecord, ID: "joe"}, "somebody's username": {Kind: membership.UsernamePointer, ID: "joe@example.org"},
		"metro": {Kind: membership.OrganizationRecord, ID: "metro"}, "smile": {Kind: membership.OrganizationRecord, ID: "smile"}, "ghi": {Kind: membership.LocationPointer, ID: "ghi"}, "new": {Kind: membership.LocationPointer, ID: "new"},
	}
	lists := map[string][]string{"metro": {"metro", "ghi"}, "smile": {"smile"}}
	for name, one := range map[string]struct {
		change pdp.Change
		want   []string
	}{
		"a user":                          {pdp.Change{Kind: pdp.UserChanged, ID: "jane"}, []string{"jane", "somebody's username"}},
		"a location in its organization":  {pdp.Change{Kind: pdp.LocationChanged, ID: "ghi", Organization: "metro"}, []string{"metro", "ghi"}},
		"a location in another one":       {pdp.Change{Kind: pdp.LocationChanged, ID: "ghi", Organization: "smile"}, []string{"metro", "smile", "ghi"}},
		"a new location":                  {pdp.Change{Kind: pdp.LocationChanged, ID: "new", Organization: "smile"}, []string{"smile", "new"}},
		"a location without organization": {pdp.Change{Kind: pdp.LocationChanged, ID: "ghi"}, []string{"metro", "smile", "ghi", "new"}},
		"a new one without organization":  {pdp.Change{Kind: pdp.LocationChanged, ID: "other"}, []string{"metro", "smile", "ghi", "new"}},
		"anything":                        {pdp.Change{Kind: pdp.AnythingChanged}, []string{"jane", "joe", "somebody's username", "metro", "smile", "ghi", "new"}},
	} {
		synctest.Test(t, func(*testing.T) {
			f := NewTracker(Config{Confirmer: ConfirmedByStream, Lease: time.Second, Retention: 20 * time.Minute})
			streamHandler{f}.Began(membership.Position{Epoch: "e", Sequence: 0}, membership.Position{Epoch: "e", Sequence: 0}, nil, time.Now())
			records := map[string]*Provenance{}
			for what, key := range kinds {
				began := f.BeginFetch()
				e := &began
				e.Key = key
				e.Absent = key.Kind == membership.UsernamePointer || key.Kind == membership.LocationPointer
				e.TTL = time.Hour
				if key.Kind == membership.OrganizationRecord {
					e.Locations = NewLocationSet(locationIDs(lists[key.ID]))
				}
				records[what] = e
			}
			f.Invalidate([]pdp.Change{one.change}, membership.Position{Epoch: "e", Sequence: 1})
			var got []string
			for what, e := range records {
				if v, _ := checkAnyAge(f, e); v == Stale {
					got = append(got, what)
				}
			}
			assert.ElementsMatch(t, one.want, got, name)
		})
	}
}

// A version announced without an organization applies to whatever organization lists the location.
func TestVersionAnnouncedWithoutOrganization(t *testing.T) {
	synctest.Test(t, func(*testing.T) {
		f, s := trackerOfStream()
		organization := func(root string, version uint64, locations ...string) *Provenance {
			p := f.BeginFetch()
			p.Key, p.Version, p.TTL = membership.Key{Kind: membership.OrganizationRecord, ID: root}, version, time.Hour
			p.Locations = NewLocationSet(locationIDs(locations))
			return &p
		}
		at := membership.Position{Epoch: "e", Sequence: 1}
		s.Changed(membership.Announcement{At: at, Changes: []pdp.Change{{Kind: pdp.LocationChanged, ID: "ghi", Version: 7}}})
		for _, c := range []struct {
			what  string
			p     *Provenance
			older bool
		}{
			{"lists it, with an older version", organization("metro", 6, "metro", "ghi"), true},
			{"lists it, with that version", organization("metro", 7, "metro", "ghi"), false},
			{"does not list it", organization("smile", 6, "smile"), false},
			{"has its id", organization("ghi", 6, "ghi"), true},
		} {
			for range 2 { // the second check uses the result of the first
				v, confirmed := checkAnyAge(f, c.p)
				assert.NotEqual(t, Stale, v, c.what)
				assert.Equal(t, !c.older, confirmed, c.what)
				assert.Equal(t, c.older, f.BelowMinVersion(c.p, []membership.Position{at}), c.what)
				newer, retry := f.ClaimedNewer(c.p)
				assert.Equal(t, c.older, newer, c.what)
				assert.Equal(t, c.older, retry, c.what)
			}
		}
		lagging := organization("metro", 6, "metro", "ghi")
		f.ClaimUnmet(lagging)
		newer, retry := f.ClaimedNewer(lagging)
		assert.True(t, newer)
		assert.False(t, retry, "the origin has been asked again, and does not have it")
	})
}

type locationIDs []string

func (l locationIDs) IDs() iter.Seq[string] { return slices.Values(l) }

func (l locationIDs) Has(id string) bool { return slices.Contains(l, id) }
