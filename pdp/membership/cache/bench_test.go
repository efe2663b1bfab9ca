package cache

import (
	"context"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/freshness"
	"github.com/wardkeeper/wardkeeper/pdp/membership/redisstore"
)

// BenchmarkFacts measures the facts of one question, two users and two locations, by the tier that holds them.
func BenchmarkFacts(b *testing.B) {
	o := newFakeOrigin()
	o.setUser("jane", fixture.Nurse("jane", "ed_normal", "ghi"))
	o.setUser("alice", fixture.Nurse("alice", "regional_admin", "metro"))
	ask := func(b *testing.B, s facts.Source) {
		ctx := context.Background()
		v, err := s.View(ctx, facts.Requirement{})
		require.NoError(b, err)
		for _, id := range []string{"alice", "jane"} {
			if u, err := v.User(ctx, id); u == nil || err != nil {
				b.Fatal(u, err)
			}
		}
		for _, id := range []string{"metro", "ghi"} {
			if l, err := v.Location(ctx, id); l == nil || err != nil {
				b.Fatal(l, err)
			}
		}
	}
	measure := func(name string, s facts.Source, between func()) {
		b.Run(name, func(b *testing.B) {
			ask(b, s)
			b.ReportAllocs()
			for b.Loop() {
				between()
				ask(b, s)
			}
		})
	}
	store := sharedStore(b, redisstore.Config{URL: servertest.StartRedis(b).URL()})
	cfg := Config{Origin: o, Announced: true, Vocabulary: fixture.Vocabulary(), Logger: slog.New(slog.DiscardHandler), Store: store, Stream: store}
	c := openTestCache(b, cfg)
	awaitConfirmed(b, c)
	measure("memory", c, func() {})
	measure("redis", c, func() {
		for _, key := range []membership.Key{{Kind: membership.UserRecord, ID: "jane"}, {Kind: membership.UserRecord, ID: "alice"}, {Kind: membership.OrganizationRecord, ID: "metro"}} {
			c.memory.drop(key)
		}
	})
}

// BenchmarkAnnouncements shows that receiving a change takes as long with few remembered invalidations as with many.
func BenchmarkAnnouncements(b *testing.B) {
	for _, remembered := range []int{1000, freshness.MaxInvalidations} {
		b.Run(strconv.Itoa(remembered), func(b *testing.B) {
			f := freshness.NewTracker(freshness.Config{Confirmer: freshness.ConfirmedByOrigin, Lease: time.Second, Retention: time.Hour})
			heard := 0
			hear := func() {
				heard++
				f.Invalidate([]pdp.Change{{Kind: pdp.UserChanged, ID: strconv.Itoa(heard)}}, membership.Position{})
			}
			for range remembered {
				hear()
			}
			b.ReportAllocs()
			for b.Loop() {
				hear()
			}
		})
	}
}

// sharedStore opens a store, which the cache closes.
func sharedStore(b testing.TB, cfg redisstore.Config) *redisstore.Store {
	b.Helper()
	cfg.Lease = time.Second
	store, err := redisstore.Open(cfg)
	require.NoError(b, err)
	return store
}
