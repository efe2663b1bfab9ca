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

func whenCommitted(w writing) time.Time { return w.committed }
func whenAnnounced(w writing) time.Time { return w.announced }

// checked sees that the run had enough to say, and that everything is explained.
func (f *fleet) checked(told func(writing) time.Time) {
	f.t.Helper()
	allowed, denied, vouched := f.ledger.count()
	f.t.Logf("%d allowed, %d denied, %d of them by confirmed records, %d not answered", allowed, denied, vouched, f.ledger.failures)
	require.Greater(f.t, vouched, (allowed+denied)/4, "the lease is tested by confirmed records")
	faults := f.ledger.faults(told)
	assert.Empty(f.t, faults[:min(len(faults), 5)], "of %d", len(faults))
}

// disturb does something to the servers, and waits until facts are vouched for again.
func (f *fleet) disturb(what func()) {
	from := time.Now()
	what()
	time.Sleep(300 * time.Millisecond) // until it is noticed
	f.untilVouched()
	f.ledger.disturb(span{from, time.Now()})
	time.Sleep(time.Second)
}

// disturbances of a Redis by itself.
func disturbances(f *fleet, redis *servertest.Redis) {
	f.disturb(func() { redis.Stop(); time.Sleep(1500 * time.Millisecond); redis.Start() }) // restarted empty
	f.disturb(func() { redis.Pause(); time.Sleep(3 * time.Second); redis.Resume() })
	f.disturb(redis.FlushAll)
	f.disturb(func() { // a sidecar stands still, and what it should have heard meanwhile is trimmed
		f.sidecars[2].signal(f.t, syscall.SIGSTOP)
		time.Sleep(2 * time.Second)
		require.NoError(f.t, redis.Client().XTrimMaxLen(context.Background(), "wk1:{changes}:log", 0).Err())
		f.sidecars[2].signal(f.t, syscall.SIGCONT)
	})
}

// Sidecars that listen to the database learn of a revocation within their lease, whatever happens to Redis.
func TestRevocationWithPostgresListen(t *testing.T) {
	redis := servertest.StartRedis(t)
	f := newFleet(t, redis.URL(), false)
	f.play(func() {
		disturbances(f, redis)
		f.ledger.disturbed = nil // Redis holds nothing up
		f.disturb(func() {
			connection, err := pgx.Connect(context.Background(), f.database.URL())
			require.NoError(t, err)
			_, err = connection.Exec(context.Background(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ILIKE '%listen%' AND pid <> pg_backend_pid()")
			require.NoError(t, err)
			require.NoError(t, connection.Close(context.Background()))
		})
	})
	f.checked(whenCommitted)
}

// Sidecars connected to Redis learn of an announced revocation within their lease, the others within the maximum age.
func TestRevocationByAnnouncement(t *testing.T) {
	redis := servertest.StartRedis(t)
	f := newFleet(t, redis.URL(), true)
	f.play(func() { disturbances(f, redis) })
	f.checked(whenAnnounced)
}

// The ledger of these tests reports faults if nothing is announced.
func TestLedgerFindsMissedRevocations(t *testing.T) {
	redis := servertest.StartRedis(t)
	f := newFleet(t, redis.URL(), true)
	f.mute = true
	f.play(func() { time.Sleep(6 * time.Second) })
	faults := f.ledger.faults(whenCommitted)
	require.NotEmpty(t, faults)
	t.Logf("found %d, such as: %s", len(faults), faults[0])
}

func TestRevocationAcrossASentinelFailover(t *testing.T) {
	pair := servertest.StartSentinel(t)
	f := newFleet(t, pair.URL(), true)
	f.play(func() {
		master := pair.Master()
		f.disturb(func() {
			master.Stop()
			until(t, "the replica is the master", func() bool { return pair.Master() != master })
		})
		f.disturb(master.Start)
	})
	f.checked(whenAnnounced)
}

func TestRevocationInAClusterThatLosesTheStreamsNode(t *testing.T) {
	cluster := servertest.StartRedisCluster(t)
	f := newFleet(t, cluster.URL(), true)
	f.play(func() {
		stream := cluster.MasterOf("wk1:{changes}:log")
		f.disturb(func() { stream.Stop(); time.Sleep(2 * time.Second) })
	})
	f.checked(whenAnnounced)
}
