package pgorigin

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
)

// Concurrent queries through a pooler are answered. Facts are confirmed only if the listening connection bypasses the
// pooler.
func TestPooler(t *testing.T) {
	ctx := context.Background()
	server := servertest.StartPostgres(t)
	for _, mode := range []string{"session", "transaction", "statement"} {
		t.Run(mode, func(t *testing.T) {
			d := origintest.MixedDirectory(t, 9, 60)
			direct, conn := filledOrigin(t, server, d)
			through := server.StartPgBouncer(mode, direct.listenAt.url)
			p := openOrigin(t, Config{URL: through, Listen: DefaultChannel})
			require.NoError(t, p.Check(ctx))
			assertSameFacts(t, d, readDirectory(t, p))
			assert.Equal(t, historyOf(t, direct), historyOf(t, p))
			var all sync.WaitGroup
			for i := range 8 {
				all.Go(func() {
					for j := range 25 {
						q := facts.UserQuery{Limit: 3, Sort: membership.SortKeys[j%len(membership.SortKeys)], Descending: i%2 == 0, Beneath: []string{"", "metro"}[j%2]}
						_, err := p.Users(ctx, q)
						assert.NoError(t, err)
						_, err = p.User(ctx, fmt.Sprint(i, j))
						assert.NoError(t, err)
					}
				})
			}
			all.Wait()
			shared := servertest.Connect(t, through)
			for range 5 {
				answers, err := shared.PgConn().Exec(ctx, "SHOW jit").ReadAll()
				require.NoError(t, err)
				assert.Equal(t, "on", string(answers[0].Rows[0][0]), "sessions that others use are left as they are")
			}

			for _, told := range []bool{false, true} {
				h := watch(t, openOrigin(t, Config{URL: through, Listen: DefaultChannel, Announced: told}))
				require.Eventually(t, func() bool { return len(h.errs()) > 1 }, fixture.Timeout, time.Millisecond)
				for _, err := range h.errs() {
					var missing *membership.Unproven
					require.ErrorAs(t, err, &missing)
					assert.Equal(t, []string{"pooled_connection"}, missing.Missing)
					assert.Contains(t, missing.Reason, "listen_url")
				}
				assert.Zero(t, h.count("began"))
				h.stop()
			}

			past := openOrigin(t, Config{URL: through, ListenURL: direct.listenAt.url, Listen: DefaultChannel})
			h := watch(t, past)
			h.heartbeatSince(time.Now())
			assert.Equal(t, historyOf(t, past), h.lastHistory())
			servertest.Exec(t, conn, `UPDATE users SET title = 'Dr.' WHERE id = (SELECT min(id) FROM users)`)
			h.heartbeatSince(time.Now())
			assert.Len(t, h.changes(), 1)
		})
	}
}

// An import through a pooler either succeeds or, if the pooler does not support transactions, is refused as a whole.
func TestImportThroughAPooler(t *testing.T) {
	ctx := context.Background()
	server := servertest.StartPostgres(t)
	for _, mode := range []string{"session", "transaction"} {
		url := server.Database()
		for seed := range 2 {
			d := origintest.MixedDirectory(t, uint64(14+seed), 40)
			require.NoError(t, Import(ctx, Target{URL: server.StartPgBouncer(mode, url), Schema: true}, d, nil))
			assertSameFacts(t, d, readDirectory(t, openOrigin(t, Config{URL: url})))
		}
	}
	p, _ := filledOrigin(t, server, origintest.ParseDirectory(t, fixture.WithUsers(administrator)))
	before := snapshot(t, p)
	for _, schema := range []bool{true, false} {
		err := Import(ctx, Target{URL: server.StartPgBouncer("statement", p.listenAt.url), Schema: schema}, origintest.MixedDirectory(t, 16, 10), nil)
		require.ErrorContains(t, err, "transaction")
		assert.False(t, errors.Is(err, context.DeadlineExceeded))
	}
	assert.Equal(t, before, snapshot(t, p))
}
