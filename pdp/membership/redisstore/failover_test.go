package redisstore

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// hears waits for a follower to hear of all ids, in this order among what else it hears.
func hears(t *testing.T, h *heard, ids []string) {
	t.Helper()
	require.Eventually(t, func() bool {
		known, at := h.ids(), 0
		for _, id := range known {
			if at < len(ids) && id == ids[at] {
				at++
			}
		}
		return at == len(ids)
	}, servertest.Timeout, servertest.PollInterval)
}

var masterFails = map[string]func(*servertest.Redis){
	"killed": (*servertest.Redis).Stop,
	"paused": (*servertest.Redis).Pause,
}

// comesBack is for a master that failed in either way.
func comesBack(how string, r *servertest.Redis) {
	if how == "killed" {
		r.Start()
	} else {
		r.Resume()
	}
}

// The master is killed, or only silent: what was acknowledged is known to the follower behind the failover, and the
// epoch is another one.
func TestSentinelFailover(t *testing.T) {
	t.Parallel()
	for name, fail := range masterFails {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pair := servertest.StartSentinel(t, "--min-replicas-max-lag", "2")
			tier := openTier(t, Config{URL: pair.URL()})
			other := openTier(t, Config{URL: pair.URL()}) // connects only later
			h := followTier(t, tier)
			first := h.beganAgain(t, 0)
			require.Eventually(t, func() bool { return roundTrip(tier, "alice") == nil }, servertest.Timeout, servertest.PollInterval)
			var acknowledged []string
			for i := range 50 {
				acknowledged = append(acknowledged, fmt.Sprintf("before-%d", i))
				announceSoon(t, tier, acknowledged[i])
			}
			old := pair.Master()
			begins := h.begunSoFar()
			fail(old)
			require.Eventually(t, h.isLost, servertest.Timeout, servertest.PollInterval)
			acknowledged = append(acknowledged, "during")
			announceSoon(t, tier, "during")
			again := h.beganAgain(t, begins)
			assert.NotEqual(t, first.at.Epoch, again.at.Epoch)
			hears(t, h, acknowledged)
			require.Eventually(t, func() bool { return pair.Master() != old }, servertest.Timeout, servertest.PollInterval)
			require.Eventually(t, func() bool { return roundTrip(tier, "alice") == nil }, servertest.Timeout, servertest.PollInterval)

			// The old master comes back, and is demoted; nobody takes it for the stream.
			comesBack(name, old)
			client := old.Client()
			require.Eventually(t, func() bool {
				return strings.Contains(client.Info(context.Background(), "replication").Val(), "master_link_status:up")
			}, servertest.Timeout, servertest.PollInterval)
			acknowledged = append(acknowledged, "after")
			at := announceSoon(t, other, "after")
			hears(t, h, acknowledged)
			h.nextBeat(t)
			late := followTier(t, other)
			assert.Equal(t, at, late.beganAgain(t, 0).at)
			assert.Equal(t, h.ids()[len(h.ids())-1], "after")
		})
	}
}

// A client that was connected to a master hears of its being demoted, though the connection stays.
func TestDemotedMaster(t *testing.T) {
	t.Parallel()
	server, other := servertest.StartRedis(t), servertest.StartRedis(t)
	tier := openTier(t, Config{URL: server.URL()})
	h := followTier(t, tier)
	first := h.beganAgain(t, 0)
	admin := server.Client()
	ctx := context.Background()
	require.NoError(t, admin.Do(ctx, "REPLICAOF", "127.0.0.1", strings.Split(other.Addr(), ":")[1]).Err())
	require.Eventually(t, h.isLost, servertest.Timeout, servertest.PollInterval)
	require.NoError(t, admin.Do(ctx, "REPLICAOF", "NO", "ONE").Err())
	again := h.beganAgain(t, 1)
	assert.NotEqual(t, first.at.Epoch, again.at.Epoch, "the same process, but what it had may be lost")
}

// clusterIDs gives user ids whose facts lie at one of the servers.
func clusterIDs(c *servertest.RedisCluster, keys redisKeys, at *servertest.Redis, count int) []string {
	var ids []string
	for i := 0; len(ids) < count; i++ {
		id := fmt.Sprintf("user-%d", i)
		if c.MasterOf(keys.Of(membership.Key{Kind: membership.UserRecord, ID: id})) == at {
			ids = append(ids, id)
		}
	}
	return ids
}

func TestClusterStreamMasterFails(t *testing.T) {
	t.Parallel()
	for name, fail := range masterFails {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := servertest.StartRedisCluster(t)
			tier := openTier(t, Config{URL: cluster.URL()})
			h := followTier(t, tier)
			first := h.beganAgain(t, 0)
			var acknowledged []string
			for i := range 50 {
				acknowledged = append(acknowledged, fmt.Sprintf("before-%d", i))
				announceSoon(t, tier, acknowledged[i])
			}
			failed := cluster.MasterOf(tier.keys.log)
			begins := h.begunSoFar()
			fail(failed)
			require.Eventually(t, h.isLost, servertest.Timeout, servertest.PollInterval)
			acknowledged = append(acknowledged, "during")
			announceSoon(t, tier, "during")
			again := h.beganAgain(t, begins)
			assert.NotEqual(t, first.at.Epoch, again.at.Epoch)
			hears(t, h, acknowledged)
			require.Eventually(t, func() bool { return cluster.MasterOf(tier.keys.log) != failed }, servertest.Timeout, servertest.PollInterval)

			comesBack(name, failed) // as a replica now
			acknowledged = append(acknowledged, "after")
			announceSoon(t, tier, "after")
			hears(t, h, acknowledged)
			for _, id := range []string{"a", "b", "c", "d", "e", "f"} {
				require.Eventually(t, func() bool { return roundTrip(tier, id) == nil }, servertest.Timeout, servertest.PollInterval)
			}
		})
	}
}

// Another master than the stream's is killed: its facts are out of reach until its replica takes over, the others and
// the stream are not.
func TestClusterOtherMasterKilled(t *testing.T) {
	t.Parallel()
	cluster := servertest.StartRedisCluster(t)
	tier := openTier(t, Config{URL: cluster.URL(), Timeout: 3 * time.Second})
	h := followTier(t, tier)
	first := h.beganAgain(t, 0)
	home := cluster.MasterOf(tier.keys.log)
	other := cluster.Nodes[(slices.Index(cluster.Nodes, home)+1)%3]
	there, here := clusterIDs(cluster, tier.keys, other, 3), clusterIDs(cluster, tier.keys, home, 3)
	for _, id := range append(there, here...) {
		require.Eventually(t, func() bool { return roundTrip(tier, id) == nil }, servertest.Timeout, servertest.PollInterval)
	}
	other.Stop()
	require.Error(t, roundTrip(tier, there[0]))
	for range breakerFailures {
		_ = roundTrip(tier, there[0]) // its breaker opens
	}
	for _, id := range here {
		require.NoError(t, roundTrip(tier, id))
	}
	require.Error(t, tier.Drop(context.Background(), membership.Key{Kind: membership.UserRecord, ID: there[0]}, membership.Key{Kind: membership.UserRecord, ID: here[0]}))
	got, err := tier.Get(context.Background(), membership.Key{Kind: membership.UserRecord, ID: here[0]})
	require.NoError(t, err)
	require.Nil(t, got, "what could be dropped is dropped")
	announceSoon(t, tier, "meanwhile")
	for _, id := range there {
		require.Eventually(t, func() bool { return roundTrip(tier, id) == nil }, servertest.Timeout, servertest.PollInterval)
	}
	hears(t, h, []string{"meanwhile"})
	h.mu.Lock()
	defer h.mu.Unlock()
	assert.Equal(t, first.at.Epoch, h.begins[len(h.begins)-1].at.Epoch, "the stream's server is the same")
}
