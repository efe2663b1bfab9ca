package cache

import (
	"context"
	"log/slog"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/httporigin"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
	"github.com/wardkeeper/wardkeeper/pdp/membership/pgorigin"
	"github.com/wardkeeper/wardkeeper/pdp/membership/redisstore"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
	"github.com/wardkeeper/wardkeeper/policies"
)

// viewFunc is a source of views.
type viewFunc func(context.Context, facts.Requirement) (facts.View, error)

func (f viewFunc) View(ctx context.Context, n facts.Requirement) (facts.View, error) {
	return f(ctx, n)
}

// forgetful is a view that reads each fact from a new view.
type forgetful struct {
	facts.View
	source facts.Source
	need   facts.Requirement
}

func (v forgetful) User(ctx context.Context, id string) (*facts.User, error) {
	view, err := v.source.View(ctx, v.need)
	if err != nil {
		return nil, err
	}
	return view.User(ctx, id)
}

func (v forgetful) Location(ctx context.Context, id string) (*facts.Location, error) {
	view, err := v.source.View(ctx, v.need)
	if err != nil {
		return nil, err
	}
	return view.Location(ctx, id)
}

// BenchmarkWithoutCache measures a decision, and gathering its facts alone, with all caches and without one of them.
// Without memory, the shared store is read; without both, the source, which is PostgreSQL.
func BenchmarkWithoutCache(b *testing.B) {
	document, err := os.ReadFile("../../../testdata/directories/bench.yaml")
	require.NoError(b, err)
	directory := origintest.ParseDirectory(b, string(document))
	database := servertest.StartPostgres(b).Database()
	require.NoError(b, pgorigin.Import(context.Background(), pgorigin.Target{URL: database, Schema: true}, directory, nil))
	origin := func() membership.Origin {
		o, err := pgorigin.Open(context.Background(), pgorigin.Config{URL: database, Timeout: fixture.Timeout, Announced: true, Listen: pgorigin.DefaultChannel, Logger: slog.New(slog.DiscardHandler)})
		require.NoError(b, err)
		return o
	}
	revision, err := bundles.Open(context.Background(), bundles.Config{Files: policies.Files(), Source: "built-in", Entrypoint: "authz/decision"})
	require.NoError(b, err)
	policy, err := pdp.Prepare(context.Background(), revision)
	require.NoError(b, err)
	redis := servertest.StartRedis(b)
	open := func(cfg Config) *Cache {
		cfg.Origin = origin()
		c := openTestCache(b, cfg)
		awaitConfirmed(b, c)
		return c
	}
	shared := func(cfg Config) *Cache {
		store := sharedStore(b, redisstore.Config{URL: redis.URL()})
		cfg.Store, cfg.Stream = store, store
		return open(cfg)
	}
	question := pdp.Request{
		Subject: authzen.Entity{Type: "user", ID: "regina"}, Action: authzen.Action{Name: "user.edit"}, Resource: authzen.Entity{Type: "user", ID: "ed"},
		Context: map[string]any{"current_location": "metro"},
	}
	all := shared(Config{})
	for _, level := range []struct {
		without string
		source  facts.Source
	}{
		{"none", all},
		{"view", viewFunc(func(ctx context.Context, n facts.Requirement) (facts.View, error) {
			v, err := all.View(ctx, n)
			return forgetful{v, all, n}, err
		})},
		{"joined", viewFunc(func(ctx context.Context, n facts.Requirement) (facts.View, error) {
			for _, id := range []string{"regina", "ed"} {
				if e := all.memory.get(membership.Key{Kind: membership.UserRecord, ID: id}); e != nil {
					e.user.joined.Store(nil)
				}
			}
			return all.View(ctx, n)
		})},
		{"memory", shared(Config{Memory: 1})},
		{"memory-and-store", open(Config{Memory: 1})},
	} {
		engine := pdp.New(pdp.Config{Policy: policy, Source: level.source})
		ask := func(b *testing.B) {
			d, err := engine.Decide(context.Background(), question)
			if err != nil || !d.Allow {
				b.Fatal(d, err)
			}
		}
		b.Run("decision-without-"+level.without, func(b *testing.B) {
			ask(b)
			b.ReportAllocs()
			defer reportCPU(b)()
			for b.Loop() {
				ask(b)
			}
		})
		b.Run("facts-without-"+level.without, func(b *testing.B) {
			b.ReportAllocs()
			defer reportCPU(b)()
			for b.Loop() {
				v, err := level.source.View(context.Background(), facts.Requirement{})
				require.NoError(b, err)
				for _, id := range []string{"regina", "ed"} {
					if u, err := v.User(context.Background(), id); u == nil || err != nil {
						b.Fatal(u, err)
					}
				}
				for _, id := range []string{"metro", "ghi"} {
					if l, err := v.Location(context.Background(), id); l == nil || err != nil {
						b.Fatal(l, err)
					}
				}
			}
		})
	}
}

// reportCPU reports the processor time of an operation, which is more meaningful than its duration if other processes
// use the machine.
func reportCPU(b *testing.B) (stop func()) {
	used := func() time.Duration {
		var u syscall.Rusage
		require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := used()
	return func() { b.ReportMetric(float64(used()-before)/float64(b.N), "cpu-ns/op") }
}

// BenchmarkUsername measures finding a user by username in memory and, if memory does not have the pointer, at a source.
func BenchmarkUsername(b *testing.B) {
	document := `{"locations": [{"id": "metro", "kind": "region", "model": "regional"}], "users": [{"id": "jane", "username": "jane@example.org",
		"default_location": "metro", "assignments": [{"location": "metro", "role": "regional_admin"}]}]}`
	database := servertest.StartPostgres(b).Database()
	require.NoError(b, pgorigin.Import(context.Background(), pgorigin.Target{URL: database, Schema: true}, origintest.ParseDirectory(b, document), nil))
	tables, err := pgorigin.Open(context.Background(), pgorigin.Config{URL: database, Timeout: fixture.Timeout})
	require.NoError(b, err)
	application, err := httporigin.Open(httporigin.Config{URL: origintest.NewApplication(b, document).Serve().URL + "/membership"})
	require.NoError(b, err)
	overDatabase := openTestCache(b, Config{Origin: struct{ membership.Origin }{tables}}) // without listening
	for _, where := range []struct {
		name   string
		cache  *Cache
		forget bool
	}{{"memory", overDatabase, false}, {"PostgreSQL", overDatabase, true}, {"application", openTestCache(b, Config{Origin: application}), true}} {
		b.Run(where.name, func(b *testing.B) {
			b.ReportAllocs()
			defer reportCPU(b)()
			for b.Loop() {
				if where.forget {
					where.cache.memory.drop(membership.Key{Kind: membership.UsernamePointer, ID: "jane@example.org"})
				}
				v, err := where.cache.View(context.Background(), facts.Requirement{ReadOnly: true})
				require.NoError(b, err)
				if u, err := v.UserByUsername(context.Background(), "jane@example.org"); u == nil || err != nil {
					b.Fatal(u, err)
				}
			}
		})
	}
}
