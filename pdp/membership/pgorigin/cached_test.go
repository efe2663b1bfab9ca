package pgorigin

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"

	"github.com/wardkeeper/wardkeeper/pdp/membership/cache"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
)

func TestCacheNeverConfirmsADeactivatedAdministrator(t *testing.T) {
	server := servertest.StartPostgres(t)
	for name, ways := range map[string]struct {
		pooled bool
		change func(t *testing.T, url string)
	}{
		"a restored backup": {change: func(t *testing.T, url string) {
			conn := servertest.Connect(t, url)
			servertest.Exec(t, conn, deactivate)
			dump := server.Dump(url)
			servertest.Exec(t, conn, "UPDATE users SET status = 'active'")
			time.Sleep(100 * time.Millisecond) // lets the cache follow, but it may also be late
			server.Restore(url, dump, "--clean")
			servertest.Exec(t, servertest.Connect(t, url), "UPDATE users SET title = 'Dr.'") // a version that was assigned before
		}},
		"off and on at once": {change: func(t *testing.T, url string) {
			servertest.Exec(t, servertest.Connect(t, url), `ALTER TABLE users DISABLE TRIGGER USER; `+deactivate+Schema)
		}},
		"a column's type": {change: func(t *testing.T, url string) {
			servertest.Exec(t, servertest.Connect(t, url), unannouncedWrites["a column's type"].write)
		}},
		"a replica": {change: func(t *testing.T, url string) {
			servertest.Exec(t, servertest.Connect(t, url), unannouncedWrites["as a replica"].write)
		}},
		"a pooler": {pooled: true, change: func(t *testing.T, url string) { servertest.Exec(t, servertest.Connect(t, url), deactivate) }},
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := filledOrigin(t, server, origintest.ParseDirectory(t, fixture.WithUsers(administrator)))
			url := p.listenAt.url
			if ways.pooled {
				p = openOrigin(t, Config{URL: server.StartPgBouncer("transaction", url), Listen: DefaultChannel})
			}
			c := openCache(t, cache.Config{Origin: p, FetchTimeout: fixture.Timeout, MaxAgeChange: 5 * time.Second})
			if !ways.pooled {
				require.Eventually(t, func() bool { return c.Status().Confirmed }, fixture.Timeout, 5*time.Millisecond)
			}
			ask := func() (status string, confirmed bool) {
				v, err := c.View(context.Background(), facts.Requirement{})
				require.NoError(t, err)
				u, err := v.User(context.Background(), "a")
				require.NoError(t, err)
				require.NotNil(t, u)
				return u.Record().Status, v.UserFreshness(u).Confirmed
			}
			status, _ := ask()
			require.NotEqual(t, "deactivated", status)
			ways.change(t, url)
			until := time.Now().Add(1200 * time.Millisecond) // the lease, during which the record may still be confirmed
			for over := false; !over; {
				over = time.Now().After(until)
				status, confirmed := ask()
				if status == "deactivated" {
					break
				}
				require.False(t, over && confirmed, "confirmed as %q", status)
			}
			require.Eventually(t, func() bool { status, _ := ask(); return status == "deactivated" }, fixture.Timeout, 10*time.Millisecond)
		})
	}
}

func openCache(t *testing.T, cfg cache.Config) *cache.Cache {
	t.Helper()
	cfg.Vocabulary, cfg.Logger = fixture.Vocabulary(), slog.New(slog.DiscardHandler)
	c, err := cache.Open(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}
