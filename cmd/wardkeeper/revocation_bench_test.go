package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// BenchmarkRevocation revokes and restores the power of an administrator while three sidecars answer other questions. It
// reports the median and the 99th percentile of the time from the commit until the last sidecar denies.
func BenchmarkRevocation(b *testing.B) {
	b.Run("listening", func(b *testing.B) { benchmarkRevocation(b, false) })
	b.Run("announced", func(b *testing.B) { benchmarkRevocation(b, true) })
}

func benchmarkRevocation(b *testing.B, announces bool) {
	f := newRevocationTest(b, servertest.StartRedis(b).URL(), announces)
	connection, err := pgx.Connect(context.Background(), f.database.URL())
	require.NoError(b, err)
	b.Cleanup(func() { _ = connection.Close(context.Background()) })
	stop := f.load()
	defer stop()
	var took []time.Duration
	for b.Loop() {
		f.setStatus(connection, "deactivated")
		took = append(took, f.waitForAll(false))
		f.setStatus(connection, "active")
		f.waitForAll(true)
	}
	slices.Sort(took)
	at := func(percent int) float64 { return float64(took[(len(took)-1)*percent/100].Microseconds()) / 1000 }
	b.ReportMetric(at(50), "p50-ms")
	b.ReportMetric(at(99), "p99-ms")
	b.ReportMetric(at(100), "max-ms")
	b.ReportMetric(float64(len(f.log.answers)), "answers")
}

// setStatus changes the status of one administrator. It announces the change if the sidecars do not listen to the database.
func (f *revocationTest) setStatus(connection *pgx.Conn, status string) {
	w := adminChange{id: "a0"}
	err := connection.QueryRow(context.Background(), "UPDATE users SET status = $1 WHERE id = $2 RETURNING version", status, w.id).Scan(&w.version)
	require.NoError(f.t, err)
	w.committed = time.Now()
	f.log.addWrite(w)
	if f.announces {
		f.announce(int(w.version), w)
	}
}

// waitForAll waits until every sidecar gives the answer, and returns the time since the last change was committed.
func (f *revocationTest) waitForAll(allowed bool) time.Duration {
	var asking sync.WaitGroup
	for i := range f.sidecars {
		asking.Go(func() {
			for {
				if got, answered := f.ask(i, "a0", ""); answered && got == allowed {
					return
				}
			}
		})
	}
	asking.Wait()
	writes := f.log.changes["a0"]
	return time.Since(writes[len(writes)-1].committed)
}

// load asks every sidecar about the other administrators, a hundred times a second.
func (f *revocationTest) load() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var asking sync.WaitGroup
	for i := range f.sidecars {
		asking.Go(func() {
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for n := 0; ctx.Err() == nil; n++ {
				f.ask(i, fmt.Sprintf("a%d", 1+n%(adminCount-1)), "")
				<-tick.C
			}
		})
	}
	return func() { cancel(); asking.Wait() }
}
