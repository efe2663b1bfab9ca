package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

func TestDirectoryCheckReadsADatabase(t *testing.T) {
	t.Parallel()
	server := servertest.StartPostgres(t)
	url := server.Database()
	require.Zero(t, run(t, nil, "directory", "import", testDirectory, "--to", url).status)
	good := result{out: config.PublicName(url) + " is valid: 4 locations in 1 organization, 2 users\n"}
	require.Equal(t, good, run(t, nil, "directory", "check", url))
	require.Equal(t, good, run(t, []string{"WARDKEEPER_DIRECTORY=" + url}, "directory", "check"))

	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), `CREATE VIEW people AS SELECT id, username, title, given, family, NULL::text AS status, default_location, last_login FROM users`)
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))
	settings := writeFile(t, "c.yaml", "directory: "+url+"\nmembership: {postgres: {users: people}}\n")
	got := run(t, nil, "directory", "check", "--config", settings)
	require.Equal(t, statusNo, got.status, got)
	lines := strings.Split(strings.TrimSpace(got.out), "\n")
	require.Len(t, lines, 3)
	require.Contains(t, lines[0], "status must be text, not null")
	require.Equal(t, config.PublicName(url)+" is faulty: 2 faults in 4 locations in 1 organization, 2 users", lines[2])
	require.NotContains(t, got.out+got.err, server.Password())

	checked := run(t, nil, "serve", "--check", "--config", settings)
	require.Equal(t, statusOK, checked.status, checked)
	require.Contains(t, checked.out, `Not all records of the directory were read: "wardkeeper directory check" does that.`)
}

func TestDirectoryCheckTakesTheSettings(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		answer := `{"code": "unknown"}`
		switch {
		case r.Header.Get("Authorization") != "Bearer 0123456789abcdef":
			w.WriteHeader(http.StatusUnauthorized)
		case strings.HasSuffix(r.URL.Path, "/by-username"):
			answer = `{"users": []}`
		case strings.HasSuffix(r.URL.Path, "/locations"):
			answer = `{"ids": [], "more": false}`
		case strings.HasSuffix(r.URL.Path, "/users"):
			answer = `{"users": [{"user": {"id": "jane", "username": " jane"}, "version": 1}], "more": false}`
		default:
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(server.Close)
	config := writeFile(t, "c.yaml", "membership: {http: {token_file: "+writeFile(t, "token", "0123456789abcdef")+"}}\n")
	got := run(t, nil, "directory", "check", server.URL, "--config", config)
	require.Equal(t, statusNo, got.status, got)
	require.Contains(t, got.out, `user "jane": username must not begin or end with white space`)
	require.Contains(t, got.out, `user "jane": the source does not return the same record by its id`)
	require.Contains(t, got.out, " is faulty: 2 faults in 0 locations in 0 organizations, 1 user\n")

	got = run(t, nil, "directory", "check", server.URL)
	require.Equal(t, statusFailed, got.status, got)
	require.Contains(t, got.err, ": Membership facts are unavailable: application at ")
	require.Equal(t, statusFailed, run(t, nil, "directory", "check", server.URL, "--config", writeFile(t, "x.yaml", "adr: x\n")).status)
}
