package relay

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// standbyOf returns which sidecar stands by.
func (f *fleet) standbyOf(t *testing.T) int {
	t.Helper()
	for i, s := range f.sidecars {
		if s.Status().Standby {
			return i
		}
	}
	require.Fail(t, "no sidecar stands by")
	return -1
}

// A leader that does not tell of changes is replaced by the standby, which tells of them before that. Nobody begins anew: what was
// confirmed is confirmed on.
func TestStandbyTakesThePlaceOfTheLeader(t *testing.T) {
	for name, fail := range map[string]func(*fleet, int){
		"it ends": func(f *fleet, i int) { f.stops[i]() },
		"it is stopped": func(f *fleet, i int) {
			f.sidecars[i].set(func() { f.sidecars[i].paused = time.Now().Add(20 * time.Second) })
		},
		"cut off from everything": func(f *fleet, i int) {
			f.sidecars[i].set(func() { f.sidecars[i].noRed, f.sidecars[i].noDB = true, true })
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := startFleet(4, 20)
				defer f.stop()
				f.waitConfirmed(t, -1)
				time.Sleep(5 * time.Second)
				leader, standby := f.leaderOtherThan(-1), f.standbyOf(t)
				begins := make([]int, len(f.witnesses))
				for i, w := range f.witnesses {
					begins[i] = w.beganTimes()
				}
				fail(f, leader)
				f.db.commit()
				number := len(f.db.committed) - 1
				told := func() bool {
					f.redis.mu.Lock()
					defer f.redis.mu.Unlock()
					for _, a := range f.redis.log {
						if a.Changes[0].ID == fmt.Sprint(number) {
							return true
						}
					}
					return false
				}
				took := time.Duration(0)
				for ; !told(); took += 10 * time.Millisecond {
					time.Sleep(10 * time.Millisecond)
				}
				t.Logf("the change was told after %v", took)
				assert.Less(t, took, lease-200*time.Millisecond, "before the leader's lease is over")
				time.Sleep(4 * lease)
				assert.Equal(t, standby, f.leaderOtherThan(leader))
				for i, w := range f.witnesses {
					if i != leader {
						for tries := 0; tries < 100 && !w.isConfirmed(); tries++ {
							time.Sleep(10 * time.Millisecond)
						}
						assert.True(t, w.isConfirmed())
						assert.Equal(t, begins[i], w.beganTimes(), "sidecar %d", i)
					}
				}
				time.Sleep(20 * time.Second)
				f.waitConfirmed(t, leader)
				f.stop()
				f.assertNoViolations(t)
			})
		})
	}
}

// tellings is a stream that notes what is put into it, and fails at first.
type tellings struct {
	membership.Stream
	mu    sync.Mutex
	fails int
	told  []string
}

func (s *tellings) Announce(_ context.Context, changes []pdp.Change) (membership.Position, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails > 0 {
		s.fails--
		return membership.Position{}, errDown
	}
	for _, c := range changes {
		s.told = append(s.told, c.ID)
	}
	return membership.Position{}, nil
}

func (s *tellings) take() (told []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	told, s.told = s.told, nil
	return told
}

// The standby tells of a change that the leader does not tell of, once, and of no other.
func TestStandbyTellsWhatTheLeaderDoesNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := &tellings{}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		l := newListener(New(Config{Stream: stream, Lease: lease}), ctx, cancel, &membership.Term{Role: membership.Standby})
		l.Began(time.Now(), history)
		change := func(id string) []pdp.Change { return []pdp.Change{{Kind: pdp.UserChanged, ID: id}} }
		told := func() []string { time.Sleep(4 * standbyPatience); return stream.take() }

		l.Changed(change("told in time"))
		time.Sleep(standbyPatience / 2)
		l.reported(change("told in time"))
		assert.Empty(t, told())

		l.reported(change("heard late"))
		time.Sleep(2 * standbyPatience)
		l.Changed(change("heard late"))
		assert.Empty(t, told())

		l.Changed(change("told late"))
		time.Sleep(standbyPatience / 2)
		assert.Empty(t, stream.take())
		assert.Equal(t, []string{"told late"}, told())
		l.reported(change("told late")) // its own
		assert.Empty(t, told())

		l.Changed(change("twice"))
		l.Changed(change("twice"))
		l.reported(change("twice"))
		assert.Equal(t, []string{"twice"}, told())

		stream.fails = 2
		l.Changed(change("in vain at first"))
		assert.Equal(t, []string{"in vain at first"}, told())

		l.Changed(change("before a gap"))
		l.resumed(membership.Position{}, []membership.Announcement{{Changes: change("before a gap")}, {Changes: change("long ago")}})
		assert.Empty(t, told())
		l.Changed(change("long ago"))
		assert.Equal(t, []string{"long ago"}, told())

		for range maxPending + 5 {
			l.Changed(change("too many"))
		}
		assert.LessOrEqual(t, len(l.standby.heard), maxPending)
		l.observed(time.Now(), membership.Leadership{}, &follower{}, time.Now().Add(time.Second))
		assert.Empty(t, l.standby.heard, "everything is proven to be in the stream")
		assert.Empty(t, l.standby.waiting)
	})
}

// What was proven is taken up by another term only if its leader had begun to listen by then.
func TestFollowerGoesOnWithAnotherTerm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := membership.Position{Epoch: "e", Sequence: 1}
		var f follower
		observe := func(round uint64, w membership.Watermark) (proven bool) {
			time.Sleep(200 * time.Millisecond)
			w.Through, w.History = at, history
			return !f.observe(time.Now().Add(-time.Millisecond), time.Now(), membership.Leadership{Round: round, Watermark: &w}).IsZero()
		}
		begin := func() {
			f = follower{}
			observe(10, membership.Watermark{Term: "first", Round: 10})
			observe(12, membership.Watermark{Term: "first", Round: 12})
			observe(14, membership.Watermark{Term: "first", Round: 13})
			require.True(t, observe(15, membership.Watermark{Term: "first", Round: 15})) // until the reading that showed 14; before it 12 was seen
			f.since = time.Now().Add(-time.Second)
		}
		next := func(since uint64, began time.Duration, signed bool) membership.Watermark {
			w := membership.Watermark{Term: "second", Round: 17, Since: since}
			if signed {
				w.At, w.Began = time.Now(), time.Now().Add(began)
			}
			return w
		}
		for name, c := range map[string]struct {
			w      func() membership.Watermark
			goesOn bool
		}{
			"it listened before":       {func() membership.Watermark { return next(12, 0, false) }, true},
			"it listened long before":  {func() membership.Watermark { return next(1, 0, false) }, true},
			"perhaps not before":       {func() membership.Watermark { return next(13, 0, false) }, false},
			"later":                    {func() membership.Watermark { return next(16, 0, false) }, false},
			"unknown":                  {func() membership.Watermark { return next(0, 0, false) }, false},
			"before, by its clock too": {func() membership.Watermark { return next(12, -time.Second, true) }, true},
			"later by its clock":       {func() membership.Watermark { return next(12, -100*time.Millisecond, true) }, false},
		} {
			begin()
			assert.Equal(t, c.goesOn, observe(18, c.w()), name)
			assert.Equal(t, c.goesOn, !f.since.IsZero(), name)
			assert.Equal(t, "second", f.term)
		}
		begin()
		observe(3, membership.Watermark{Term: "second", Round: 3, Since: 1})
		assert.Zero(t, f.since, "the data were replaced")
	})
}
