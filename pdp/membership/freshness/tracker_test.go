package freshness

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// checkAnyAge checks a record with a maximum age that no test reaches.
func checkAnyAge(f *Tracker, e *Provenance) (Verdict, bool) { return f.Check(e, time.Hour) }

// fetchedElsewhere is a record that another sidecar has just fetched.
func fetchedElsewhere(at membership.Position) *Provenance {
	return userRecord(Provenance{Stamp: membership.Stamp{AsOf: time.Now(), At: at}}, 1)
}

// The stream confirms records fetched in its epoch from the floor on, while heartbeats arrive.
func TestStreamConfirms(t *testing.T) {
	synctest.Test(t, func(*testing.T) {
		f := NewTracker(Config{Confirmer: ConfirmedByStream, Lease: time.Second, Retention: 20 * time.Minute, RootOf: func(string) string { return "" }})
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

// Without a position in the same epoch, the clocks are compared, which may differ by a lease.
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

// The watcher confirms records fetched since it began, by another sidecar's clock only if a lease later.
func TestWatcherConfirms(t *testing.T) {
	synctest.Test(t, func(*testing.T) {
		f := NewTracker(Config{Confirmer: ConfirmedByOrigin, Lease: time.Second, Retention: 20 * time.Minute, RootOf: func(string) string { return "" }})
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
	roots := map[string]string{"ghi": "metro"}
	for name, one := range map[string]struct {
		change pdp.Change
		want   []string
	}{
		"a user":                    {pdp.Change{Kind: pdp.UserChanged, ID: "jane"}, []string{"jane", "somebody's username"}},
		"a location known here":     {pdp.Change{Kind: pdp.LocationChanged, ID: "ghi"}, []string{"metro", "ghi"}},
		"with another organization": {pdp.Change{Kind: pdp.LocationChanged, ID: "ghi", Organization: "smile"}, []string{"metro", "smile", "ghi"}},
		"a location unknown here":   {pdp.Change{Kind: pdp.LocationChanged, ID: "other"}, []string{"metro", "smile", "ghi", "new"}},
		"one in an organization":    {pdp.Change{Kind: pdp.LocationChanged, ID: "new", Organization: "smile"}, []string{"smile", "new"}},
		"anything":                  {pdp.Change{Kind: pdp.AnythingChanged}, []string{"jane", "joe", "somebody's username", "metro", "smile", "ghi", "new"}},
	} {
		synctest.Test(t, func(*testing.T) {
			f := NewTracker(Config{Confirmer: ConfirmedByStream, Lease: time.Second, Retention: 20 * time.Minute, RootOf: func(l string) string { return roots[l] }})
			streamHandler{f}.Began(membership.Position{Epoch: "e", Sequence: 0}, membership.Position{Epoch: "e", Sequence: 0}, nil, time.Now())
			records := map[string]*Provenance{}
			for what, key := range kinds {
				began := f.BeginFetch()
				e := &began
				e.Key = key
				e.Absent = key.Kind == membership.UsernamePointer || key.Kind == membership.LocationPointer
				e.TTL = time.Hour
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
