package pgorigin

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
)

// Creating a subscription ends listening. Changes that it applies are announced nevertheless, row by row.
func TestSubscriptionIsUnproven(t *testing.T) {
	ctx := context.Background()
	server := servertest.StartPostgres(t)
	publisher, from := filledOrigin(t, server, origintest.ParseDirectory(t, fixture.WithUsers(administrator)))
	p, to := filledOrigin(t, server, origintest.ParseDirectory(t, fixture.WithUsers(administrator)))
	h := watch(t, p)
	h.heartbeatSince(time.Now())
	u, err := url.Parse(publisher.listenAt.url)
	require.NoError(t, err)
	servertest.Exec(t, from, "CREATE PUBLICATION p FOR TABLE users, assignments, locations")
	servertest.Exec(t, from, "SELECT pg_create_logical_replication_slot('s', 'pgoutput')")
	servertest.Exec(t, to, fmt.Sprintf("CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 port=%s dbname=%s user=wardkeeper password=%s' PUBLICATION p WITH (create_slot = false, slot_name = s, copy_data = false)",
		u.Port(), strings.TrimPrefix(u.Path, "/"), server.Password()))
	listening := servertest.Connect(t, p.listenAt.url)
	servertest.Exec(t, listening, "LISTEN wardkeeper_changes")
	require.Eventually(t, func() bool { return len(h.errs()) > 0 }, fixture.Timeout, time.Millisecond)
	for _, sql := range []string{deactivate, "UPDATE assignments SET role = 'user' WHERE location = 'metro'", "DELETE FROM users WHERE id = 'b'"} {
		servertest.Exec(t, from, sql)
		within, cancel := context.WithTimeout(ctx, fixture.Timeout)
		defer cancel()
		for told := ""; told != `{"kind": "anything"}`; {
			note, err := listening.WaitForNotification(within)
			require.NoError(t, err, sql)
			told = note.Payload
		}
	}
	found, err := p.User(ctx, "a")
	require.NoError(t, err)
	assert.Contains(t, string(found.Record), "deactivated")
	require.Eventually(t, func() bool {
		var missing *membership.Unproven
		for _, err := range h.errs() {
			if e, ok := err.(*membership.Unproven); ok {
				missing = e
			}
		}
		return missing != nil && missing.Missing[0] == "replication"
	}, fixture.Timeout, time.Millisecond)
	servertest.Exec(t, to, "ALTER SUBSCRIPTION s DISABLE")
	servertest.Exec(t, to, "ALTER SUBSCRIPTION s SET (slot_name = NONE)")
	servertest.Exec(t, to, "DROP SUBSCRIPTION s")
	h.heartbeatSince(time.Now())
}
