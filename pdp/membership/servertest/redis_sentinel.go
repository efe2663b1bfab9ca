package servertest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// SentinelPair is a master and a replica, monitored by a Sentinel that promotes the replica when the master has not answered for a
// second.
type SentinelPair struct {
	Nodes    []*Redis // the first is the master initially
	Sentinel *Redis
}

const sentinelMaster = "main"

// StartSentinel starts both servers, with additional arguments, and the Sentinel. It returns when the replica is up to date and can
// be promoted.
func StartSentinel(t testing.TB, args ...string) *SentinelPair {
	t.Helper()
	master := StartRedis(t, args...)
	host, port, _ := strings.Cut(master.Addr(), ":")
	replica := StartRedis(t, append([]string{"--replicaof", host + " " + port}, args...)...)
	c := master.Client()
	master.waitUntil("has its replica", func(ctx context.Context) bool {
		return strings.Contains(c.Info(ctx, "replication").Val(), "state=online")
	})
	sentinel := newRedis(t, "redis-sentinel")
	config := filepath.Join(sentinel.dir, "sentinel.conf")
	text := fmt.Sprintf("port %d\nbind 127.0.0.1\ndir %q\nsentinel monitor %s %s %s 1\n", sentinel.port, sentinel.dir, sentinelMaster, host, port) +
		"sentinel down-after-milliseconds " + sentinelMaster + " 1000\nsentinel failover-timeout " + sentinelMaster + " 5000\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	sentinel.args = []string{config}
	sentinel.Start()
	p := &SentinelPair{Nodes: []*Redis{master, replica}, Sentinel: sentinel}
	client := p.client()
	sentinel.waitUntil("knows the replica", func(ctx context.Context) bool {
		known, err := client.Replicas(ctx, sentinelMaster).Result()
		return err == nil && len(known) == 1 && known[0]["flags"] == "slave" && known[0]["master-link-status"] == "ok"
	})
	return p
}

func (p *SentinelPair) client() *redis.SentinelClient {
	c := redis.NewSentinelClient(&redis.Options{Addr: p.Sentinel.Addr(), Protocol: 2, DisableIdentity: true, DialTimeout: Timeout, ReadTimeout: Timeout})
	p.Sentinel.t.Cleanup(func() { _ = c.Close() })
	return c
}

// URL returns a URL with the address of the Sentinel and the name of the master.
func (p *SentinelPair) URL() string {
	return "redis://" + p.Sentinel.Addr() + "/0?master_name=" + sentinelMaster
}

// Master returns the current master, as the Sentinel reports it.
func (p *SentinelPair) Master() *Redis {
	t := p.Sentinel.t
	t.Helper()
	addr, err := p.client().GetMasterAddrByName(context.Background(), sentinelMaster).Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range p.Nodes {
		if strconv.Itoa(node.port) == addr[1] {
			return node
		}
	}
	t.Fatalf("the master of the Sentinel is not in the pair: %v", addr)
	return nil
}
