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

// waitDelivered waits until changes of all ids have been delivered in this order, possibly with others between them.
func waitDelivered(t *testing.T, h *recorder, ids []string) {
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

// bringBack starts or resumes a master that failed in the given way.
func bringBack(how string, r *servertest.Redis) {
	if how == "killed" {
		r.Start()
	} else {
		r.Resume()
	}
}

func TestSentinelFailoverKeepsAcknowledgedChangesInNewEpoch(t *testing.T) {
	t.Parallel()
	for name, fail := range masterFails {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pair := servertest.StartSentinel(t, "--min-replicas-max-lag", "2")
			store := openStore(t, Config{URL: pair.URL()})
			other := openStore(t, Config{URL: pair.URL()}) // connects only later
			h := follow(t, store)
			first := h.waitBegan(t, 0)
			require.Eventually(t, func() bool { return roundTrip(store, "alice") == nil }, servertest.Timeout, servertest.PollInterval)
			var acknowledged []string
			for i := range 50 {
				acknowledged = append(acknowledged, fmt.Sprintf("before-%d", i))
				announce(t, store, acknowledged[i])
			}
			old := pair.Master()
			begins := h.beganCount()
			fail(old)
			require.Eventually(t, h.isLost, servertest.Timeout, servertest.PollInterval)
			acknowledged = append(acknowledged, "during")
			announce(t, store, "during")
			again := h.waitBegan(t, begins)
			assert.NotEqual(t, first.at.Epoch, again.at.Epoch)
			waitDelivered(t, h, acknowledged)
			require.Eventually(t, func() bool { return pair.Master() != old }, servertest.Timeout, servertest.PollInterval)
			require.Eventually(t, func() bool { return roundTrip(store, "alice") == nil }, servertest.Timeout, servertest.PollInterval)

			// The old master comes back as a replica. Nobody may follow the stream there.
			bringBack(name, old)
			client := old.Client()
			require.Eventually(t, func() bool {
				return strings.Contains(client.Info(context.Background(), "replication").Val(), "master_link_status:up")
			}, servertest.Timeout, servertest.PollInterval)
			acknowledged = append(acknowledged, "after")
			at := announce(t, other, "after")
			waitDelivered(t, h, acknowledged)
			h.waitHeartbeat(t)
			late := follow(t, other)
			assert.Equal(t, at, late.waitBegan(t, 0).at)
			assert.Equal(t, h.ids()[len(h.ids())-1], "after")
		})
	}
}

// The connection stays open when a master is demoted.
func TestDemotedMasterIsNotFollowed(t *testing.T) {
	t.Parallel()
	server, other := servertest.StartRedis(t), servertest.StartRedis(t)
	store := openStore(t, Config{URL: server.URL()})
	h := follow(t, store)
	first := h.waitBegan(t, 0)
	admin := server.Client()
	ctx := context.Background()
	require.NoError(t, admin.Do(ctx, "REPLICAOF", "127.0.0.1", strings.Split(other.Addr(), ":")[1]).Err())
	require.Eventually(t, h.isLost, servertest.Timeout, servertest.PollInterval)
	require.NoError(t, admin.Do(ctx, "REPLICAOF", "NO", "ONE").Err())
	again := h.waitBegan(t, 1)
	assert.NotEqual(t, first.at.Epoch, again.at.Epoch, "the same process, but its data may be lost")
}

// clusterIDs returns user ids whose values are stored on the given server.
func clusterIDs(c *servertest.RedisCluster, keys Keys, at *servertest.Redis, count int) []string {
	var ids []string
	for i := 0; len(ids) < count; i++ {
		id := fmt.Sprintf("user-%d", i)
		if c.MasterOf(keys.Name(membership.Key{Kind: membership.UserRecord, ID: id})) == at {
			ids = append(ids, id)
		}
	}
	return ids
}

func TestClusterStreamMasterFailoverKeepsAcknowledgedChangesInNewEpoch(t *testing.T) {
	t.Parallel()
	for name, fail := range masterFails {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := servertest.StartRedisCluster(t)
			store := openStore(t, Config{URL: cluster.URL()})
			h := follow(t, store)
			first := h.waitBegan(t, 0)
			var acknowledged []string
			for i := range 50 {
				acknowledged = append(acknowledged, fmt.Sprintf("before-%d", i))
				announce(t, store, acknowledged[i])
			}
			failed := cluster.MasterOf(store.keys.log)
			begins := h.beganCount()
			fail(failed)
			require.Eventually(t, h.isLost, servertest.Timeout, servertest.PollInterval)
			acknowledged = append(acknowledged, "during")
			announce(t, store, "during")
			again := h.waitBegan(t, begins)
			assert.NotEqual(t, first.at.Epoch, again.at.Epoch)
			waitDelivered(t, h, acknowledged)
			require.Eventually(t, func() bool { return cluster.MasterOf(store.keys.log) != failed }, servertest.Timeout, servertest.PollInterval)

			bringBack(name, failed) // as a replica
			acknowledged = append(acknowledged, "after")
			announce(t, store, "after")
			waitDelivered(t, h, acknowledged)
			for _, id := range []string{"a", "b", "c", "d", "e", "f"} {
				require.Eventually(t, func() bool { return roundTrip(store, id) == nil }, servertest.Timeout, servertest.PollInterval)
			}
		})
	}
}

// A master that does not have the stream is killed. Its values are unavailable until its replica takes over. The others can be
// read as often as the breaker lets a call through, and the stream stays available.
func TestClusterOtherMasterKilled(t *testing.T) {
	t.Parallel()
	cluster := servertest.StartRedisCluster(t)
	store := openStore(t, Config{URL: cluster.URL(), Timeout: 3 * time.Second})
	h := follow(t, store)
	first := h.waitBegan(t, 0)
	home := cluster.MasterOf(store.keys.log)
	other := cluster.Nodes[(slices.Index(cluster.Nodes, home)+1)%3]
	there, here := clusterIDs(cluster, store.keys, other, 3), clusterIDs(cluster, store.keys, home, 3)
	for _, id := range append(there, here...) {
		require.Eventually(t, func() bool { return roundTrip(store, id) == nil }, servertest.Timeout, servertest.PollInterval)
	}
	failover := func(disabled string) { // a replica takes over only when the test is ready for it
		for _, node := range cluster.Nodes[3:] {
			require.NoError(t, node.Client().ConfigSet(context.Background(), "cluster-replica-no-failover", disabled).Err())
		}
	}
	failover("yes")
	other.Stop()
	require.Error(t, roundTrip(store, there[0]))
	for range breakerFailures {
		_ = roundTrip(store, there[0]) // the breaker opens
	}
	for _, id := range here {
		require.Eventually(t, func() bool { return roundTrip(store, id) == nil }, servertest.Timeout, servertest.PollInterval)
	}
	require.Error(t, store.Drop(context.Background(), membership.Key{Kind: membership.UserRecord, ID: there[0]}, membership.Key{Kind: membership.UserRecord, ID: here[0]}))
	got, err := store.Get(context.Background(), membership.Key{Kind: membership.UserRecord, ID: here[0]})
	require.NoError(t, err)
	require.Nil(t, got, "the reachable value is dropped")
	announce(t, store, "meanwhile")
	failover("no")
	for _, id := range there {
		require.Eventually(t, func() bool { return roundTrip(store, id) == nil }, servertest.Timeout, servertest.PollInterval)
	}
	waitDelivered(t, h, []string{"meanwhile"})
	h.mu.Lock()
	defer h.mu.Unlock()
	assert.Equal(t, first.at.Epoch, h.begins[len(h.begins)-1].at.Epoch, "the stream's server is the same")
}
