package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// While the database is down, questions are answered from facts that are fresh enough. Only when none is left, a load
// balancer should look for another server.
func TestServerIsDegradedWhileItAnswersWithoutItsDatabase(t *testing.T) {
	skipIfShort(t)
	t.Parallel()
	database, redis := servertest.StartPostgres(t), servertest.StartRedis(t)
	directory := database.Database()
	require.Zero(t, run(t, nil, "directory", "import", testDirectory, "--to", directory).status)
	d := startServer(t, "--directory", directory, "--redis", redis.URL(), "--lease", "200ms", "--max-age-use", "10m")
	cold := startServer(t, "--directory", directory, "--redis", redis.URL(), "--lease", "200ms", "--max-age-use", "10m")
	short := startServer(t, "--directory", directory, "--lease", "200ms", "--max-age-use", "2s", "--max-age-change", "1s")
	ask := func(d *daemon) int {
		w, _ := post(t, d.url, "", viewJane)
		return w.StatusCode
	}
	for _, d := range []*daemon{d, short} {
		require.Equal(t, http.StatusOK, ask(d))
	}
	for _, d := range []*daemon{d, cold, short} {
		waitUntil(t, "it is ready", func() bool {
			status, body := d.get(t, "/ready")
			return status == http.StatusOK && !strings.Contains(body, "missing")
		})
	}

	database.Stop()
	const useless = `{"error":"Not ready, missing: directory.","missing":["directory"]`
	waitUntil(t, "it is degraded", func() bool {
		status, body := d.get(t, "/ready")
		require.Equal(t, http.StatusOK, status, body)
		return strings.HasPrefix(body, `{"ready":true,"degraded":true,"missing":["directory"]`)
	})
	require.Equal(t, http.StatusOK, ask(d))
	require.EqualValues(t, 1, d.metric(t, `wardkeeper_readiness_state{state="degraded"}`))
	require.EqualValues(t, 1, d.metric(t, `wardkeeper_readiness_missing{check="directory"}`))
	d.waitForLog(t, "degraded: questions are answered, but something is missing", 1)
	waitUntil(t, "a server without facts is useless", func() bool {
		status, body := cold.get(t, "/ready")
		return status == http.StatusServiceUnavailable && strings.HasPrefix(body, useless)
	})
	waitUntil(t, "a server is useless when its facts are too old", func() bool {
		status, body := short.get(t, "/ready")
		return status == http.StatusServiceUnavailable && strings.HasPrefix(body, useless)
	})
	require.Equal(t, http.StatusServiceUnavailable, ask(short))
	require.EqualValues(t, 1, short.metric(t, `wardkeeper_readiness_state{state="useless"}`))

	// Redis makes no difference to that, and each is told.
	redis.Stop()
	waitUntil(t, "Redis is missed too", func() bool {
		status, body := d.get(t, "/ready")
		require.Equal(t, http.StatusOK, status, body)
		return strings.Contains(body, `"missing":["directory"]`) && strings.Contains(body, `"shared_lost":true`)
	})
	require.Equal(t, http.StatusOK, ask(d))

	database.Start()
	for _, d := range []*daemon{d, cold, short} {
		waitUntil(t, "it is ready again", func() bool {
			status, body := d.get(t, "/ready")
			return status == http.StatusOK && !strings.Contains(body, "missing")
		})
		d.waitForLog(t, "ready again", 1)
	}
}
