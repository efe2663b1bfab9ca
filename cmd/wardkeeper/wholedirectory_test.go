package main

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/accessreview"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// reviewOf reviews a directory into a new folder.
func reviewOf(t *testing.T, directory string, status int, args ...string) (dir string, said result) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "review")
	said = run(t, nil, append([]string{"review", "--directory", directory, "--output", dir}, args...)...)
	require.Equal(t, status, said.status, said)
	return dir, said
}

func requireSameReview(t *testing.T, want, got string) {
	t.Helper()
	for _, name := range []string{"access.csv", "orphans.csv"} {
		require.True(t, readFile(t, filepath.Join(want, name)) == readFile(t, filepath.Join(got, name)), "%s differs", name)
	}
}

func manifestOf(t *testing.T, dir string) *accessreview.Manifest {
	t.Helper()
	m, err := accessreview.Verify(dir, nil)
	require.NoError(t, err)
	return m
}

// The review of a database is that of the file that was imported, though others write while it is read.
func TestReviewOfADatabaseIsOfOneMoment(t *testing.T) {
	t.Parallel()
	server := servertest.StartPostgres(t)
	url := server.Database()
	file := filepath.Join(t.TempDir(), "directory.json")
	require.Zero(t, run(t, nil, "directory", "generate", "--users", "400", "-o", file).status)
	require.Zero(t, run(t, nil, "directory", "import", file, "--to", url).status)
	want, _ := reviewOf(t, file, statusOK)

	writer, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = writer.Close(t.Context()) })
	tx, err := writer.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "LOCK TABLE assignments IN ACCESS EXCLUSIVE MODE; UPDATE users SET status = 'deactivated'")
	require.NoError(t, err)
	committed := make(chan error, 1)
	go func() { // once the users are being read, and after the locations
		for waiting := false; !waiting; time.Sleep(time.Millisecond) {
			if err := tx.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'assignments'::regclass AND NOT granted)").Scan(&waiting); err != nil {
				committed <- err
				return
			}
		}
		committed <- tx.Commit(t.Context())
	}()
	got, said := reviewOf(t, url, statusOK)
	require.NoError(t, <-committed)
	requireSameReview(t, want, got)
	require.NotContains(t, said.out+said.err+readFile(t, filepath.Join(got, accessreview.ManifestFile)), server.Password())
	m := manifestOf(t, got)
	require.Equal(t, config.PublicName(url), m.Directory.Name)
	require.NotEmpty(t, m.Directory.Revision)
	require.WithinDuration(t, time.Now(), m.Moment, time.Hour)

	later, _ := reviewOf(t, url, statusOK)
	require.NotEqual(t, m.Directory.Revision, manifestOf(t, later).Directory.Revision)
	require.Len(t, rowsOfCSV(t, later, "access.csv"), 1, "nobody is active any more")
	again, _ := reviewOf(t, url, statusOK)
	require.Equal(t, manifestOf(t, later).Directory, manifestOf(t, again).Directory)
}

// Whoever has a faulty record is left out, and named.
func TestFaultyRecordsOfADatabaseAreNamed(t *testing.T) {
	t.Parallel()
	server := servertest.StartPostgres(t)
	url := server.Database()
	require.Zero(t, run(t, nil, "directory", "import", writeFile(t, "directory.yaml", smallReview+`
  - {id: gone, default_location: abc, assignments: [{location: abc, role: ed_normal}]}
`), "--to", url).status)
	writer, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	_, err = writer.Exec(t.Context(), `CREATE VIEW people AS SELECT id, username, title, given, family, NULLIF(status, CASE id WHEN 'gone' THEN 'active' END) AS status, default_location, last_login FROM users`)
	require.NoError(t, err)
	require.NoError(t, writer.Close(t.Context()))
	settings := []string{"--config", writeFile(t, "c.yaml", "membership: {postgres: {users: people}}\n")}

	dir, said := reviewOf(t, url, statusOpen, settings...)
	requireSameReview(t, reviewed(t), dir)
	require.Equal(t, [][]string{{"fault"}, {`user "gone": status must be text, not null`}}, rowsOfCSV(t, dir, "incomplete.csv"))
	require.Equal(t, 1, manifestOf(t, dir).Incomplete)
	require.Contains(t, said.err, "the directory is incomplete: 1 fault of records")
	verified := run(t, nil, "review", "verify", dir)
	require.Equal(t, statusOK, verified.status)
	require.Contains(t, verified.out, "4 users of an incomplete directory, as of ")

	said = run(t, nil, append([]string{"diff", builtIn, builtIn, "--action", "user.deactivate", "--directory", url}, settings...)...)
	require.Equal(t, statusNo, said.status, said)
	require.Contains(t, said.out, "\n  - the directory is incomplete: 1 fault of records that are left out, or changed while they were read\n  - user \"gone\": status must be text, not null\n")
	said = run(t, nil, append([]string{"diff", builtIn, builtIn, "--action", "user.deactivate", "--markdown", "--directory", url}, settings...)...)
	require.Contains(t, said.out, "the directory is incomplete: 1 fault")
	require.NotContains(t, said.out, "gone", "whoever reads a pull request need not see the directory")

	said = run(t, nil, append([]string{"attack", "--goal", "strand", "--depth", "1", "--control", "none", "--directory", url}, settings...)...)
	require.Equal(t, statusOpen, said.status, said)
	require.Contains(t, said.out, `left out: user "gone": status must be text, not null`)
	require.Contains(t, said.out, "directory: "+config.PublicName(url)+", revision ")
}

// The steps of a path can be asked again as of the moment that was read, and no step tells the password.
func TestAttackOfADatabaseWritesEachStep(t *testing.T) {
	t.Parallel()
	server := servertest.StartPostgres(t)
	url := server.Database()
	require.Zero(t, run(t, nil, "directory", "import", writeFile(t, "directory.yaml", attacked), "--to", url).status)
	got := run(t, nil, "attack", "--directory", url, "--from", "entity_admin", "--output", filepath.Join(t.TempDir(), "attack"))
	require.Equal(t, statusNo, got.status, got)
	require.NotContains(t, got.out, server.Password())
	steps := 0
	for line := range strings.Lines(got.out) {
		if command, isCommand := strings.CutPrefix(strings.TrimSpace(line), "wardkeeper "); isCommand {
			steps++
			require.Equal(t, statusOK, run(t, nil, strings.Fields(strings.NewReplacer(`'\''`, `'`, `'`, "").Replace(command))...).status, command)
		}
	}
	require.Equal(t, 2, steps)
}

func TestReviewSaysWhyADatabaseCannotBeRead(t *testing.T) {
	t.Parallel()
	server := servertest.StartPostgres(t)
	url := server.Database()
	secret := strings.Replace(url, ":"+server.Password(), ":s3cr3t", 1)
	for address, want := range map[string]string{
		secret: "password authentication failed",
		url:    "there is no table or view users",
		strings.Replace(url, "/database_1", "/nowhere", 1): `database "nowhere" does not exist`,
		"redis://host/0": "is an address of an unsupported kind",
	} {
		_, said := reviewOf(t, address, statusFailed)
		require.Contains(t, said.err, want)
		require.NotContains(t, said.err, server.Password())
		require.NotContains(t, said.err, "s3cr3t")
	}
	server.Stop()
	_, said := reviewOf(t, url, statusFailed)
	require.Contains(t, said.err, "cannot read "+config.PublicName(url)+": ")
	require.NotContains(t, said.err, server.Password())
}

// An application is read twice: what it changed meanwhile is named.
func TestReviewOfAnApplicationNamesWhatChanges(t *testing.T) {
	t.Parallel()
	document := func(status string) string {
		return `{"locations": [{"id": "metro", "kind": "region", "model": "regional"}], "users": [
			{"id": "alice", "default_location": "metro", "assignments": [{"location": "metro", "role": "regional_admin"}]},
			{"id": "bob", "status": "` + status + `", "default_location": "metro", "assignments": [{"location": "metro", "role": "regional_admin"}]}]}`
	}
	application := origintest.NewApplication(t, document("active"))
	url := application.Serve().URL + "/membership"
	want, _ := reviewOf(t, writeFile(t, "directory.json", document("active")), statusOK)
	got, _ := reviewOf(t, url, statusOK)
	requireSameReview(t, want, got)
	require.Equal(t, url, manifestOf(t, got).Directory.Name)

	lists := 0
	application.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/users" {
			if lists++; lists == 2 {
				application.Replace(document("deactivated"))
			}
		}
		return false
	})
	got, _ = reviewOf(t, url, statusOpen)
	require.Equal(t, [][]string{{"fault"}, {`user "bob": it changed while the directory was read`}}, rowsOfCSV(t, got, "incomplete.csv"))
}

// A record of more than 1 MiB is a fault like any other: it is named, and ends nothing.
func TestLargeRecordOfADatabaseIsNamed(t *testing.T) {
	t.Parallel()
	server := servertest.StartPostgres(t)
	url := server.Database()
	require.Zero(t, run(t, nil, "directory", "import", writeFile(t, "directory.yaml", smallReview+`
  - {id: gone, default_location: abc, assignments: [{location: abc, role: ed_normal}]}
`), "--to", url).status)
	writer, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	_, err = writer.Exec(t.Context(), "UPDATE users SET title = repeat('x', 3 << 20) WHERE id = 'gone'")
	require.NoError(t, err)
	require.NoError(t, writer.Close(t.Context()))
	const fault = `user "gone": the record has more than 1048576 bytes`

	dir, said := reviewOf(t, url, statusOpen)
	requireSameReview(t, reviewed(t), dir)
	require.Equal(t, [][]string{{"fault"}, {fault}}, rowsOfCSV(t, dir, "incomplete.csv"))
	require.Contains(t, said.err, "the directory is incomplete: 1 fault of records")
	said = run(t, nil, "directory", "check", url)
	require.Equal(t, statusNo, said.status, said)
	require.Contains(t, said.out, fault+"\n")
	require.Contains(t, said.out, " is faulty: 1 fault in ")

	said = run(t, nil, "ask", "gone", "location.switch", "abc", "--directory", url)
	require.Equal(t, statusFailed, said.status, said)
	require.Contains(t, said.err, `record quarantined: questions that need it are not answered" record="user \"gone\"" faults="the record has more than 1048576 bytes"`)
	said = run(t, nil, "ask", "carl", "location.switch", "abc", "--directory", url)
	require.Equal(t, statusOK, said.status, said)
}
