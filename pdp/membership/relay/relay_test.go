package relay

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// witness receives what a cache would. It checks each claim that nothing was missed against what the database has committed.
type witness struct {
	db *database

	mu                         sync.Mutex
	heard                      map[int]bool
	active                     bool
	since, watermark           time.Time
	next                       int // the first change that has not been checked
	begins, heartbeats, losses int
	violations                 []string
}

func (w *witness) hear(changes []pdp.Change) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range changes {
		number, err := strconv.Atoi(c.ID)
		if err != nil {
			panic(err)
		}
		w.heard[number] = true
	}
}

func (w *witness) isConfirmed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.active && time.Since(w.watermark) <= lease
}

func (w *witness) beganTimes() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.begins
}

// streamWitness receives the stream.
type streamWitness struct{ w *witness }

func (s streamWitness) Began(_, _ membership.Position, tail []membership.Announcement, _ time.Time) {
	for _, a := range tail {
		s.w.hear(a.Changes)
	}
}
func (s streamWitness) Changed(a membership.Announcement) { s.w.hear(a.Changes) }
func (s streamWitness) Heartbeat(time.Time)               {}
func (s streamWitness) Lost(error)                        {}

func (w *witness) Began(at time.Time, got string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if got != history {
		w.violations = append(w.violations, "another history")
	}
	w.active, w.since, w.watermark = true, at, at
	w.begins++
}

func (w *witness) Changed(changes []pdp.Change) { w.hear(changes) }

func (w *witness) Heartbeat(at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.active || at.After(time.Now()) {
		w.violations = append(w.violations, "a heartbeat while lost, or from the future")
	}
	w.heartbeats++
	if at.After(w.watermark) {
		w.watermark = at
	}
	w.db.mu.Lock()
	defer w.db.mu.Unlock()
	for ; w.next < len(w.db.committed) && w.db.committed[w.next].Before(at); w.next++ {
		if committed := w.db.committed[w.next]; committed.After(w.since) && !w.heard[w.next] {
			w.violations = append(w.violations, fmt.Sprintf("all until %v was confirmed, but not change %d of %v before", at, w.next, at.Sub(committed)))
		}
	}
}

func (w *witness) Lost(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil {
		w.violations = append(w.violations, "lost without a reason")
	}
	w.active = false
	w.losses++
}

// fleet is sidecars that share everything.
type fleet struct {
	db        *database
	redis     *shared
	sidecars  []*sidecar
	witnesses []*witness
	stops     []func()
}

func startFleet(seed uint64, size int) *fleet {
	f := &fleet{db: &database{listeners: map[*listening]bool{}}, redis: &shared{}}
	for i := range size {
		s := newSidecar(f.db, f.redis, seed*100+uint64(i))
		w := &witness{db: f.db, heard: map[int]bool{}}
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { s.Relay.Watch(ctx, w) })
		running.Go(func() { s.Follow(ctx, streamWitness{w}) })
		f.sidecars, f.witnesses = append(f.sidecars, s), append(f.witnesses, w)
		f.stops = append(f.stops, sync.OnceFunc(func() { cancel(); running.Wait() }))
	}
	return f
}

func (f *fleet) stop() {
	for _, stop := range f.stops {
		stop()
	}
}

// leaderOtherThan returns which sidecar leads; -1 if none does.
func (f *fleet) leaderOtherThan(but int) int {
	for i, s := range f.sidecars {
		if i != but && s.Status().Leading {
			return i
		}
	}
	return -1
}

// waitConfirmed returns how long it took until all sidecars but one are confirmed by a leader, and only the leader and the standby listen.
func (f *fleet) waitConfirmed(t *testing.T, but int) time.Duration {
	t.Helper()
	began := time.Now()
	for time.Since(began) < time.Minute {
		all := f.db.listenerCount() == 2
		for i, w := range f.witnesses {
			all = all && (i == but || w.isConfirmed() && !f.sidecars[i].Status().Alone)
		}
		if all {
			return time.Since(began)
		}
		time.Sleep(10 * time.Millisecond)
	}
	require.Fail(t, "the sidecars are not confirmed by one that listens for all", "%d listen", f.db.listenerCount())
	return 0
}

func (f *fleet) assertNoViolations(t *testing.T) {
	t.Helper()
	for i, w := range f.witnesses {
		assert.Empty(t, w.violations[:min(len(w.violations), 3)], "sidecar %d", i)
	}
}

// Whatever fails, nobody is told that nothing was missed if something was. Afterwards one sidecar listens for all.
func TestNothingIsConfirmedThatWasMissed(t *testing.T) {
	seeds := uint64(15)
	if testing.Short() {
		seeds = 3
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { disturb(t, seed) })
		})
	}
}

func disturb(t *testing.T, seed uint64) {
	f := startFleet(seed, 4)
	defer f.stop()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	var actors sync.WaitGroup
	act := func(n uint64, pause time.Duration, do func(*rand.Rand)) {
		actors.Go(func() {
			random := rand.New(rand.NewPCG(seed, n))
			for ctx.Err() == nil {
				time.Sleep(time.Duration(random.Float64() * 2 * float64(pause)))
				do(random)
			}
		})
	}
	upTo := func(random *rand.Rand, d time.Duration) { time.Sleep(time.Duration(random.Int64N(int64(d)))) }
	act(100, 30*time.Millisecond, func(*rand.Rand) { f.db.commit() })
	act(101, 40*time.Second, func(random *rand.Rand) {
		f.db.setDown(true)
		upTo(random, 8*time.Second)
		f.db.setDown(false)
	})
	act(102, 40*time.Second, func(random *rand.Rand) {
		f.redis.set(func() { f.redis.down = true })
		upTo(random, 12*time.Second)
		f.redis.set(func() { f.redis.down = false })
	})
	act(103, 30*time.Second, func(random *rand.Rand) { f.redis.restart(random.IntN(2) == 0) })
	act(104, 5*time.Second, func(*rand.Rand) { f.redis.set(func() { f.redis.trimmed = len(f.redis.log) }) })
	for i, s := range f.sidecars {
		act(uint64(i), 20*time.Second, func(random *rand.Rand) {
			for _, what := range []struct{ begin, end func() }{
				{func() { s.noDB = true }, func() { s.noDB = false }},
				{func() { s.noRed = true }, func() { s.noRed = false }},
				{func() { s.paused = time.Now().Add(time.Duration(random.Int64N(int64(4 * time.Second)))) }, func() {}},
			}[random.IntN(3):][:1] {
				s.set(what.begin)
				upTo(random, 4*time.Second)
				s.set(what.end)
			}
		})
	}
	actors.Wait()
	f.waitConfirmed(t, -1)
	f.stop()
	f.assertNoViolations(t)
	for _, w := range f.witnesses {
		assert.Greater(t, w.heartbeats, 300)
		assert.Greater(t, w.begins, 3)
	}
}

func (s *shared) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// A leader that ends, is killed, stopped or cut off is replaced within seconds. No more than one sidecar listens in the end.
func TestAnotherSidecarTakesOver(t *testing.T) {
	for name, c := range map[string]struct {
		fail   func(*fleet, int)
		within time.Duration
	}{
		"it ends": {func(f *fleet, i int) { f.stops[i]() }, 2 * time.Second},
		"it is stopped": {func(f *fleet, i int) {
			f.sidecars[i].set(func() { f.sidecars[i].paused = time.Now().Add(20 * time.Second) })
		}, 4 * time.Second},
		"cut off from Redis":   {func(f *fleet, i int) { f.sidecars[i].set(func() { f.sidecars[i].noRed = true }) }, 4 * time.Second},
		"cut off the database": {func(f *fleet, i int) { f.sidecars[i].set(func() { f.sidecars[i].noDB = true }) }, 4 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := startFleet(1, 50)
				defer f.stop()
				f.waitConfirmed(t, -1)
				time.Sleep(10 * time.Second)
				first := f.leaderOtherThan(-1)
				term := f.sidecars[first].Status().Term
				require.EqualValues(t, 1, term, "nobody takes over without need")
				c.fail(f, first)
				time.Sleep(lease) // what was confirmed before
				took := lease
				for i, w := range f.witnesses {
					for i != first && (f.leaderOtherThan(first) < 0 || !w.isConfirmed()) {
						time.Sleep(10 * time.Millisecond)
						took += 10 * time.Millisecond
					}
				}
				t.Logf("all others were confirmed again after %v", took)
				assert.LessOrEqual(t, took, c.within)
				time.Sleep(20 * time.Second) // until it goes on where it was stopped
				f.sidecars[first].set(func() { f.sidecars[first].noDB, f.sidecars[first].noRed = false, false })
				f.waitConfirmed(t, first)
				f.stop()
				f.assertNoViolations(t)
			})
		})
	}
}

// Without Redis each sidecar listens for itself, not all of them at once. When Redis is there again, one listens for all, and
// nothing that was confirmed is fetched again for that.
func TestEachSidecarListensWithoutRedis(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFleet(2, 20)
		defer f.stop()
		f.waitConfirmed(t, -1)
		f.redis.set(func() { f.redis.down = true })
		counts := map[int]bool{}
		for range 80 {
			time.Sleep(100 * time.Millisecond)
			counts[f.db.listenerCount()] = true
		}
		assert.Greater(t, len(counts), 5, "one after the other")
		for i, s := range f.sidecars {
			assert.True(t, s.Status().Alone && f.witnesses[i].isConfirmed())
		}
		begins := make([]int, len(f.witnesses))
		for i, w := range f.witnesses {
			begins[i] = w.beganTimes()
		}
		f.redis.set(func() { f.redis.down = false })
		f.waitConfirmed(t, -1)
		for i, w := range f.witnesses {
			assert.Equal(t, begins[i], w.beganTimes(), "nothing was missed in between")
		}
		f.stop()
		f.assertNoViolations(t)
	})
}

// While the database is down, sidecars try in turn: those that follow the stream do not all connect when it is back.
func TestSidecarsDoNotAllConnectToADatabaseThatComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFleet(3, 50)
		defer f.stop()
		f.waitConfirmed(t, -1)
		f.db.setDown(true)
		time.Sleep(time.Minute)
		f.db.setDown(false)
		most := 0
		for range 1000 {
			time.Sleep(10 * time.Millisecond)
			most = max(most, f.db.listenerCount())
		}
		assert.LessOrEqual(t, most, 2)
		f.waitConfirmed(t, -1)
		f.stop()
		f.assertNoViolations(t)
	})
}

// Where somebody else writes to Redis, an old watermark counts only as what it is by the leader's clock.
func TestRepeatedWatermarkProvesNothingNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := follower{}
		at := membership.Position{Epoch: "e", Sequence: 1}
		signed := time.Now()
		time.Sleep(time.Minute)
		observe := func(round, attested uint64, signedAt time.Time) time.Time {
			time.Sleep(200 * time.Millisecond)
			return f.observe(time.Now().Add(-time.Millisecond), time.Now(), membership.Leadership{Term: 1, Round: round,
				Watermark: &membership.Watermark{Term: "t", Round: attested, Through: at, History: history, At: signedAt}})
		}
		assert.Zero(t, observe(1, 1, signed))
		assert.WithinDuration(t, signed, observe(2, 2, signed), 0)
		recent := time.Now()
		assert.WithinDuration(t, recent.Add(-time.Millisecond+200*time.Millisecond), observe(4, 4, time.Now().Add(time.Hour)).Add(200*time.Millisecond), time.Millisecond,
			"a clock that is ahead proves no more than the rounds do")
	})
}
