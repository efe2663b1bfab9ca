package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/pdp/membership/pgorigin"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

func TestDirectorySchemaIsPrinted(t *testing.T) {
	require.Equal(t, result{out: pgorigin.Schema}, run(t, nil, "directory", "schema"))
}

func TestDirectoryImportReplacesTheContent(t *testing.T) {
	t.Parallel()
	server := servertest.StartPostgres(t)
	url := server.Database()
	shown := config.PublicName(url)

	got := run(t, nil, "directory", "import", testDirectory, "--to", url, "--no-schema")
	require.Equal(t, statusFailed, got.status, got)
	require.NotContains(t, shown, server.Password())
	require.Contains(t, got.err, "nothing was imported: ")
	require.Contains(t, got.err, `relation "users" does not exist`)
	require.NotContains(t, got.err, server.Password())

	want := result{out: "imported " + sampleCounts(t) + " into " + shown + "\n"}
	require.Equal(t, want, run(t, nil, "directory", "import", testDirectory, "--to", url))
	require.Equal(t, want, run(t, nil, "directory", "import", testDirectory, "--to", url, "--no-schema"), "again")
	require.Equal(t, want, run(t, []string{"PGPASSWORD=" + server.Password()}, "directory", "import", testDirectory, "--to",
		strings.Replace(url, ":"+server.Password(), "", 1)), "the password in the environment")

	got = run(t, nil, "directory", "import", "testdata/faulty.yaml", "--to", url)
	require.Equal(t, run(t, nil, "directory", "check", "testdata/faulty.yaml"), got)
	require.Equal(t, statusNo, got.status)

	server.Stop()
	got = run(t, nil, "directory", "import", testDirectory, "--to", url)
	require.Equal(t, statusFailed, got.status, got)
	require.NotContains(t, got.err, server.Password())
	require.Empty(t, got.out)
}

// sampleCounts is what `directory check` counts, without the organizations.
func sampleCounts(t *testing.T) string {
	t.Helper()
	got := run(t, nil, "directory", "check", testDirectory)
	words := strings.Fields(strings.TrimPrefix(got.out, testDirectory+" is valid: "))
	require.Len(t, words, 7, got)
	return words[0] + " " + words[1] + ", " + words[5] + " " + words[6]
}

func TestDirectorySchemaRunsInPsql(t *testing.T) {
	t.Parallel()
	server := servertest.StartPostgres(t)
	cmd := exec.Command("psql", "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", server.Database())
	cmd.Stdin = strings.NewReader(run(t, nil, "directory", "schema").out)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}
