package main

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

func whenCommitted(w adminChange) time.Time { return w.committed }
func whenAnnounced(w adminChange) time.Time { return w.announced }

// checkAnswers checks that there were enough answers, and that none of them breaks the guarantees.
func (f *revocationTest) checkAnswers(knownSince func(adminChange) time.Time) {
	f.t.Helper()
	allowed, denied, vouched := f.log.counts()
	f.t.Logf("%d allowed, %d denied, %d of them by confirmed records, %d not answered", allowed, denied, vouched, f.log.failures)
	require.Greater(f.t, vouched, (allowed+denied)/4, "the lease is tested by confirmed records")
	faults := f.log.violations(knownSince)
	assert.Empty(f.t, faults[:min(len(faults), 5)], "of %d", len(faults))
}

// disrupt calls what, which disrupts the servers, and waits until facts are confirmed again.
func (f *revocationTest) disrupt(what func()) {
	from := time.Now()
	what()
	time.Sleep(300 * time.Millisecond) // until the sidecars notice
	f.waitConfirmed()
	f.log.addDisruption(span{from, time.Now()})
	time.Sleep(time.Second)
}

// disruptRedis disrupts a single Redis in several ways.
func disruptRedis(f *revocationTest, redis *servertest.Redis) {
	f.disrupt(func() { redis.Stop(); time.Sleep(1500 * time.Millisecond); redis.Start() }) // restarted empty
	f.disrupt(func() { redis.Pause(); time.Sleep(3 * time.Second); redis.Resume() })
	f.disrupt(redis.FlushAll)
	f.disrupt(func() { // the stream is trimmed while a sidecar is suspended
		f.sidecars[2].signal(f.t, syscall.SIGSTOP)
		time.Sleep(2 * time.Second)
		require.NoError(f.t, redis.Client().XTrimMaxLen(context.Background(), "wk1:{changes}:log", 0).Err())
		f.sidecars[2].signal(f.t, syscall.SIGCONT)
	})
}

// Sidecars that listen to the database learn of a revocation within their lease, whatever happens to Redis.
func TestRevocationWithPostgresListen(t *testing.T) {
	redis := servertest.StartRedis(t)
	f := newRevocationTest(t, redis.URL(), false)
	f.runDuring(func() {
		disruptRedis(f, redis)
		f.log.disruptions = nil // announcements do not depend on Redis
		f.disrupt(func() {
			connection, err := pgx.Connect(context.Background(), f.database.URL())
			require.NoError(t, err)
			_, err = connection.Exec(context.Background(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ILIKE '%listen%' AND pid <> pg_backend_pid()")
			require.NoError(t, err)
			require.NoError(t, connection.Close(context.Background()))
		})
	})
	f.checkAnswers(whenCommitted)
}

// Sidecars connected to Redis learn of an announced revocation within their lease, the others within the maximum age.
func TestRevocationByAnnouncement(t *testing.T) {
	redis := servertest.StartRedis(t)
	f := newRevocationTest(t, redis.URL(), true)
	f.runDuring(func() { disruptRedis(f, redis) })
	f.checkAnswers(whenAnnounced)
}

// The log of these tests reports violations if nothing is announced.
func TestMissedRevocationsAreDetected(t *testing.T) {
	redis := servertest.StartRedis(t)
	f := newRevocationTest(t, redis.URL(), true)
	f.muted = true
	f.runDuring(func() { time.Sleep(6 * time.Second) })
	faults := f.log.violations(whenCommitted)
	require.NotEmpty(t, faults)
	t.Logf("found %d, such as: %s", len(faults), faults[0])
}

func TestRevocationAcrossASentinelFailover(t *testing.T) {
	pair := servertest.StartSentinel(t)
	f := newRevocationTest(t, pair.URL(), true)
	f.runDuring(func() {
		master := pair.Master()
		f.disrupt(func() {
			master.Stop()
			waitUntil(t, "the replica is the master", func() bool { return pair.Master() != master })
		})
		f.disrupt(master.Start)
	})
	f.checkAnswers(whenAnnounced)
}

func TestRevocationInAClusterThatLosesTheStreamsNode(t *testing.T) {
	cluster := servertest.StartRedisCluster(t)
	f := newRevocationTest(t, cluster.URL(), true)
	f.runDuring(func() {
		stream := cluster.MasterOf("wk1:{changes}:log")
		f.disrupt(func() { stream.Stop(); time.Sleep(2 * time.Second) })
	})
	f.checkAnswers(whenAnnounced)
}
