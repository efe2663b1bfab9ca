package membership

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// Through a pooler, every question is answered, by many at once; nothing is taken for confirmed, unless the listening
// connection goes past it.
func TestPostgresPooler(t *testing.T) {
	ctx := context.Background()
	server := servertest.StartPostgres(t)
	for _, mode := range []string{"session", "transaction", "statement"} {
		t.Run(mode, func(t *testing.T) {
			d := mixed(t, 9, 60)
			direct, conn := filled(t, server, d)
			through := server.Pooler(mode, direct.connect.url)
			p := postgresAt(t, PostgresConfig{URL: through, Listen: DefaultPostgresChannel})
			require.NoError(t, p.Check(ctx))
			assertSameFacts(t, d, rebuilt(t, p))
			assert.Equal(t, historyOf(t, direct), historyOf(t, p))
			var all sync.WaitGroup
			for i := range 8 {
				all.Go(func() {
					for j := range 25 {
						q := pdp.UserQuery{Limit: 3, Sort: sortKeys[j%len(sortKeys)], Descending: i%2 == 0, Beneath: []string{"", "metro"}[j%2]}
						_, err := p.Users(ctx, q)
						assert.NoError(t, err)
						_, err = p.User(ctx, fmt.Sprint(i, j))
						assert.NoError(t, err)
					}
				})
			}
			all.Wait()
			shared := connected(t, through)
			for range 5 {
				answers, err := shared.PgConn().Exec(ctx, "SHOW jit").ReadAll()
				require.NoError(t, err)
				assert.Equal(t, "on", string(answers[0].Rows[0][0]), "sessions that others use are left as they are")
			}

			for _, told := range []bool{false, true} {
				h := hearing(t, postgresAt(t, PostgresConfig{URL: through, Listen: DefaultPostgresChannel, Told: told}))
				require.Eventually(t, func() bool { return len(h.errs()) > 1 }, patient, time.Millisecond)
				for _, err := range h.errs() {
					var missing *Unproven
					require.ErrorAs(t, err, &missing)
					assert.Equal(t, []string{"pooled_connection"}, missing.Missing)
					assert.Contains(t, missing.Reason, "listen_url")
				}
				assert.Zero(t, h.count("began"))
				h.stop()
			}

			past := postgresAt(t, PostgresConfig{URL: through, ListenURL: direct.connect.url, Listen: DefaultPostgresChannel})
			h := hearing(t, past)
			h.beatSince(time.Now())
			assert.Equal(t, historyOf(t, past), h.history)
			do(t, conn, `UPDATE users SET title = 'Dr.' WHERE id = (SELECT min(id) FROM users)`)
			h.beatSince(time.Now())
			assert.Len(t, h.told(), 1)
		})
	}
}

// An import through a pooler is done as any other, or refused as a whole where transactions cannot be.
func TestPostgresImportPooled(t *testing.T) {
	ctx := context.Background()
	server := servertest.StartPostgres(t)
	for _, mode := range []string{"session", "transaction"} {
		url := server.Database()
		for seed := range 2 {
			d := mixed(t, uint64(14+seed), 40)
			require.NoError(t, ImportPostgres(ctx, PostgresTarget{URL: server.Pooler(mode, url), Schema: true}, d, nil))
			assertSameFacts(t, d, rebuilt(t, postgresAt(t, PostgresConfig{URL: url})))
		}
	}
	p, _ := filled(t, server, parsed(t, withUsers(administrator)))
	before := snapshot(t, p)
	for _, schema := range []bool{true, false} {
		err := ImportPostgres(ctx, PostgresTarget{URL: server.Pooler("statement", p.connect.url), Schema: schema}, mixed(t, 16, 10), nil)
		require.ErrorContains(t, err, "transaction")
		assert.False(t, errors.Is(err, context.DeadlineExceeded))
	}
	assert.Equal(t, before, snapshot(t, p))
}
