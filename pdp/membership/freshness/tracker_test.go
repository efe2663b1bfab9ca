package freshness

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// checkAnyAge judges a record whatever its age, and says whether it is vouched for.
func checkAnyAge(f *Tracker, e *Provenance) (Verdict, bool) { return f.Check(e, time.Hour) }

// fetchedElsewhere is a fact that another sidecar fetched now.
func fetchedElsewhere(at membership.Position) *Provenance {
	return userFact(Provenance{Stamp: membership.Stamp{AsOf: time.Now(), At: at}}, 1)
}

// TestStreamConfirms: for what was fetched in the stream's life, behind what is known of it, while it is heard.
func TestStreamConfirms(t *testing.T) {
	synctest.Test(t, func(*testing.T) {
		f := NewTracker(Config{Confirmer: ConfirmedByStream, Lease: time.Second, Retention: 20 * time.Minute, RootOf: func(string) string { return "" }})
		s := streamHandler{f}
		confirmed := func(e *Provenance) bool {
			_, ok := checkAnyAge(f, e)
			return ok
		}
		assert.False(t, confirmed(userFact(f.BeginFetch(), 1)), "nothing is heard yet")
		assert.False(t, confirmed(fetchedElsewhere(membership.Position{})))
		s.Began(membership.Position{Epoch: "e", Sequence: 9}, membership.Position{Epoch: "e", Sequence: 7}, nil, time.Now())
		assert.True(t, confirmed(userFact(f.BeginFetch(), 1)))
		assert.True(t, confirmed(fetchedElsewhere(membership.Position{Epoch: "e", Sequence: 7})))
		assert.True(t, confirmed(fetchedElsewhere(membership.Position{Epoch: "e", Sequence: 12})), "whoever fetched it is ahead")
		assert.False(t, confirmed(fetchedElsewhere(membership.Position{Epoch: "e", Sequence: 6})), "what came after it is not known any more")
		assert.False(t, confirmed(fetchedElsewhere(membership.Position{Epoch: "d", Sequence: 8})), "another life of the stream")
		assert.False(t, confirmed(fetchedElsewhere(membership.Position{})), "whoever fetched it did not hear the stream")
		time.Sleep(time.Millisecond)
		mine, theirs := userFact(f.BeginFetch(), 1), fetchedElsewhere(membership.Position{Epoch: "e", Sequence: 9})
		time.Sleep(time.Second - time.Millisecond)
		assert.True(t, confirmed(mine))
		time.Sleep(time.Millisecond)
		assert.False(t, confirmed(mine), "the lease is over")
		assert.False(t, confirmed(theirs))
		v, _ := checkAnyAge(f, mine)
		assert.Equal(t, Unconfirmed, v)
		assert.Zero(t, f.BeginFetch().At, "nobody could say what a fetch knows that begins now")
		later := userFact(f.BeginFetch(), 1)
		v, _ = checkAnyAge(f, later)
		assert.Equal(t, Fresh, v, "by its age, for it is from after the silence began")
		s.Heartbeat(time.Now())
		assert.True(t, confirmed(mine), "the stream was not broken")
		s.Heartbeat(time.Now().Add(-time.Hour))
		assert.True(t, confirmed(mine), "an old beat says nothing")
		s.Lost(nil)
		v, ok := checkAnyAge(f, mine)
		assert.Equal(t, Unconfirmed, v)
		assert.False(t, ok)
		s.Began(membership.Position{Epoch: "e", Sequence: 9}, membership.Position{Epoch: "e", Sequence: 7}, nil, time.Now())
		assert.False(t, confirmed(mine), "it is not known what was missed")
		assert.True(t, confirmed(theirs), "and yet it is, behind the floor")
	})
}

// TestRecordOfAnotherSidecarIsComparedByPosition is told by its place in the stream, else by the clock, with a lease to spare.
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
			{"behind it in the stream", fetched(0, membership.Position{Epoch: "e", Sequence: 5}), Fresh},
			{"before it in the stream", fetched(2*time.Second, membership.Position{Epoch: "e", Sequence: 4}), Stale},
			{"in another stream, long after", fetched(1001*time.Millisecond, membership.Position{Epoch: "d", Sequence: 9}), Fresh},
			{"in another stream, hardly after", fetched(time.Second, membership.Position{Epoch: "d", Sequence: 9}), Stale},
			{"in none, hardly after", fetched(time.Second, membership.Position{}), Stale},
			{"in none, before", fetched(-time.Second, membership.Position{}), Stale},
		} {
			v, _ := checkAnyAge(f, one.e)
			assert.Equal(t, one.want, v, one.what)
		}
	})
}

// TestWatcherConfirms: for what was fetched since the origin is heard, by another sidecar's clock with a lease to spare.
func TestWatcherConfirms(t *testing.T) {
	synctest.Test(t, func(*testing.T) {
		f := NewTracker(Config{Confirmer: ConfirmedByOrigin, Lease: time.Second, Retention: 20 * time.Minute, RootOf: func(string) string { return "" }})
		before := userFact(f.BeginFetch(), 1)
		time.Sleep(time.Millisecond)
		changeHandler{f}.Began(time.Now(), "")
		confirmed := func(e *Provenance, after time.Duration) bool {
			e.AsOf = e.AsOf.Add(after)
			_, ok := checkAnyAge(f, e)
			return ok
		}
		assert.False(t, confirmed(before, 0))
		assert.True(t, confirmed(userFact(f.BeginFetch(), 1), 0))
		assert.False(t, confirmed(fetchedElsewhere(membership.Position{}), time.Second))
		assert.True(t, confirmed(fetchedElsewhere(membership.Position{}), 1001*time.Millisecond))
		changeHandler{f}.Lost(nil)
		assert.False(t, confirmed(fetchedElsewhere(membership.Position{}), 1001*time.Millisecond))
	})
}

// TestReachedWhileStreamIsLive in this life of the stream, while it is heard.
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

// TestWhatAnAnnouncementInvalidates: what an announcement makes stale beside the record that it names.
func TestWhatAnAnnouncementInvalidates(t *testing.T) {
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
