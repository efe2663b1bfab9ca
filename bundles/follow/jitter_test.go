package follow

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// arrivals returns when each of the followers asks its server, if all start at once with a policy from disk.
func arrivals(followers, requests int, p Polling) []time.Duration {
	var all []time.Duration
	for i := range followers {
		f := &Follower{source: &httpSource{polling: p}, cfg: Config{Source: &BundleSource{}}}
		f.status.Active = &bundles.Revision{}
		f.cfg.random = rand.New(rand.NewPCG(uint64(i), 1)).Int64N
		at := time.Duration(0)
		for n := range requests {
			f.status.Attempt.Outcome = Unchanged
			at += f.pause(n == 0)
			all = append(all, at)
		}
	}
	return all
}

// busiest returns the most arrivals within a window.
func busiest(all []time.Duration, from, to, window time.Duration) int {
	most, counts := 0, map[int64]int{}
	for _, at := range all {
		if at >= from && at < to {
			counts[int64(at/window)]++
			most = max(most, counts[int64(at/window)])
		}
	}
	return most
}

// A server has to bear the mean load of its followers, and no peaks of all of them.
func TestFollowersThatStartTogetherDoNotArriveTogether(t *testing.T) {
	const followers = 1000
	for name, c := range map[string]struct {
		polling  Polling
		from, to time.Duration
		most     int // within a second
	}{
		// 1,000 within 10 s are 100 a second.
		"after the start": {Polling{Min: time.Minute, Max: 2 * time.Minute}, 0, 10 * time.Second, 150},
		// 1,000 every 90 s are 11 a second.
		"later":                        {Polling{Min: time.Minute, Max: 2 * time.Minute}, 10 * time.Minute, 20 * time.Minute, 35},
		"shortly after":                {Polling{Min: time.Minute, Max: 2 * time.Minute}, time.Minute, 10 * time.Minute, 35},
		"with equal delays, at first":  {Polling{Min: time.Minute, Max: time.Minute}, time.Minute, 2 * time.Minute, 150},
		"with equal delays, in a hour": {Polling{Min: time.Minute, Max: time.Minute}, 50 * time.Minute, time.Hour, 50},
	} {
		t.Run(name, func(t *testing.T) {
			all := arrivals(followers, 70, c.polling)
			most := busiest(all, c.from, c.to, time.Second)
			require.NotZero(t, most)
			require.LessOrEqual(t, most, c.most, "of %d followers", followers)
		})
	}
}

// While a server is down, followers come back further apart each time.
func TestFollowersThatFailTogetherDoNotArriveTogether(t *testing.T) {
	for failures, most := range map[int]int{1: 1000, 4: 350, 8: 40, 11: 25} { // within 100 ms, in which all came at the first
		t.Run(fmt.Sprint(failures), func(t *testing.T) {
			var all []time.Duration
			for i := range 1000 {
				f := &Follower{source: &httpSource{polling: Polling{Min: time.Minute, Max: 2 * time.Minute}}, cfg: Config{Source: &BundleSource{}}}
				f.status.Active = &bundles.Revision{}
				f.cfg.random = rand.New(rand.NewPCG(uint64(i), 2)).Int64N
				at := time.Duration(0)
				for f.failures = 1; f.failures <= failures; f.failures++ {
					at += f.pause(false)
				}
				all = append(all, at)
			}
			require.LessOrEqual(t, busiest(all, 0, time.Hour, 100*time.Millisecond), most)
		})
	}
}

// A policy that is stale decides nothing, so its source is asked at once, and then every few seconds.
func TestStalePolicyIsNotWaitedWith(t *testing.T) {
	f := &Follower{source: &httpSource{polling: Polling{Min: time.Hour, Max: 2 * time.Hour}}, cfg: Config{Source: &BundleSource{maxAge: time.Minute}}}
	f.cfg.random = func(n int64) int64 { return n - 1 }
	require.Equal(t, 3*time.Second, f.pause(false), "there is no policy")
	f.status.Active = &bundles.Revision{}
	require.Equal(t, maxFirstPause, f.pause(true))
	require.Equal(t, 2*time.Hour, f.pause(false))
	long := time.Now().Add(-time.Hour)
	f.confirmed.Store(&long)
	require.Zero(t, f.pause(true))
	require.Equal(t, 3*time.Second, f.pause(false))
}

func TestBackoffKeepsItsBounds(t *testing.T) {
	require.Equal(t, interval{100 * time.Millisecond, 150 * time.Millisecond}, backoff(1, time.Minute))
	require.Equal(t, interval{400 * time.Millisecond, 600 * time.Millisecond}, backoff(3, time.Minute))
	require.Equal(t, interval{time.Minute, 90 * time.Second}, backoff(1000, time.Minute))
}
