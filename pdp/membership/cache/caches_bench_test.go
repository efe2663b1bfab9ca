package cache

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
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

// level is an engine with all caches, or without one of them.
type level struct {
	without string
	source  facts.Source
	engine  *pdp.Engine
}

// cacheLevels returns the levels. open opens a cache with a shared store, or without one.
func cacheLevels(b *testing.B, open func(cfg Config, shared bool) *Cache) []level {
	revision, err := bundles.Open(context.Background(), bundles.Config{Files: policies.Files(), Source: "built-in", Entrypoint: "authz/decision"})
	require.NoError(b, err)
	policy, err := pdp.Prepare(context.Background(), revision)
	require.NoError(b, err)
	all := open(Config{}, true)
	levels := []level{
		{without: "none", source: all},
		{without: "view", source: viewFunc(func(ctx context.Context, n facts.Requirement) (facts.View, error) {
			v, err := all.View(ctx, n)
			return forgetful{v, all, n}, err
		})},
		{without: "joined", source: viewFunc(func(ctx context.Context, n facts.Requirement) (facts.View, error) {
			for _, id := range []string{"regina", "ed"} {
				if e := all.memory.get(membership.Key{Kind: membership.UserRecord, ID: id}); e != nil {
					e.user.joined.Store(nil)
				}
			}
			return all.View(ctx, n)
		})},
		{without: "memory", source: open(Config{Memory: 1}, true)},
		{without: "memory-and-store", source: open(Config{Memory: 1}, false)},
	}
	for i := range levels {
		levels[i].engine = pdp.New(pdp.Config{Policy: policy, Source: levels[i].source})
	}
	return levels
}

var cacheQuestion = pdp.Request{
	Subject: authzen.Entity{Type: "user", ID: "regina"}, Action: authzen.Action{Name: "user.edit"}, Resource: authzen.Entity{Type: "user", ID: "ed"},
	Context: map[string]any{"current_location": "metro"},
}

func importBenchDirectory(b *testing.B) (url string) {
	document, err := os.ReadFile("../../../testdata/directories/bench.yaml")
	require.NoError(b, err)
	url = servertest.StartPostgres(b).Database()
	require.NoError(b, pgorigin.Import(context.Background(), pgorigin.Target{URL: url, Schema: true}, origintest.ParseDirectory(b, string(document)), nil))
	return url
}

// BenchmarkWithoutCache measures a decision, and gathering its facts alone, with all caches and without one of them.
// Without memory, the shared store is read; without both, the source, which is PostgreSQL.
func BenchmarkWithoutCache(b *testing.B) {
	database := importBenchDirectory(b)
	redis := servertest.StartRedis(b)
	levels := cacheLevels(b, func(cfg Config, shared bool) *Cache {
		var err error
		cfg.Origin, err = pgorigin.Open(context.Background(), pgorigin.Config{URL: database, Timeout: fixture.Timeout, Announced: true, Listen: pgorigin.DefaultChannel, Logger: slog.New(slog.DiscardHandler)})
		require.NoError(b, err)
		if shared {
			store := sharedStore(b, redisstore.Config{URL: redis.URL()})
			cfg.Store, cfg.Stream = store, store
		}
		c := openTestCache(b, cfg)
		awaitConfirmed(b, c)
		return c
	})
	for _, level := range levels {
		ask := func(b *testing.B) {
			d, err := level.engine.Decide(context.Background(), cacheQuestion)
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

// emptyStore has no values.
type emptyStore struct{ membership.Store }

func (emptyStore) Get(context.Context, membership.Key) ([]byte, error)              { return nil, nil }
func (emptyStore) Put(context.Context, membership.Key, []byte, time.Duration) error { return nil }

// BenchmarkRevocationWithoutCache measures the time from announcing a change at one sidecar until the first answer of
// another one that knows of it, over a real Redis and PostgreSQL, with all caches and without one of them. Then it measures
// the throughput of that sidecar with two clients, in decisions per second of processor time. The levels take turns, because
// other processes may use the machine.
func BenchmarkRevocationWithoutCache(b *testing.B) {
	ctx := context.Background()
	database := importBenchDirectory(b)
	redis := servertest.StartRedis(b)
	open := func(cfg Config, shared bool) *Cache {
		origin, err := pgorigin.Open(ctx, pgorigin.Config{URL: database, Timeout: fixture.Timeout})
		require.NoError(b, err)
		store := sharedStore(b, redisstore.Config{URL: redis.URL()})
		cfg.Origin, cfg.Store, cfg.Stream, cfg.Announced = struct{ membership.Origin }{origin}, store, store, true // without listening
		if !shared {
			cfg.Store = emptyStore{store}
		}
		c := openTestCache(b, cfg)
		awaitConfirmed(b, c)
		return c
	}
	announcer, levels := open(Config{}, true), cacheLevels(b, open)
	admin := servertest.Connect(b, database)
	took := map[string][]time.Duration{}
	for b.Loop() {
		for _, level := range levels {
			for _, status := range []string{"deactivated", "active"} {
				servertest.Exec(b, admin, "UPDATE users SET status = '"+status+"' WHERE id = 'regina'")
				began := time.Now()
				_, err := announcer.Announce(ctx, []pdp.Change{{Kind: pdp.UserChanged, ID: "regina"}})
				require.NoError(b, err)
				for {
					d, err := level.engine.Decide(ctx, cacheQuestion)
					require.NoError(b, err)
					if d.Allow == (status == "active") {
						break
					}
				}
				took[level.without] = append(took[level.without], time.Since(began))
			}
		}
	}
	decisions, used := map[string]int64{}, map[string]time.Duration{}
	for range 20 {
		for _, level := range levels {
			var count atomic.Int64
			var clients sync.WaitGroup
			before, until := processorTime(b), time.Now().Add(50*time.Millisecond)
			for range 2 {
				clients.Go(func() {
					for time.Now().Before(until) {
						if d, err := level.engine.Decide(ctx, cacheQuestion); err == nil && d.Allow {
							count.Add(1)
						}
					}
				})
			}
			clients.Wait()
			used[level.without] += processorTime(b) - before
			decisions[level.without] += count.Load()
		}
	}
	for _, level := range levels {
		all := took[level.without]
		slices.Sort(all)
		b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, level.without+"-p50-ms")
		b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, level.without+"-p99-ms")
		b.ReportMetric(float64(decisions[level.without])/used[level.without].Seconds(), level.without+"-decisions/cpu-s")
	}
}

// reportCPU reports the processor time of an operation, which is more meaningful than its duration if other processes
// use the machine.
func reportCPU(b *testing.B) (stop func()) {
	before := processorTime(b)
	return func() { b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op") }
}

func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
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
