package membership

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// A subscription that is made while it is listened to ends that; what it applies is told all the same, row by row.
func TestPostgresReplication(t *testing.T) {
	ctx := context.Background()
	server := servertest.StartPostgres(t)
	publisher, from := filled(t, server, parsed(t, withUsers(administrator)))
	p, to := filled(t, server, parsed(t, withUsers(administrator)))
	h := hearing(t, p)
	h.beatSince(time.Now())
	u, err := url.Parse(publisher.connect.url)
	require.NoError(t, err)
	do(t, from, "CREATE PUBLICATION p FOR TABLE users, assignments, locations")
	do(t, from, "SELECT pg_create_logical_replication_slot('s', 'pgoutput')")
	do(t, to, fmt.Sprintf("CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 port=%s dbname=%s user=wardkeeper password=%s' PUBLICATION p WITH (create_slot = false, slot_name = s, copy_data = false)",
		u.Port(), strings.TrimPrefix(u.Path, "/"), server.Password()))
	listening := connected(t, p.connect.url)
	do(t, listening, "LISTEN wardkeeper_changes")
	require.Eventually(t, func() bool { return len(h.errs()) > 0 }, patient, time.Millisecond)
	for _, sql := range []string{deactivate, "UPDATE assignments SET role = 'user' WHERE location = 'metro'", "DELETE FROM users WHERE id = 'b'"} {
		do(t, from, sql)
		within, cancel := context.WithTimeout(ctx, patient)
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
		var missing *Unproven
		for _, err := range h.errs() {
			if e, ok := err.(*Unproven); ok {
				missing = e
			}
		}
		return missing != nil && missing.Missing[0] == "replication"
	}, patient, time.Millisecond)
	do(t, to, "ALTER SUBSCRIPTION s DISABLE")
	do(t, to, "ALTER SUBSCRIPTION s SET (slot_name = NONE)")
	do(t, to, "DROP SUBSCRIPTION s")
	h.beatSince(time.Now())
}
