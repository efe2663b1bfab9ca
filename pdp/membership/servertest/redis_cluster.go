package servertest

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// RedisCluster is a Redis Cluster of three masters with one replica each. A replica is promoted when its master has not answered
// for a second.
type RedisCluster struct {
	Nodes []*Redis // initially three masters, then their replicas
}

const (
	clusterMasters = 3
	clusterSlots   = 16384
)

// StartRedisCluster starts the servers with additional arguments, and returns when all slots are served and all replicas are up to
// date.
func StartRedisCluster(t testing.TB, args ...string) *RedisCluster {
	t.Helper()
	c := &RedisCluster{}
	clients := make([]*redis.Client, 2*clusterMasters)
	busPorts := make([]int, 2*clusterMasters)
	for i := range clients {
		busPorts[i] = FreePort(t)
		node := StartRedis(t, append([]string{
			"--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(busPorts[i]), "--cluster-node-timeout", "1000",
			"--cluster-require-full-coverage", "no", "--cluster-replica-validity-factor", "0",
		}, args...)...)
		c.Nodes, clients[i] = append(c.Nodes, node), node.Client()
	}
	ctx := context.Background()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for i, client := range clients {
		must(client.Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err())
		if i < clusterMasters {
			must(client.ClusterAddSlotsRange(ctx, i*clusterSlots/clusterMasters, (i+1)*clusterSlots/clusterMasters-1).Err())
		}
		if i > 0 {
			must(client.Do(ctx, "CLUSTER", "MEET", "127.0.0.1", c.Nodes[0].port, busPorts[0]).Err())
		}
	}
	for i, client := range clients {
		c.Nodes[i].waitUntil("knows the others", func(ctx context.Context) bool {
			return strings.Contains(client.ClusterInfo(ctx).Val(), fmt.Sprintf("cluster_known_nodes:%d\r", len(clients)))
		})
	}
	for i := range clusterMasters {
		id, err := clients[i].Do(ctx, "CLUSTER", "MYID").Text()
		must(err)
		replica := clients[i+clusterMasters]
		c.Nodes[i+clusterMasters].waitUntil("is a replica", func(ctx context.Context) bool {
			return replica.ClusterReplicate(ctx, id).Err() == nil
		})
	}
	for i, client := range clients {
		c.Nodes[i].waitUntil("serves the Cluster", func(ctx context.Context) bool {
			replication := client.Info(ctx, "replication").Val()
			return strings.Contains(client.ClusterInfo(ctx).Val(), "cluster_state:ok") &&
				(strings.Contains(replication, "state=online") || strings.Contains(replication, "master_link_status:up"))
		})
	}
	return c
}

// URL returns a URL with the addresses of all nodes.
func (c *RedisCluster) URL() string {
	addrs := make([]string, len(c.Nodes))
	for i, n := range c.Nodes {
		addrs[i] = n.Addr()
	}
	return "redis://" + strings.Join(addrs, ",") + "?cluster=true"
}

// MasterOf returns the master of the slot of a key, as the first running node reports it, or nil.
func (c *RedisCluster) MasterOf(key string) *Redis {
	for _, n := range c.Nodes {
		if n.process == nil || n.paused {
			continue
		}
		client := n.Client()
		slot := client.ClusterKeySlot(context.Background(), key).Val()
		shards, err := client.ClusterShards(context.Background()).Result()
		if err != nil {
			n.t.Fatal(err)
		}
		for _, shard := range shards {
			for _, r := range shard.Slots {
				if r.Start <= slot && slot <= r.End {
					return c.master(shard.Nodes)
				}
			}
		}
	}
	return nil
}

func (c *RedisCluster) master(nodes []redis.Node) *Redis {
	for _, node := range nodes {
		for _, n := range c.Nodes {
			if node.Role == "master" && int64(n.port) == node.Port {
				return n
			}
		}
	}
	return nil
}
