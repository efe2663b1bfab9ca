package freshness

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// trackerOfStream returns a tracker that follows a stream.
func trackerOfStream() (*Tracker, streamHandler) {
	f := NewTracker(Config{Confirmer: ConfirmedByStream, Lease: time.Second, Retention: 20 * time.Minute})
	s := streamHandler{f}
	s.Began(membership.Position{Epoch: "e", Sequence: 0}, membership.Position{Epoch: "e", Sequence: 0}, nil, time.Now())
	return f, s
}

func userRecord(k Provenance, version uint64) *Provenance {
	k.Version, k.TTL, k.Key = version, time.Hour, membership.Key{Kind: membership.UserRecord, ID: "jane"}
	return &k
}

func changed(version uint64) []pdp.Change {
	return []pdp.Change{{Kind: pdp.UserChanged, ID: "jane", Version: version}}
}

// An invalidation is not undone by another one that arrives before or after it.
func TestInvalidationsMayArriveInAnyOrder(t *testing.T) {
	at := func(n uint64) membership.Position { return membership.Position{Epoch: "e", Sequence: n} }
	verdictOf := func(f *Tracker, e *Provenance) Verdict {
		v, _ := f.Check(e, time.Hour)
		return v
	}

	t.Run("an older version after a change without one", func(t *testing.T) {
		synctest.Test(t, func(*testing.T) {
			f, s := trackerOfStream()
			before := userRecord(f.BeginFetch(), 3)
			s.Changed(membership.Announcement{At: at(1), Changes: changed(0)}) // to version 4
			assert.Equal(t, Stale, verdictOf(f, before))
			s.Changed(membership.Announcement{At: at(2), Changes: changed(3)}) // arrives late
			assert.Equal(t, Stale, verdictOf(f, before))
			assert.Equal(t, Fresh, verdictOf(f, userRecord(f.BeginFetch(), 4)))
		})
	})

	t.Run("an unversioned change received after a later versioned one", func(t *testing.T) {
		synctest.Test(t, func(*testing.T) {
			f, s := trackerOfStream()
			before := userRecord(f.BeginFetch(), 3)
			f.Invalidate(changed(3), at(2)) // announced here
			s.Changed(membership.Announcement{At: at(1), Changes: changed(0)})
			assert.Equal(t, Stale, verdictOf(f, before))
		})
	})

	t.Run("a versioned change received after a later unversioned one", func(t *testing.T) {
		synctest.Test(t, func(*testing.T) {
			f, s := trackerOfStream()
			f.Invalidate(changed(0), at(2)) // announced here
			s.Changed(membership.Announcement{At: at(1), Changes: changed(9)})
			time.Sleep(time.Millisecond)
			v, confirmed := checkAnyAge(f, userRecord(f.BeginFetch(), 8))
			assert.Equal(t, Fresh, v, "the origin has the last word")
			assert.False(t, confirmed, "the origin may lag")
			v, confirmed = checkAnyAge(f, userRecord(f.BeginFetch(), 9))
			assert.Equal(t, Fresh, v)
			assert.True(t, confirmed)
		})
	})

	t.Run("a change from the origin, and then one from the stream", func(t *testing.T) {
		synctest.Test(t, func(*testing.T) {
			f, s := trackerOfStream()
			elsewhere := userRecord(Provenance{Stamp: membership.Stamp{AsOf: time.Now(), At: at(1)}}, 0)
			changeHandler{f}.Changed(changed(0))
			s.Changed(membership.Announcement{At: at(1), Changes: changed(0)}) // only this announcement was known to the other sidecar
			assert.Equal(t, Stale, verdictOf(f, elsewhere))
			time.Sleep(3 * time.Second)
			s.Heartbeat(time.Now())
			assert.Equal(t, Fresh, verdictOf(f, userRecord(Provenance{Stamp: membership.Stamp{AsOf: time.Now(), At: at(1)}}, 0)))
		})
	})
}

// Evicted invalidations make every record stale that may be older than them.
func TestInvalidationsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _ := trackerOfStream()
		before := userRecord(f.BeginFetch(), 3)
		f.Invalidate(changed(0), membership.Position{})
		between := userRecord(f.BeginFetch(), 3)
		var many []pdp.Change
		for i := range 2 * MaxInvalidations {
			many = append(many, pdp.Change{Kind: pdp.UserChanged, ID: fmt.Sprint("user", i)})
		}
		f.Invalidate(many, membership.Position{})
		assert.LessOrEqual(t, len(f.invalidations.byHash), MaxInvalidations)
		assert.LessOrEqual(t, len(f.invalidations.order), MaxInvalidations)
		for _, e := range []*Provenance{before, between} {
			v, _ := f.Check(e, time.Hour)
			assert.Equal(t, Stale, v)
		}
		v, _ := f.Check(userRecord(f.BeginFetch(), 3), time.Hour)
		assert.Equal(t, Fresh, v)
		time.Sleep(21 * time.Minute)
		f.Invalidate(changed(0), membership.Position{})
		assert.Len(t, f.invalidations.byHash, 1, "expired invalidations are dropped")
	})
}

// Synthetic versions cannot be compared with announced ones.
func TestSyntheticVersionIsNotCompared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := trackerOfStream()
		began := f.BeginFetch()
		began.Synthetic = true
		before := userRecord(began, 1<<50)
		s.Changed(membership.Announcement{At: membership.Position{Epoch: "e", Sequence: 1}, Changes: changed(5)})
		v, _ := checkAnyAge(f, before)
		assert.Equal(t, Stale, v)
		began = f.BeginFetch()
		began.Synthetic = true
		v, _ = checkAnyAge(f, userRecord(began, 3))
		assert.Equal(t, Fresh, v)
	})
}

// Memory is limited however many unknown ids are announced, and other records are fetched again only once.
func TestManyAnnouncedIDsStayBounded(t *testing.T) {
	synctest.Test(t, func(*testing.T) {
		f, s := trackerOfStream()
		time.Sleep(time.Millisecond)
		before := userRecord(f.BeginFetch(), 3)
		long := strings.Repeat("x", 1000)
		for i := range MaxInvalidations/membership.MaxChanges + 1 {
			changes := make([]pdp.Change, membership.MaxChanges)
			for j := range changes {
				changes[j] = pdp.Change{Kind: pdp.UserChanged, ID: fmt.Sprint(long, i, "-", j), Version: pdp.MaxVersion}
			}
			s.Changed(membership.Announcement{At: membership.Position{Epoch: "e", Sequence: uint64(i + 1)}, Changes: changes})
		}
		v, _ := checkAnyAge(f, before)
		assert.Equal(t, Stale, v)
		v, confirmed := checkAnyAge(f, userRecord(f.BeginFetch(), 3))
		assert.Equal(t, Fresh, v)
		assert.True(t, confirmed)
		assert.LessOrEqual(t, len(f.invalidations.byHash), MaxInvalidations)
	})
}
