package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// Questions are still answered.
func TestReadinessAndMetricsNameTheMissingProof(t *testing.T) {
	t.Parallel()
	url := servertest.StartPostgres(t).Database()
	require.Zero(t, run(t, nil, "directory", "import", testDirectory, "--to", url).status)
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), "ALTER TABLE users DISABLE TRIGGER wardkeeper_updated")
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))

	d := startServer(t, "--directory", url)
	waitUntil(t, "the missing proof is told", func() bool {
		status, body := d.get(t, "/ready")
		require.Equal(t, http.StatusOK, status, body)
		return strings.Contains(body, `"not_vouched":true,"unconfirmed":["triggers"]`)
	})
	require.EqualValues(t, 1, d.metric(t, `wardkeeper_membership_unproven{proof="triggers"}`))
	require.Zero(t, d.metric(t, "wardkeeper_membership_vouched"))
	_, body := post(t, d.url, "", viewJane)
	require.Equal(t, `{"decision":true}`, body)
}
