package membership

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// A cached source never confirms an administrator whom the database knows to be deactivated, by whatever way that came about.
func TestPostgresConfirmed(t *testing.T) {
	server := servertest.StartPostgres(t)
	for name, ways := range map[string]struct {
		pooled bool
		change func(t *testing.T, url string)
	}{
		"a restored backup": {change: func(t *testing.T, url string) {
			conn := connected(t, url)
			do(t, conn, deactivate)
			dump := server.Dump(url)
			do(t, conn, "UPDATE users SET status = 'active'")
			time.Sleep(100 * time.Millisecond) // for the cache to follow; it may also be late
			server.Restore(url, dump, "--clean")
			do(t, connected(t, url), "UPDATE users SET title = 'Dr.'") // a version that was given out before
		}},
		"off and on at once": {change: func(t *testing.T, url string) {
			do(t, connected(t, url), `ALTER TABLE users DISABLE TRIGGER USER; `+deactivate+PostgresSchema)
		}},
		"a column's type": {change: func(t *testing.T, url string) { do(t, connected(t, url), unseen["a column's type"].write) }},
		"a replica":       {change: func(t *testing.T, url string) { do(t, connected(t, url), unseen["as a replica"].write) }},
		"a pooler":        {pooled: true, change: func(t *testing.T, url string) { do(t, connected(t, url), deactivate) }},
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := filled(t, server, parsed(t, withUsers(administrator)))
			url := p.connect.url
			if ways.pooled {
				p = postgresAt(t, PostgresConfig{URL: server.Pooler("transaction", url), Listen: DefaultPostgresChannel})
			}
			c := openCached(t, CachedConfig{Origin: p, FetchTimeout: patient, MaxAgeChange: 5 * time.Second})
			if !ways.pooled {
				live(t, c)
			}
			ask := func() (status string, vouched bool) {
				v, err := c.View(context.Background(), pdp.Need{})
				require.NoError(t, err)
				u, err := v.User(context.Background(), "a")
				require.NoError(t, err)
				require.NotNil(t, u)
				return u.Record().Status, v.UserFact(u).Vouched
			}
			status, _ := ask()
			require.NotEqual(t, "deactivated", status)
			ways.change(t, url)
			until := time.Now().Add(1200 * time.Millisecond) // the lease, within which it may still be confirmed
			for over := false; !over; {
				over = time.Now().After(until)
				status, vouched := ask()
				if status == "deactivated" {
					break
				}
				require.False(t, over && vouched, "confirmed as %q", status)
			}
			require.Eventually(t, func() bool { status, _ := ask(); return status == "deactivated" }, patient, 10*time.Millisecond)
		})
	}
}
