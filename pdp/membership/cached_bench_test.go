package membership

import (
	"context"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// BenchmarkFacts is what one question asks for, two users and two locations, by the tier that has them: a directory file, the
// in-process tier, and Redis.
func BenchmarkFacts(b *testing.B) {
	o := newFakeOrigin()
	o.setUser("jane", nurse("jane", "ed_normal", "ghi"))
	o.setUser("alice", nurse("alice", "regional_admin", "metro"))
	ask := func(b *testing.B, s pdp.Source) {
		ctx := context.Background()
		v, err := s.View(ctx, pdp.Need{})
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
	measure := func(name string, s pdp.Source, between func()) {
		b.Run(name, func(b *testing.B) {
			ask(b, s)
			b.ReportAllocs()
			for b.Loop() {
				between()
				ask(b, s)
			}
		})
	}
	cfg := CachedConfig{Origin: o, Announced: true, Vocabulary: words(), Logger: slog.New(slog.DiscardHandler),
		Redis: &RedisConfig{URL: servertest.StartRedis(b).URL()}}
	c := openCached(b, cfg)
	live(b, c)
	measure("memory", c, func() {})
	measure("redis", c, func() {
		for _, key := range []recordKey{{userRecord, "jane"}, {userRecord, "alice"}, {organizationRecord, "metro"}} {
			c.memory.drop(key)
		}
	})
}

// BenchmarkAnnouncements: hearing of a change takes no longer for the many that are remembered.
func BenchmarkAnnouncements(b *testing.B) {
	for _, remembered := range []int{1000, maxMarks} {
		b.Run(strconv.Itoa(remembered), func(b *testing.B) {
			f := newFeed(byListening, time.Second, time.Hour, func(string) string { return "" })
			heard := 0
			hear := func() {
				heard++
				f.take([]pdp.Change{{Kind: pdp.UserChanged, ID: strconv.Itoa(heard)}}, position{})
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
