package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/bench"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// sampleDocument returns the sample directory as JSON.
func sampleDocument(t *testing.T) string {
	t.Helper()
	var document any
	require.NoError(t, yaml.Unmarshal([]byte(readFile(t, sampleDirectory)), &document))
	data, err := json.Marshal(document)
	require.NoError(t, err)
	return string(data)
}

var askedOfJane = []string{"alice", "assignment.remove", "jane", "--at", "ghi", "--from", "metro"}

// A question by a database or an application has the answer and the explanation that it has by the file with the same records.
func TestAskByAnyDirectory(t *testing.T) {
	t.Parallel()
	server := servertest.StartPostgres(t)
	database := server.Database()
	require.Zero(t, run(t, nil, "directory", "import", sampleDirectory, "--to", database).status)
	application := origintest.NewApplication(t, sampleDocument(t))
	url := application.Serve().URL + "/membership"
	withoutPassword := strings.Replace(database, ":"+server.Password(), "", 1)
	shared := writeFile(t, "c.yaml", "redis: redis://127.0.0.1:1\nchanges_token_file: none\nmembership: {announced: all}\n")
	for _, command := range [][]string{{"ask"}, {"ask", "--json"}, {"explain"}, {"explain", "--for", "author"}} {
		command = append(command, askedOfJane...)
		want := run(t, nil, append(command, "--directory", sampleDirectory)...)
		require.Equal(t, statusNo, want.status, want)
		require.Equal(t, want, run(t, nil, append(command, "--directory", url)...))
		require.Equal(t, want, run(t, []string{"PGPASSWORD=" + server.Password()}, append(command, "--directory", withoutPassword)...))
		require.Equal(t, want, run(t, nil, append(command, "--directory", database, "--config", shared)...), "what sidecars share is not used")
	}
	for _, r := range application.Requests() {
		switch r.URL.Path {
		case "/users/by-id":
			assert.Contains(t, []string{"alice", "jane"}, r.URL.Query().Get("id"))
		case "/organizations/by-location":
			assert.Contains(t, []string{"ghi", "metro"}, r.URL.Query().Get("id"))
		default:
			assert.Equal(t, "/locations", r.URL.Path, "nothing but the facts of the question is fetched")
			assert.Equal(t, "1", r.URL.Query().Get("limit"))
		}
	}
}

func TestAskSaysWhyADirectoryCannotBeRead(t *testing.T) {
	t.Parallel()
	server := servertest.StartPostgres(t)
	database := server.Database()
	application := origintest.NewApplication(t, sampleDocument(t))
	url := application.Serve().URL + "/membership"
	application.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Get("id") == "jane" {
			w.WriteHeader(http.StatusInternalServerError)
			return true
		}
		return false
	})
	misspelled := []string{"--config", writeFile(t, "c.yaml", "membership: {postgres: {tabel: people}}\n")}
	for directory, want := range map[string]string{
		strings.Replace(database, ":"+server.Password(), ":s3cr3t-pw", 1): "password authentication failed",
		strings.Replace(database, "/database_1", "/nowhere", 1):           `database "nowhere" does not exist`,
		database:                       "there is no table or view users",
		noDatabase:                     "wardkeeper: cannot read postgres://127.0.0.1:1/app: Membership facts are unavailable: the database cannot answer: failed to connect",
		noApplication:                  "application at 127.0.0.1:1",
		url:                            "Membership facts are unavailable",
		"postgress://u:s3cr3t-pw@h/db": "--directory is an address of an unsupported kind: use https:// or postgres://, or name a file",
		"postgres:u:s3cr3t-pw@h/db":    "--directory is an address of an unsupported kind",
		"https://u:s3cr3t-pw@h/m":      "the application's URL contains a user or password",
		"direktory.yaml":               "direktory.yaml: no such file",
	} {
		for _, command := range []string{"ask", "explain"} {
			got := run(t, nil, append([]string{command, "--directory", directory}, askedOfJane...)...)
			require.Equal(t, statusFailed, got.status, got)
			require.Empty(t, got.out)
			require.Contains(t, got.err, want)
			require.NotContains(t, got.err, server.Password())
			require.NotContains(t, got.err, "s3cr3t-pw")
		}
	}
	got := run(t, nil, append(append([]string{"ask", "--directory", database}, askedOfJane...), misspelled...)...)
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.err, `"membership.postgres.tabel" is not a setting`)
}

// The users to ask about can be read from where the server has its facts.
func TestBenchReadsTheServersDirectory(t *testing.T) {
	t.Parallel()
	server := servertest.StartPostgres(t)
	database := server.Database()
	require.Zero(t, run(t, nil, "directory", "import", sampleDirectory, "--to", database).status)
	d := startServer(t, "--directory", database)
	got := run(t, nil, "bench", "--server", d.url, "--directory", database, "--duration", "1s", "--warm-up", "0s", "--json")
	require.Equal(t, statusOK, got.status, got)
	var r bench.Result
	require.NoError(t, json.Unmarshal([]byte(got.out), &r), got.out)
	assert.Positive(t, r.Allowed)
	assert.Zero(t, r.Errors)

	got = run(t, nil, "bench", "--server", d.url, "--directory", noDatabase)
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.err, "cannot read postgres://127.0.0.1:1/app: ")
	require.NotContains(t, got.err, "s3cr3t-pw")
}
