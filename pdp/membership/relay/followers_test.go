package relay_test

import (
	"bufio"
	"context"
	"flag"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/redisstore"
	"github.com/wardkeeper/wardkeeper/pdp/membership/relay"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// make bench-fleet sets them.
var (
	followers = flag.Int("followers", 50, "number of sidecars that only follow the stream")
	following = flag.Duration("following", 3*time.Second, "how long they are measured")
)

const fleetLease = 2 * time.Second // longer than by default, for a busy machine

// quietDatabase is a database whose heartbeats come at once, and that tells of ten changes a second.
type quietDatabase struct{}

func (quietDatabase) Watch(ctx context.Context, h membership.ChangeHandler) {
	h.Began(time.Now(), "h")
	for n := 0; ctx.Err() == nil; n++ {
		if n%2 == 0 {
			if leader, ok := h.(membership.HeartbeatObserver); ok {
				leader.HeartbeatStarts()
			}
			h.Heartbeat(time.Now())
		}
		h.Changed([]pdp.Change{{Kind: pdp.UserChanged, ID: strconv.Itoa(n)}})
		time.Sleep(fleetLease / 10)
	}
}

// proofs counts what is proven to all followers.
type proofs struct {
	count   atomic.Int64
	changes atomic.Int64
}

func (p *proofs) Began(time.Time, string) {}
func (p *proofs) Changed([]pdp.Change)    {}
func (p *proofs) Lost(error)              {}
func (p *proofs) Heartbeat(time.Time)     { p.count.Add(1) }

// changesOf counts what the stream reports.
type changesOf struct{ *proofs }

func (c changesOf) Began(_, _ membership.Position, _ []membership.Announcement, _ time.Time) {}
func (c changesOf) Changed(membership.Announcement)                                          { c.changes.Add(1) }
func (c changesOf) Heartbeat(time.Time)                                                      {}

// TestFollowers measures the processor time of a Redis that many sidecars follow, one of which leads.
func TestFollowers(t *testing.T) {
	if testing.Short() {
		t.Skip("needs servers")
	}
	server := servertest.StartRedis(t)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	defer func() { cancel(); running.Wait() }()
	p := &proofs{}
	for range *followers {
		store, err := redisstore.Open(redisstore.Config{URL: server.URL(), Lease: fleetLease})
		require.NoError(t, err)
		t.Cleanup(func() { _ = store.Close() })
		r := relay.New(relay.Config{Watcher: quietDatabase{}, Stream: store, Election: store, Lease: fleetLease})
		running.Go(func() { r.Watch(ctx, p) })
		running.Go(func() { r.Follow(ctx, changesOf{p}) })
	}
	require.Eventually(t, func() bool { return p.count.Load() > int64(*followers) }, servertest.Timeout, servertest.PollInterval)
	client := server.Client()
	used, proven, changes := cpuOf(t, client), p.count.Load(), p.changes.Load()
	began := time.Now()
	time.Sleep(*following)
	took := time.Since(began).Seconds()
	each := float64(*followers) * took
	t.Logf("%d followers: Redis uses %.3f of a processor; each gets %.1f proofs and %.1f changes a second", *followers,
		(cpuOf(t, client)-used)/took, float64(p.count.Load()-proven)/each, float64(p.changes.Load()-changes)/each)
	assert.Greater(t, p.count.Load(), proven)
}

// cpuOf returns the processor time of a Redis server in seconds.
func cpuOf(t *testing.T, client *redis.Client) (sum float64) {
	t.Helper()
	lines := bufio.NewScanner(strings.NewReader(client.Info(t.Context(), "cpu").Val()))
	for lines.Scan() {
		name, value, _ := strings.Cut(strings.TrimSpace(lines.Text()), ":")
		if name == "used_cpu_sys" || name == "used_cpu_user" {
			seconds, err := strconv.ParseFloat(value, 64)
			require.NoError(t, err)
			sum += seconds
		}
	}
	require.NotZero(t, sum)
	return sum
}
