package main

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// legacyExample is the worked example that TestLegacySchema runs.
const legacyExample = "pdp/membership/LEGACY.md"

// TestLegacySchema runs the worked example from top to bottom: its SQL against a database, its settings with a server, and its
// commands against that.
func TestLegacySchema(t *testing.T) {
	database := servertest.StartPostgres(t).Database()
	conn, err := pgx.Connect(t.Context(), database)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(t.Context())) }()
	execute := func(sql string) {
		t.Helper()
		_, err := conn.PgConn().Exec(t.Context(), sql).ReadAll()
		require.NoError(t, err, sql)
	}
	t.Setenv("PGPASSWORD", "change-me")
	address, err := url.Parse(database)
	require.NoError(t, err)
	address.User = url.User("wardkeeper_reader")

	config := filepath.Join(t.TempDir(), "legacy.yaml")
	var d *daemon
	ran := map[string]int{}
	for _, block := range fencedBlocks(documents(t)[legacyExample]) {
		ran[block.language]++
		switch block.language {
		case "sql":
			execute(block.text)
		case "yaml":
			settings := strings.Replace(block.text, "postgres://wardkeeper_reader@db.example.org/app", address.String(), 1)
			require.NotEqual(t, block.text, settings)
			// Facts must not expire by age during the test.
			require.NoError(t, os.WriteFile(config, []byte(settings+"\nmax_age_change: 10m\nmax_age_use: 10m\n"), 0o600))
			d = startServer(t, "--config", config)
			waitUntil(t, "facts are confirmed", func() bool { return d.metric(t, "wardkeeper_membership_vouched") == 1 })
		case "console":
			for _, step := range consoleSteps("```console\n" + block.text + "\n```") {
				command := strings.ReplaceAll(step.command, "bin/legacy.yaml", config)
				command = strings.ReplaceAll(command, "bin/wardkeeper", binary(t))
				said, want := "nothing yet", strings.ReplaceAll(step.output, "db.example.org/app", address.Host+address.Path)
				for limit := time.Now().Add(time.Minute); said != want && time.Now().Before(limit); {
					cmd := exec.Command("sh", "-c", command)
					cmd.Env = append(os.Environ(), "WARDKEEPER_SERVER="+d.url)
					out, _ := cmd.CombinedOutput() // a denial has another exit status
					said = strings.TrimRight(string(out), "\n")
				}
				assert.Equal(t, want, said, step.command)
			}
		}
	}
	require.Equal(t, map[string]int{"sql": 7, "yaml": 1, "console": 2}, ran)

	// The document's claims about unknown codes and missing privileges.
	execute(`UPDATE staff_sites SET job_code = 'NEW' WHERE staff_no = 42 AND site_no = 101`)
	waitUntil(t, "the record is quarantined", func() bool {
		got := run(t, []string{"WARDKEEPER_SERVER=" + d.url}, "ask", "42", "location.switch", "102")
		_, ready := d.get(t, "/ready")
		return got.status == 2 && strings.Contains(ready, `"quarantined_count":1`)
	})
	_, err = conn.Exec(t.Context(), `SET ROLE wardkeeper_reader; SELECT * FROM staff`)
	require.ErrorContains(t, err, "permission denied")
}

type fencedBlock struct{ language, text string }

// fencedBlocks returns the code blocks of a document, in order.
func fencedBlocks(text string) []fencedBlock {
	var blocks []fencedBlock
	for _, match := range regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
		blocks = append(blocks, fencedBlock{match[1], strings.TrimSuffix(match[2], "\n")})
	}
	return blocks
}
