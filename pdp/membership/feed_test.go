package membership

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// ageless judges a record whatever its age, and says whether it is vouched for.
func ageless(f *feed, e *record) (verdict, bool) { return f.judge(e, time.Hour, time.Now()) }

// foreign is a fact that another sidecar fetched now.
func foreign(at position) *record { return userFact(fact{stamp: stamp{asOf: time.Now(), at: at}}, 1) }

// TestVouchingByTheStream: for what was fetched in the stream's life, behind what is known of it, while it is heard.
func TestVouchingByTheStream(t *testing.T) {
	synctest.Test(t, func(*testing.T) {
		f := newFeed(byStreaming, time.Second, 20*time.Minute, func(string) string { return "" })
		s := streaming{f}
		vouched := func(e *record) bool {
			_, ok := ageless(f, e)
			return ok
		}
		assert.False(t, vouched(userFact(f.start(), 1)), "nothing is heard yet")
		assert.False(t, vouched(foreign(position{})))
		s.began(position{"e", 9}, position{"e", 7}, nil, time.Now())
		assert.True(t, vouched(userFact(f.start(), 1)))
		assert.True(t, vouched(foreign(position{"e", 7})))
		assert.True(t, vouched(foreign(position{"e", 12})), "whoever fetched it is ahead")
		assert.False(t, vouched(foreign(position{"e", 6})), "what came after it is not known any more")
		assert.False(t, vouched(foreign(position{"d", 8})), "another life of the stream")
		assert.False(t, vouched(foreign(position{})), "whoever fetched it did not hear the stream")
		time.Sleep(time.Millisecond)
		mine, theirs := userFact(f.start(), 1), foreign(position{"e", 9})
		time.Sleep(time.Second - time.Millisecond)
		assert.True(t, vouched(mine))
		time.Sleep(time.Millisecond)
		assert.False(t, vouched(mine), "the lease is over")
		assert.False(t, vouched(theirs))
		v, _ := ageless(f, mine)
		assert.Equal(t, suspect, v)
		assert.Zero(t, f.start().at, "nobody could say what a fetch knows that begins now")
		later := userFact(f.start(), 1)
		v, _ = ageless(f, later)
		assert.Equal(t, good, v, "by its age, for it is from after the silence began")
		s.beat(time.Now())
		assert.True(t, vouched(mine), "the stream was not broken")
		s.beat(time.Now().Add(-time.Hour))
		assert.True(t, vouched(mine), "an old beat says nothing")
		s.lost(nil)
		v, ok := ageless(f, mine)
		assert.Equal(t, suspect, v)
		assert.False(t, ok)
		s.began(position{"e", 9}, position{"e", 7}, nil, time.Now())
		assert.False(t, vouched(mine), "it is not known what was missed")
		assert.True(t, vouched(theirs), "and yet it is, behind the floor")
	})
}

// TestWhatAForeignFactKnows is told by its place in the stream, else by the clock, with a lease to spare.
func TestWhatAForeignFactKnows(t *testing.T) {
	synctest.Test(t, func(*testing.T) {
		f, s := markedFeed()
		fetched := func(after time.Duration, at position) *record {
			e := foreign(at)
			e.asOf = time.Now().Add(after)
			return e
		}
		s.changed(announced{position{"e", 5}, changed(0)})
		for _, one := range []struct {
			what string
			e    *record
			want verdict
		}{
			{"behind it in the stream", fetched(0, position{"e", 5}), good},
			{"before it in the stream", fetched(2*time.Second, position{"e", 4}), stale},
			{"in another stream, long after", fetched(1001*time.Millisecond, position{"d", 9}), good},
			{"in another stream, hardly after", fetched(time.Second, position{"d", 9}), stale},
			{"in none, hardly after", fetched(time.Second, position{}), stale},
			{"in none, before", fetched(-time.Second, position{}), stale},
		} {
			v, _ := ageless(f, one.e)
			assert.Equal(t, one.want, v, one.what)
		}
	})
}

// TestVouchingByListening: for what was fetched since the origin is heard, by another sidecar's clock with a lease to spare.
func TestVouchingByListening(t *testing.T) {
	synctest.Test(t, func(*testing.T) {
		f := newFeed(byListening, time.Second, 20*time.Minute, func(string) string { return "" })
		before := userFact(f.start(), 1)
		time.Sleep(time.Millisecond)
		listened{f}.Began(time.Now(), "")
		vouched := func(e *record, after time.Duration) bool {
			e.asOf = e.asOf.Add(after)
			_, ok := ageless(f, e)
			return ok
		}
		assert.False(t, vouched(before, 0))
		assert.True(t, vouched(userFact(f.start(), 1), 0))
		assert.False(t, vouched(foreign(position{}), time.Second))
		assert.True(t, vouched(foreign(position{}), 1001*time.Millisecond))
		listened{f}.Lost(nil)
		assert.False(t, vouched(foreign(position{}), 1001*time.Millisecond))
	})
}

// TestWhatIsKnownOfATokenIsHeard in this life of the stream, while it is heard.
func TestWhatIsKnownOfATokenIsHeard(t *testing.T) {
	synctest.Test(t, func(*testing.T) {
		f, s := markedFeed()
		s.changed(announced{position{"e", 5}, changed(0)})
		assert.True(t, f.knows(position{"e", 5}))
		assert.False(t, f.knows(position{"e", 6}))
		assert.False(t, f.knows(position{"d", 5}))
		time.Sleep(1001 * time.Millisecond)
		assert.False(t, f.knows(position{"e", 5}))
		s.beat(time.Now())
		assert.True(t, f.knows(position{"e", 5}))
	})
}

// TestWhatConcernsWhat: what an announcement makes stale beside the record that it names.
func TestWhatConcernsWhat(t *testing.T) {
	kinds := map[string]recordKey{
		"jane": {userRecord, "jane"}, "joe": {userRecord, "joe"}, "somebody's username": {usernamePointer, "joe@example.org"},
		"metro": {organizationRecord, "metro"}, "smile": {organizationRecord, "smile"}, "ghi": {locationPointer, "ghi"}, "new": {locationPointer, "new"},
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
			f := newFeed(byStreaming, time.Second, 20*time.Minute, func(l string) string { return roots[l] })
			streaming{f}.began(position{"e", 0}, position{"e", 0}, nil, time.Now())
			records := map[string]*record{}
			for what, key := range kinds {
				e := &record{fact: f.start(), key: key, absent: key.kind == usernamePointer || key.kind == locationPointer}
				e.life = time.Hour
				records[what] = e
			}
			f.take([]pdp.Change{one.change}, position{"e", 1})
			var got []string
			for what, e := range records {
				if v, _ := ageless(f, e); v == stale {
					got = append(got, what)
				}
			}
			assert.ElementsMatch(t, one.want, got, name)
		})
	}
}
