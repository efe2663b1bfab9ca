package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/adapters/client"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/membership/pgorigin"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// Two administrators ask different sidecars, and claim at the other one: only one of them may make the change.
func TestSidecarsExcludeEachOthersClaims(t *testing.T) {
	skipIfShort(t)
	t.Parallel()
	server, redis := servertest.StartPostgres(t), servertest.StartRedis(t)
	database, key := server.Database(), writeFile(t, "fleet.key", strings.Repeat("a1", 32))
	require.Zero(t, run(t, nil, "directory", "import", "../../testdata/directories/sample.yaml", "--to", database).status)
	var sidecars []*client.Client
	for range 2 {
		d := startServer(t, "--directory", database, "--redis", redis.URL(), "--fleet-key-file", key, "--claim-lifetime", "10m")
		c, err := client.Discover(context.Background(), client.Config{URL: d.url, Timeout: time.Minute})
		require.NoError(t, err)
		t.Cleanup(c.Close)
		sidecars = append(sidecars, c)
	}
	question := func(subject string) authzen.Evaluation {
		return authzen.Evaluation{
			Subject: authzen.Entity{Type: "user", ID: subject}, Action: authzen.Action{Name: "assignment.remove"},
			Resource: authzen.Entity{Type: "user", ID: "jane", Properties: map[string]any{"location": "abc"}},
			Context:  map[string]any{"current_location": "metro", "include": []any{"guard"}},
		}
	}
	var guards []string
	for i, subject := range []string{"alice", "rafael"} {
		answers, err := sidecars[i].Decide(t.Context(), []authzen.Evaluation{question(subject)})
		require.NoError(t, err)
		require.True(t, answers[0].Decision, answers)
		guards = append(guards, client.Guard(answers[0]))
	}
	first, err := sidecars[1].Claim(t.Context(), question("alice"), guards[0])
	require.NoError(t, err)
	require.True(t, first.Claimed, first)
	second, err := sidecars[0].Claim(t.Context(), question("rafael"), guards[1])
	require.NoError(t, err)
	assert.False(t, second.Claimed)
	assert.Equal(t, "taken", second.Code)

	conn := servertest.Connect(t, database)
	servertest.Exec(t, conn, `DELETE FROM assignments WHERE user_id = 'jane' AND location = 'abc'`)
	second, err = sidecars[0].Claim(t.Context(), question("rafael"), client.Guard(second.Evaluation))
	require.NoError(t, err)
	assert.False(t, second.Claimed)
	assert.Equal(t, "denied", second.Code, "the assignment is gone")

	another := question("alice")
	another.Action.Name, another.Resource.Properties = "user.deactivate", nil
	answers, err := sidecars[0].Decide(t.Context(), []authzen.Evaluation{another})
	require.NoError(t, err)
	require.True(t, answers[0].Decision, answers)
	redis.Stop()
	_, err = sidecars[0].Claim(t.Context(), another, client.Guard(answers[0]))
	var status *client.StatusError
	require.ErrorAs(t, err, &status)
	assert.Equal(t, 503, status.Status)
}

func TestGuardsOfTheSchemaArePrinted(t *testing.T) {
	require.Equal(t, result{out: pgorigin.Guards}, run(t, nil, "directory", "schema", "--guards"))
}
