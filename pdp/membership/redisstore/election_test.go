package redisstore

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// observer is a recorder that also records who leads.
type observer struct {
	recorder
	seen []membership.Leadership
}

func (o *observer) Observed(_ time.Time, l membership.Leadership) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seen = append(o.seen, l)
}

// next returns what is observed from now on.
func (o *observer) next(t *testing.T) membership.Leadership {
	t.Helper()
	o.mu.Lock()
	before := len(o.seen)
	o.mu.Unlock()
	require.Eventually(t, o.locked(func() bool { return len(o.seen) > before+1 }), servertest.Timeout, servertest.PollInterval)
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.seen[len(o.seen)-1]
}

func observe(t *testing.T, store *Store) *observer {
	o := &observer{}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { store.Follow(ctx, o); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	require.Eventually(t, o.locked(func() bool { return len(o.seen) > 0 }), servertest.Timeout, servertest.PollInterval)
	return o
}

func campaign(t *testing.T, store *Store) *membership.Term {
	t.Helper()
	term, err := store.Campaign(t.Context(), membership.Leader)
	require.NoError(t, err)
	return term
}

func TestOneSidecarLeadsAtATime(t *testing.T) {
	eachServer(t, func(t *testing.T, url string) {
		var terms sync.Map
		var all sync.WaitGroup
		for range 20 {
			store := openStore(t, Config{URL: url, Lease: time.Minute})
			all.Go(func() {
				term, err := store.Campaign(context.Background(), membership.Leader)
				if assert.NoError(t, err) && term != nil {
					terms.Store(term.ID, term)
				}
			})
		}
		all.Wait()
		var leaders []*membership.Term
		terms.Range(func(_, term any) bool { leaders = append(leaders, term.(*membership.Term)); return true })
		require.Len(t, leaders, 1)

		store := openStore(t, Config{URL: url, Lease: time.Minute})
		require.NoError(t, store.Resign(t.Context(), leaders[0]))
		next := campaign(t, store)
		require.NotNil(t, next)
		assert.Greater(t, next.Number, leaders[0].Number)
		require.NoError(t, store.Resign(t.Context(), leaders[0]), "of a term that is over")
		assert.Nil(t, campaign(t, store), "the present leader has not resigned")
	})
}

// A leader that was stopped cannot say anything once another one has begun, whatever it was about to do.
func TestDeposedLeaderPublishesNothing(t *testing.T) {
	eachServer(t, func(t *testing.T, url string) {
		store := openStore(t, Config{URL: url, Lease: 200 * time.Millisecond})
		observed := observe(t, openStore(t, Config{URL: url, Lease: time.Second}))
		first := campaign(t, store)
		require.NotNil(t, first)
		round, err := store.StartRound(t.Context(), first)
		require.NoError(t, err)
		time.Sleep(500 * time.Millisecond) // nobody else wants to lead
		require.NoError(t, store.Attest(t.Context(), first, membership.Watermark{Term: first.ID, Round: round, Through: first.At, History: "h"}))
		assert.Equal(t, &membership.Watermark{Term: first.ID, Round: round, Through: first.At, History: "h"}, observed.next(t).Watermark)
		var second *membership.Term
		require.Eventually(t, func() bool { second = campaign(t, store); return second != nil }, servertest.Timeout, servertest.PollInterval)
		require.ErrorIs(t, store.Attest(t.Context(), first, membership.Watermark{Term: first.ID, Round: round, Through: first.At}), membership.ErrDeposed)
		_, err = store.StartRound(t.Context(), first)
		require.ErrorIs(t, err, membership.ErrDeposed)
		l := observed.next(t)
		assert.Nil(t, l.Watermark, "of the former leader")
		assert.Equal(t, second.Number, l.Term)
		require.Eventually(t, func() bool { return observed.next(t).Vacant }, servertest.Timeout, servertest.PollInterval, "the lease expires")
		next, err := store.StartRound(t.Context(), second)
		require.NoError(t, err)
		assert.Greater(t, next, round)
	})
}

// A watermark says nothing about another stream, nor about entries that this stream does not have.
func TestWatermarkOfAnotherStreamIsIgnored(t *testing.T) {
	t.Parallel()
	server := servertest.StartRedis(t)
	store := openStore(t, Config{URL: server.URL(), Lease: time.Minute})
	observed := observe(t, openStore(t, Config{URL: server.URL(), Lease: time.Second}))
	term := campaign(t, store)
	attest := func(through membership.Position) {
		round, err := store.StartRound(t.Context(), term)
		require.NoError(t, err)
		require.NoError(t, store.Attest(t.Context(), term, membership.Watermark{Term: term.ID, Round: round, Through: through}))
	}
	attest(membership.Position{Epoch: "another", Sequence: 0})
	assert.Nil(t, observed.next(t).Watermark)
	attest(membership.Position{Epoch: term.At.Epoch, Sequence: term.At.Sequence + 1})
	assert.Nil(t, observed.next(t).Watermark)
	announce(t, store, "jane")
	assert.NotNil(t, observed.next(t).Watermark)
	client := server.Client()
	for _, text := range []string{"", "{", "null", `{"t":"x"}`, string(make([]byte, maxWatermark+1))} {
		require.NoError(t, client.HSet(t.Context(), "wk1:{changes}:leader", "watermark", text).Err())
		assert.Nil(t, observed.next(t).Watermark, text)
	}
	attest(term.At)
	require.NotNil(t, observed.next(t).Watermark)
	require.NoError(t, client.HSet(t.Context(), "wk1:{changes}:leader", "round", "many").Err())
	assert.Nil(t, observed.next(t).Watermark)
}

// A lease that no sidecar can have taken, because the server's clock was set back meanwhile, does not last.
func TestLeaseFromTheFutureIsVacant(t *testing.T) {
	t.Parallel()
	server := servertest.StartRedis(t)
	store := openStore(t, Config{URL: server.URL()})
	require.NotNil(t, campaign(t, store))
	require.Nil(t, campaign(t, store))
	require.NoError(t, server.Client().HSet(t.Context(), "wk1:{changes}:leader", "expires", time.Now().Add(time.Hour).UnixMilli()).Err())
	assert.NotNil(t, campaign(t, store))
}

// Whoever writes to Redis, and has no fleet key, can make up no watermark, and can repeat one only with its time.
func TestWatermarkIsSigned(t *testing.T) {
	t.Parallel()
	server := servertest.StartRedis(t)
	keys := fleetKey(t, keyA)
	store := openStore(t, Config{URL: server.URL(), Lease: time.Minute, FleetKey: keys})
	observed := observe(t, openStore(t, Config{URL: server.URL(), Lease: time.Second, FleetKey: keys}))
	term := campaign(t, store)
	at := time.Now().Add(-time.Hour).Truncate(time.Microsecond)
	began := at.Add(-time.Hour)
	require.NoError(t, store.Attest(t.Context(), term, membership.Watermark{Term: term.ID, Round: 7, Through: term.At, Since: 3, At: at, Began: began}))
	client := server.Client()
	require.NoError(t, client.HSet(t.Context(), "wk1:{changes}:leader", "round", 7).Err())
	w := observed.next(t).Watermark
	require.NotNil(t, w)
	assert.True(t, at.Equal(w.At) && began.Equal(w.Began) && w.Since == 3)
	kept := client.HGetAll(t.Context(), "wk1:{changes}:leader").Val()
	forge := func(watermark, signature string) {
		require.NoError(t, client.HSet(t.Context(), "wk1:{changes}:leader", "watermark", watermark, "signature", signature).Err())
	}
	forge(kept["watermark"], "")
	assert.Nil(t, observed.next(t).Watermark)
	forge(kept["watermark"]+" ", kept["signature"])
	assert.Nil(t, observed.next(t).Watermark)
	other := openStore(t, Config{URL: server.URL(), Lease: time.Minute, FleetKey: fleetKey(t, keyB)})
	require.NoError(t, other.Attest(t.Context(), term, membership.Watermark{Term: term.ID, Round: 7, Through: term.At, At: time.Now()}))
	assert.Nil(t, observed.next(t).Watermark)
	forge(kept["watermark"], kept["signature"])
	assert.NotNil(t, observed.next(t).Watermark)
}

// The standby's lease is one of its own, and whoever follows the stream sees whether somebody has it.
func TestStandbyHasALeaseOfItsOwn(t *testing.T) {
	eachServer(t, func(t *testing.T, url string) {
		store := openStore(t, Config{URL: url, Lease: time.Minute})
		observed := observe(t, openStore(t, Config{URL: url, Lease: time.Second}))
		l := observed.next(t)
		assert.True(t, l.Vacant && l.NoStandby)
		standby, err := store.Campaign(t.Context(), membership.Standby)
		require.NoError(t, err)
		require.NotNil(t, standby)
		l = observed.next(t)
		assert.True(t, l.Vacant && !l.NoStandby)
		leader := campaign(t, store)
		require.NotNil(t, leader)
		l = observed.next(t)
		assert.True(t, !l.Vacant && !l.NoStandby)
		again, err := store.Campaign(t.Context(), membership.Standby)
		require.NoError(t, err)
		assert.Nil(t, again)
		round, err := store.StartRound(t.Context(), leader)
		require.NoError(t, err)
		_, err = store.StartRound(t.Context(), standby)
		require.NoError(t, err)
		require.ErrorIs(t, store.Attest(t.Context(), standby, membership.Watermark{Term: standby.ID, Round: round, Through: standby.At}), membership.ErrDeposed)
		require.NoError(t, store.Attest(t.Context(), leader, membership.Watermark{Term: leader.ID, Round: round, Through: leader.At, Since: 7}))
		l = observed.next(t)
		assert.Equal(t, round, l.Round, "the standby starts none")
		assert.Equal(t, &membership.Watermark{Term: leader.ID, Round: round, Through: leader.At, Since: 7}, l.Watermark)
		require.NoError(t, store.Resign(t.Context(), standby))
		l = observed.next(t)
		assert.True(t, !l.Vacant && l.NoStandby)
	})
}
