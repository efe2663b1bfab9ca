package redisstore

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// BenchmarkClusterWithoutMaster measures reads of values of a cluster while one of its three masters, not that of the
// stream, is down: the share of reads that Redis answers, and the share that takes longer than 50 ms. Sixteen clients read
// all the time, with pauses of a millisecond.
func BenchmarkClusterWithoutMaster(b *testing.B) {
	ctx := context.Background()
	cluster := servertest.StartRedisCluster(b)
	for _, node := range cluster.Nodes[3:] {
		require.NoError(b, node.Client().ConfigSet(ctx, "cluster-replica-no-failover", "yes").Err())
	}
	home := cluster.MasterOf(NewKeys("wk1", false).log)
	other := cluster.Nodes[(slices.Index(cluster.Nodes, home)+1)%3]
	read := func(b *testing.B) {
		store := openStore(b, Config{URL: cluster.URL()})
		var served, slow atomic.Int64
		const clients, reads = 16, 1000
		for b.Loop() {
			var all sync.WaitGroup
			for c := range clients {
				all.Go(func() {
					for i := range reads {
						began := time.Now()
						if _, err := store.Get(ctx, membership.Key{Kind: membership.UserRecord, ID: fmt.Sprint(c, "-", i)}); err == nil {
							served.Add(1)
						}
						if time.Since(began) > 50*time.Millisecond {
							slow.Add(1)
						}
						time.Sleep(time.Millisecond)
					}
				})
			}
			all.Wait()
		}
		b.ReportMetric(100*float64(served.Load())/float64(b.N*clients*reads), "%served")
		b.ReportMetric(100*float64(slow.Load())/float64(b.N*clients*reads), "%slow")
	}
	b.Run("up", read)
	other.Pause()
	b.Run("hangs", read)
	other.Stop()
	b.Run("killed", read)
}
