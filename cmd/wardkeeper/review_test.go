package main

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/csv"
	"encoding/json"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/decisionlog"
	"github.com/wardkeeper/wardkeeper/pdp/decisionpart"
)

// smallReview is a directory with an administrator whose texts a spreadsheet would run, and one whom nobody administers.
const smallReview = `
locations:
  - {id: metro, name: "=HYPERLINK(\"http://x\")", kind: region, model: regional}
  - {id: north, name: "\tNorth", kind: division, parent: metro}
  - {id: abc, name: "-ABC", kind: facility, parent: north}
  - {id: south, name: South, kind: division, parent: metro}
users:
  - {id: alice, username: "@alice", name: {given: "+1", family: Chen}, default_location: metro, assignments: [{location: metro, role: regional_admin}]}
  - {id: bob, username: bob, default_location: north, assignments: [{location: north, role: division_admin}]}
  - {id: carl, username: carl, default_location: abc, assignments: [{location: abc, role: ed_normal}]}
  - {id: dora, username: dora, status: deactivated}
`

// reviewed runs a review of smallReview and returns its folder.
func reviewed(t *testing.T, args ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "review")
	got := run(t, nil, append([]string{"review", "--directory", writeFile(t, "directory.yaml", smallReview), "--output", dir}, args...)...)
	require.Equal(t, statusOK, got.status, got)
	return dir
}

func rowsOfCSV(t *testing.T, dir, name string) [][]string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(readFile(t, filepath.Join(dir, name)))).ReadAll()
	require.NoError(t, err)
	return rows
}

func TestReviewSaysWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	dir := reviewed(t)
	rows := rowsOfCSV(t, dir, "access.csv")
	require.Equal(t, []string{"organization", "subject", "username", "name", "role", "location", "location_name", "kind", "parent", "action", "changes", "over", "count", "rule"}, rows[0])
	row := func(subject, action, rule string) []string {
		i := slices.IndexFunc(rows, func(r []string) bool { return r[1] == subject && r[9] == action && r[13] == rule })
		if i < 0 {
			return nil
		}
		return rows[i]
	}
	require.Equal(t, []string{"metro", "alice", "'@alice", "'+1 Chen", "regional_admin", "metro", `'=HYPERLINK("http://x")`, "region", "", "user.deactivate", "yes", "users", "2", "REG-11"},
		row("alice", "user.deactivate", "REG-11"), "herself not")
	require.Equal(t, []string{"metro", "bob", "bob", "", "division_admin", "north", "'\tNorth", "division", "metro", "user.list", "no", "locations", "2", "REG-2"}, row("bob", "user.list", "REG-2"))
	require.Equal(t, "1", row("bob", "assignment.edit", "REG-6")[12], "carl, standing at abc")
	require.Nil(t, row("bob", "assignment.edit", "REG-7"))
	require.Nil(t, row("bob", "user.list", "REG-1"))
	var carl []string
	for _, r := range rows {
		if r[1] == "carl" {
			carl = append(carl, strings.Join(r[4:], ","))
		}
	}
	require.Equal(t, []string{
		"ed_normal,abc,'-ABC,facility,north,incident.view,no,locations,3,REG-22", "ed_normal,abc,'-ABC,facility,north,location.switch,no,locations,1,REG-20",
		"ed_normal,abc,'-ABC,facility,north,patient.view,no,patients of locations,1,REG-21", "ed_normal,abc,'-ABC,facility,north,summary.view,no,locations,3,REG-22",
	}, carl, "no power over anybody")

	require.Equal(t, [][]string{
		{"organization", "user", "username", "name", "status", "roles", "administrator"},
		{"metro", "alice", "'@alice", "'+1 Chen", "active", "regional_admin at metro", "yes"},
		{"", "dora", "dora", "", "deactivated", "", "no"},
	}, rowsOfCSV(t, dir, "orphans.csv"))

	for _, name := range []string{"access.csv", "manifest.json"} {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode())
	}
	got := run(t, nil, "review", "--directory", testDirectory, "--output", dir)
	require.Equal(t, statusFailed, got.status, "an earlier review is not replaced")
	require.Contains(t, got.err, "is not empty")
}

func TestReviewAsJSON(t *testing.T) {
	t.Parallel()
	dir := reviewed(t, "--format", "json")
	lines := strings.Split(strings.TrimSpace(readFile(t, filepath.Join(dir, "access.jsonl"))), "\n")
	require.Len(t, lines, len(rowsOfCSV(t, reviewed(t), "access.csv"))-1)
	var row map[string]any
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &row))
	require.Equal(t, map[string]any{
		"organization": "metro", "subject": "alice", "username": "@alice", "name": "+1 Chen", "role": "regional_admin", "location": "metro",
		"location_name": `=HYPERLINK("http://x")`, "kind": "region", "parent": "", "action": "assignment.add", "changes": true, "over": "users", "count": 2.0, "rule": "REG-5",
	}, row)
}

// A review is evidence: whatever is changed in it afterwards is found.
func TestReviewIsSigned(t *testing.T) {
	t.Parallel()
	private := filepath.Join(t.TempDir(), "private.pem")
	made := run(t, nil, "log", "key", private)
	require.Equal(t, statusOK, made.status, made)
	public := writeFile(t, "public.pem", made.out)
	_, otherKey := logFolder(t)
	dir := reviewed(t, "--signing-key", private)

	got := run(t, nil, "review", "verify", dir, "--key", public)
	require.Equal(t, statusOK, got.status, got)
	require.Contains(t, got.out, "is valid, signed by key ")
	got = run(t, nil, "review", "verify", dir)
	require.Equal(t, statusOK, got.status, got)
	require.Contains(t, got.out, "its signature is not checked")
	got = run(t, nil, "review", "verify", dir, "--key", otherKey)
	require.Equal(t, statusNo, got.status, got)
	require.Contains(t, got.err, "none of the keys has signed it")
	if openssl, err := exec.LookPath("openssl"); err == nil {
		out, err := exec.Command(openssl, "pkeyutl", "-verify", "-pubin", "-inkey", public, "-rawin",
			"-in", filepath.Join(dir, "manifest.json"), "-sigfile", filepath.Join(dir, "manifest.json.sig")).CombinedOutput()
		require.NoError(t, err, string(out))
	}

	for name, c := range map[string]struct{ file, with, fault string }{
		"a list":           {"access.csv", "organization,subject\n", "access.csv: it is not what the manifest says"},
		"the manifest":     {"manifest.json", `{"kind": "access review"}`, "none of the keys has signed it"},
		"a missing list":   {"orphans.csv", "", "orphans.csv: it is missing"},
		"a further file":   {"more.csv", "x\n", "more.csv: the manifest does not have it"},
		"no signature":     {"manifest.json.sig", "", "it is not signed"},
		"a missing review": {"manifest.json", "", "the review is not complete"},
	} {
		copied := filepath.Join(t.TempDir(), "copy")
		require.NoError(t, os.CopyFS(copied, os.DirFS(dir)))
		path := filepath.Join(copied, c.file)
		if c.with == "" {
			require.NoError(t, os.Remove(path))
		} else {
			require.NoError(t, os.WriteFile(path, []byte(c.with), 0o600))
		}
		got := run(t, nil, "review", "verify", copied, "--key", public)
		require.Equal(t, statusNo, got.status, "%s: %v", name, got)
		require.Contains(t, got.err, c.fault, name)
	}

	got = run(t, nil, "review", "verify", reviewed(t), "--key", public)
	require.Equal(t, statusNo, got.status, got)
	require.Contains(t, got.err, "it is not signed")
}

// A signed manifest may name no file elsewhere.
func TestReviewManifestStaysInItsFolder(t *testing.T) {
	t.Parallel()
	pub, key, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	der, err := x509.MarshalPKIXPublicKey(pub)
	require.NoError(t, err)
	public := writeFile(t, "public.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
	for _, name := range []string{"../x", "/etc/passwd", "", ".."} {
		dir := t.TempDir()
		manifest, err := json.Marshal(map[string]any{"kind": "access review", "files": []any{map[string]any{"name": name}}})
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "manifest.json"), manifest, 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "manifest.json.sig"), ed25519.Sign(key, manifest), 0o600))
		got := run(t, nil, "review", "verify", dir, "--key", public)
		require.Equal(t, statusNo, got.status, got)
		require.Contains(t, got.err, "not in its folder", name)
	}
}

// What the log shows as done is no unused right, from where it was done; a denial is no use.
func TestReviewFindsUnusedRights(t *testing.T) {
	t.Parallel()
	logged := filepath.Join(t.TempDir(), "decisions")
	log, err := decisionlog.Open(decisionlog.Config{Dir: logged})
	require.NoError(t, err)
	for _, record := range []string{
		`{"time":"2026-01-02T03:04:05Z","outcome":"allowed","question":{"subject":{"id":"alice"},"action":{"name":"user.edit"},"context":{"current_location":"abc"}}}`,
		`{"time":"2026-01-03T03:04:05Z","outcome":"allowed","question":{"subject":{"id":"alice"},"action":{"name":"user.edit"},"context":{"current_location":"metro"}}}`,
		`{"time":"2026-01-04T03:04:05Z","outcome":"denied","question":{"subject":{"id":"bob"},"action":{"name":"user.edit"},"context":{"current_location":"north"}}}`,
		`{"time":"2026-01-05T03:04:05Z","outcome":"allowed","question":{"subject":{"id":"bob"},"action":{"name":"user.view"},"context":{"current_location":"metro"}}}`,
		`{"time":"2026-01-06T03:04:05Z","outcome":"listed","question":{"subject":{"id":"bob"},"action":{"name":"user.list"}}}`,
		`{"time":"2026-01-06T03:04:05Z","outcome":"allowed","question":{"subject":{"id":"stranger"},"action":{"name":"user.list"}}}`,
		`{"time":"2026-01-06T03:04:05Z","outcome":"allowed","question":{"subject":{"id":"bob"},"action":{"name":"location.switch"},"resource":{"type":"location","id":"abc"},"context":{"current_location":"south"}}}`,
		`{"time":"2026-01-06T03:04:05Z","outcome":"allowed","question":{"subject":{"id":"bob"},"action":{"name":"incident.view"},"resource":{"type":"location","id":"metro"},"context":{"current_location":"south"}}}`,
		`{"time":"2026-01-06T03:04:05Z","outcome":"allowed","question":{"subject":{"id":"bob"},"action":{"name":"summary.view"},"resource":{"type":"location","id":"south"},"context":{"current_location":"north"}}}`,
		`{"time":"2026-01-06T03:04:05Z","outcome":"allowed","question":{"subject":{"id":"bob"},"action":{"name":"patient.view"},"resource":{"type":"patient","id":"1"},"context":{"current_location":"south"}}}`,
	} {
		require.NoError(t, log.Append(t.Context(), decisionpart.Record{JSON: []byte(record)}))
	}
	require.NoError(t, log.Close(t.Context()))
	dir := reviewed(t, "--decision-log", logged)
	uses := map[string]string{}
	for _, row := range rowsOfCSV(t, dir, "access.csv")[1:] {
		uses[row[1]+" "+row[9]] = row[14] + " " + row[15]
	}
	require.Equal(t, "2 2026-01-03T03:04:05Z", uses["alice user.edit"])
	require.Equal(t, "0 ", uses["bob user.edit"], "it was denied")
	require.Equal(t, "0 ", uses["bob user.view"], "it was done elsewhere")
	require.Equal(t, "1 2026-01-06T03:04:05Z", uses["bob user.list"], "the record does not say where")
	for action, want := range map[string]string{"location.switch": "1 ", "incident.view": "1 ", "summary.view": "0 ", "patient.view": "1 "} {
		require.True(t, strings.HasPrefix(uses["bob "+action], want), "%s: the place counts, not where somebody stood", action)
	}
	unused := map[string]bool{}
	for _, row := range rowsOfCSV(t, dir, "unused.csv")[1:] {
		unused[row[1]+" "+row[9]] = true
	}
	for right, used := range uses {
		require.Equal(t, strings.HasPrefix(used, "0 "), unused[right], right)
	}
	var manifest struct {
		LeftOut []string `json:"left_out"`
		Log     struct {
			Records         int
			From, To        time.Time
			UnknownSubjects int `json:"unknown_subjects"`
		}
	}
	require.NoError(t, json.Unmarshal([]byte(readFile(t, filepath.Join(dir, "manifest.json"))), &manifest))
	require.Equal(t, []string{"invitation.accept", "invitation.reject"}, manifest.LeftOut)
	require.Equal(t, 9, manifest.Log.Records)
	require.Equal(t, 1, manifest.Log.UnknownSubjects)
	require.Equal(t, "2026-01-02T03:04:05Z", manifest.Log.From.Format(time.RFC3339))

	segment := filepath.Join(logged, "decisions-00000001.ndjson")
	require.NoError(t, os.WriteFile(segment, []byte(strings.Replace(readFile(t, segment), "stranger", "strangest", 1)), 0o600))
	got := run(t, nil, "review", "--directory", testDirectory, "--output", filepath.Join(t.TempDir(), "r"), "--decision-log", logged)
	require.Equal(t, statusNo, got.status, got)
	require.Contains(t, got.err, "nothing is said of what was used")
}

func TestReviewExplainsWhatIsMissing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "--directory is missing"},
		{[]string{"--directory", testDirectory}, "--output is missing"},
		{[]string{"--directory", testDirectory, "-o", "x", "--format", "xml"}, `--format is "xml": use csv or json`},
		{[]string{"--directory", testDirectory, "-o", "x", "--since", "24h"}, "name it (--decision-log)"},
		{[]string{"--directory", testDirectory, "-o", "x", "--signing-key", "none.pem"}, "the signing key cannot be read"},
		{[]string{"--directory", "redis://db/app", "-o", "x"}, "is an address of an unsupported kind"},
	} {
		got := run(t, nil, append([]string{"review"}, c.args...)...)
		require.Equal(t, statusFailed, got.status, got)
		require.Contains(t, got.err, c.want)
	}
	require.NoDirExists(t, "x")
}
