package main

import (
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/decisionformat"
	"github.com/wardkeeper/wardkeeper/pdp/decisionlog"
	"github.com/wardkeeper/wardkeeper/pdp/decisionrecord"
)

// canaryDirectory has a person whose name, address and password must not be in a log.
const canaryDirectory = `
locations:
  - {id: metro, name: Canary Region, kind: region, model: regional}
  - {id: north, name: Canary Division, kind: division, parent: metro}
  - {id: abc, name: Canary Hospital, kind: facility, parent: north}
users:
  - {id: alice, username: alice.canary@example.org, name: {given: Alice, family: Canaryfield}, default_location: metro, assignments: [{location: metro, role: regional_admin}]}
  - {id: jane, username: jane.canary@example.org, name: {given: Jane, family: Canaryfield}, default_location: abc, assignments: [{location: abc, role: ed_normal}]}
`

// canaryQuestion is allowed. Each member that is no id has something private.
const canaryQuestion = `{"subject":{"type":"user","id":"alice","properties":{"email":"alice.canary@example.org"}},` +
	`"action":{"name":"user.view","properties":{"username":"zoraida.canary@example.org","password":"canary-secret","name":{"given":"Zoraida","family":"Canaryfield"}}},` +
	`"resource":{"type":"user","id":"jane","properties":{"name":"Jane Canaryfield"}},"context":{"current_location":"metro","comment":"Canaryfield called","password":"canary-secret"}}`

// recorded is what a test compares of a record.
func recorded(e *decisionrecord.Entry) string {
	return strings.Join(append([]string{e.Door, e.Outcome}, questionCells(e)...), " ")
}

func readRecords(t *testing.T, dir string) (records []*decisionrecord.Entry, text string) {
	t.Helper()
	for entry, err := range decisionlog.Read(dir) {
		require.NoError(t, err)
		e, err := decisionrecord.Parse(entry.Record)
		require.NoError(t, err)
		records = append(records, e)
		text += string(entry.Record) + "\n"
	}
	return records, text
}

func TestDecisionsOfEveryFrontDoorAreRecorded(t *testing.T) {
	skipIfShort(t)
	t.Parallel()
	dir, socket := filepath.Join(t.TempDir(), "log"), socketPath(t)
	sinks := newRecordSinks(t)
	d := startServerBy(t, sinks.withStdout, "127.0.0.1:0", "--config", sinks.settings(t), "--directory", writeFile(t, "d.yaml", canaryDirectory), "--routes", writeFile(t, "routes.yaml", routesOfEnvoy),
		"--token-file", writeFile(t, "token", firstToken+"\n"), "--ext-authz", "unix:"+socket,
		"--decision-log", dir, "--decision-log-durability", "sync")
	batch := `{"evaluations":[` + canaryQuestion + `,` + strings.Replace(canaryQuestion, "user.view", "user.zap", 1) + `]}`
	input := `{"input":` + canaryQuestion + `}`
	asked := []struct {
		path, body string
		want       []string
	}{
		{evaluationPath, canaryQuestion, []string{"authzen allowed alice user.view jane  metro"}},
		{"/access/v1/evaluations", batch, []string{"authzen allowed alice user.view jane  metro", "authzen denied alice user.zap jane  metro"}},
		{"/access/v1/search/subject", canaryQuestion, []string{"authzen listed  search subject user.view jane  metro"}},
		{"/access/v1/search/resource", canaryQuestion, []string{"authzen listed alice search resource user.view   metro"}},
		{"/access/v1/search/action", canaryQuestion, []string{"authzen listed alice search action jane  metro"}},
		{"/v1/data/authz/decision", input, []string{"opa allowed alice user.view jane  metro"}},
		{"/v1/data/authz/decision/allow", input, []string{"opa allowed alice user.view jane  metro"}},
		{"/v1/data/authz/allow", input, []string{"opa answered alice data/authz/allow jane  metro"}},
		{"/v0/data/authz/decision", canaryQuestion, []string{"opa allowed alice user.view jane  metro"}},
		{"/", canaryQuestion, []string{"opa allowed alice user.view jane  metro"}},
		{"/v1/batch/data/authz/decision", `{"inputs":{"a":` + canaryQuestion + `,"b":"Zoraida Canaryfield"}}`, []string{"opa allowed alice user.view jane  metro", "opa denied     "}},
	}
	var want []string
	for _, c := range asked {
		w, answer := postWith(t, http.DefaultClient, d.url+c.path, firstToken, c.body)
		require.Equal(t, http.StatusOK, w.StatusCode, "%s: %s", c.path, answer)
		want = append(want, c.want...)
	}
	status, _ := d.proxied(t, firstToken, "/users/jane", "alice")
	require.Equal(t, http.StatusOK, status)
	e := newEnvoy(t, "unix:"+socket, firstToken)
	require.Equal(t, http.StatusForbidden, e.status(t, "GET", "/users/nobody", "alice", ""))
	want = append(want, "forward-auth allowed alice user.view jane  metro", "ext_authz denied alice user.view nobody  metro")

	got, text := readRecords(t, dir)
	require.Len(t, got, len(want), "an answer leaves only after its record is on disk")
	var have []string
	requests := map[string]bool{}
	for _, record := range got {
		have = append(have, recorded(record))
		assert.NotEmpty(t, record.Revision)
		assert.NotEmpty(t, record.Request, "%v", record)
		requests[record.Request] = true
	}
	require.ElementsMatch(t, want, have)
	require.Len(t, requests, len(asked)+2, "each request has its id")
	for _, metric := range []string{fmt.Sprintf("wardkeeper_decision_log_records_total %d", len(want)), "wardkeeper_decision_log_lost_total 0", "wardkeeper_decision_log_failing 0"} {
		require.Contains(t, d.page(t, "/metrics", firstToken), metric)
	}
	d.signal(t, syscall.SIGTERM)
	status, logs := d.end()
	require.Equal(t, statusOK, status)
	everything := sinks.received(t)
	for name, sent := range everything {
		for _, record := range got {
			require.Contains(t, sent, record.ID, name)
		}
	}
	require.Len(t, everything, 5)
	everything["log"], everything["stderr"] = text, logs
	for _, args := range [][]string{
		{"show", dir}, {"show", dir, "--json"}, {"replay", dir}, {"export", dir}, {"export", dir, "--format", "opa"}, {"export", dir, "--format", "fhir"},
	} {
		shown := run(t, nil, append([]string{"log"}, args...)...)
		require.Equal(t, statusOK, shown.status, shown)
		everything[strings.Join(args[:1], " ")+args[len(args)-1]] = shown.out + shown.err
	}
	for name, text := range everything {
		require.NotRegexp(t, `(?i)canary|zoraida|secret`, text, name)
	}
}

// recordSinks are services that take records in each format, and a file for standard output.
type recordSinks struct {
	server *httptest.Server
	stdout *os.File

	mu   sync.Mutex
	sent map[string]string // by path
}

func newRecordSinks(t *testing.T) *recordSinks {
	t.Helper()
	stdout, err := os.Create(filepath.Join(t.TempDir(), "stdout"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = stdout.Close() })
	s := &recordSinks{sent: map[string]string{}, stdout: stdout}
	s.server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		body, err := io.ReadAll(z)
		if err != nil {
			t.Error(err)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.sent[r.URL.Path] += string(body)
	}))
	t.Cleanup(s.server.Close)
	return s
}

// settings returns a configuration file of the sinks.
func (s *recordSinks) settings(t *testing.T) string {
	t.Helper()
	text := "decision_log:\n  sinks:\n  - {name: stdout, to: stdout}\n"
	for _, format := range decisionformat.All() {
		text += fmt.Sprintf("  - {name: %s, format: %[1]s, to: %s/%[1]s, delay: 10ms}\n", format, s.server.URL)
	}
	return writeFile(t, "sinks.yaml", text)
}

func (s *recordSinks) withStdout(cmd *exec.Cmd) *exec.Cmd {
	cmd.Stdout = s.stdout
	return cmd
}

// received returns what each has got.
func (s *recordSinks) received(t *testing.T) map[string]string {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	all := maps.Clone(s.sent)
	all["stdout"] = readFile(t, s.stdout.Name())
	return all
}

// page returns the body of a page.
func (d *daemon) page(t *testing.T, path, token string) string {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, d.url+path, nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	w, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer func() { require.NoError(t, w.Body.Close()) }()
	body, err := io.ReadAll(w.Body)
	require.NoError(t, err)
	return string(body)
}

// TestAnswersWithoutARecord lets the files of the log grow to 32 KiB only.
func TestAnswersWithoutARecord(t *testing.T) {
	skipIfShort(t)
	t.Parallel()
	for _, c := range []struct {
		durability, policy string
		withheld           bool
	}{{"sync", "deny", true}, {"sync", "block", true}, {"buffered", "block", false}, {"buffered", "count", false}} {
		policy, withheld := c.policy, c.withheld
		t.Run(c.durability+"/"+policy, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "log")
			settings := writeFile(t, "c.yaml", "decision_log: {dir: "+dir+", durability: "+c.durability+", on_failure: "+policy+"}\n")
			d := startLimitedServer(t, 32, "--directory", writeFile(t, "d.yaml", canaryDirectory), "--config", settings, "--evaluation-timeout", "300ms")
			var statuses []int
			waitUntil(t, "the log is full", func() bool {
				w, answer := postWith(t, http.DefaultClient, d.url+evaluationPath, "", canaryQuestion)
				statuses = append(statuses, w.StatusCode)
				if w.StatusCode != http.StatusOK {
					require.Equal(t, http.StatusServiceUnavailable, w.StatusCode)
					require.NotContains(t, answer, "true")
				}
				return strings.Contains(d.page(t, "/metrics", ""), "\nwardkeeper_decision_log_failing 1\n")
			})
			w, answer := postWith(t, http.DefaultClient, d.url+evaluationPath, "", canaryQuestion)
			ready := d.page(t, "/ready", "")
			if withheld {
				require.Equal(t, http.StatusServiceUnavailable, w.StatusCode, answer)
				require.JSONEq(t, `{"error":"The decision cannot be recorded, and so is not given: try again later."}`, answer)
				require.Contains(t, ready, `"missing":["decision_log"]`)
			} else {
				require.Equal(t, http.StatusOK, w.StatusCode, answer)
				require.NotContains(t, statuses, http.StatusServiceUnavailable)
				require.Contains(t, ready, `"degraded":true`)
			}
			require.Equal(t, http.StatusOK, statuses[0])
			_ = d.cmd.Process.Kill()
			_, _ = d.end()
			records, _ := readRecords(t, dir)
			require.NotEmpty(t, records)
			if withheld {
				require.GreaterOrEqual(t, len(records), countOf(statuses, http.StatusOK), "every answer has its record")
			}
		})
	}
}

func countOf(all []int, one int) int {
	return len(slices.DeleteFunc(slices.Clone(all), func(n int) bool { return n != one }))
}

// startLimitedServer starts a server none of whose files can be longer than so many KiB.
func startLimitedServer(t *testing.T, kib int, args ...string) *daemon {
	t.Helper()
	shell := func(cmd *exec.Cmd) *exec.Cmd {
		limited := exec.Command("bash", append([]string{"-c", fmt.Sprintf(`ulimit -f %d; exec "$0" "$@"`, kib)}, cmd.Args...)...)
		limited.Env = cmd.Env
		return limited
	}
	return startServerBy(t, shell, "127.0.0.1:0", args...)
}

func TestSettingsOfTheDecisionLog(t *testing.T) {
	t.Parallel()
	directory := writeFile(t, "d.yaml", canaryDirectory)
	dir := filepath.Join(t.TempDir(), "log")
	for text, want := range map[string]string{
		"decision_log: {dir: " + dir + ", durability: never}\n":                                     `decision_log.durability is "never"`,
		"decision_log: {dir: " + dir + ", on_failure: ignore}\n":                                    `decision_log.on_failure is "ignore"`,
		"decision_log: {dir: " + dir + ", segment_size: 1KiB}\n":                                    "decision_log.segment_size is 1KiB: use at least 1MiB",
		"decision_log: {dir: " + dir + ", total_size: 1MiB}\n":                                      "it must have room for a segment",
		"decision_log: {dir: " + dir + ", max_age: 1h}\n":                                           "it must be at least that of a segment",
		"decision_log: {durability: sync}\n":                                                        "but there is no log: set --decision-log",
		"decision_log: {dri: x}\n":                                                                  `"decision_log.dri" is not a setting: did you mean decision_log.dir?`,
		"decision_log: {sinks: [{name: a, to: stdout}]}\n":                                          "there is none: set --decision-log",
		"decision_log: {dir: " + dir + ", sinks: x}\n":                                              "decision_log.sinks must be a list",
		"decision_log: {dir: " + dir + ", sinks: [{nmae: a}]}\n":                                    `"nmae" is not a setting: did you mean name?`,
		"decision_log: {dir: " + dir + ", sinks: [{name: A/b, to: stdout}]}\n":                      `name is "A/b"`,
		"decision_log: {dir: " + dir + ", sinks: [{name: a, to: stdout}, {name: a, to: stdout}]}\n": "another sink writes to stdout",
		"decision_log: {dir: " + dir + ", sinks: [{name: a}]}\n":                                    "to is missing",
		"decision_log: {dir: " + dir + ", sinks: [{name: a, format: otlp, to: stdout}]}\n":          "format otlp is not text",
		"decision_log: {dir: " + dir + ", sinks: [{name: a, to: 'http://10.0.0.1/'}]}\n":            "plain http",
		"decision_log: {dir: " + dir + ", sinks: [{name: a, to: 'https://h/', ca_file: none}]}\n":   "cannot be read",
		"decision_log: x\n":                                                                          "decision_log must have members, such as dir",
		"decision_log_durability: sync\n":                                                            `"decision_log_durability" is not a setting`,
		"decision_log: {dir: " + dir + ", key_file: none.pem}\n":                                     "the key of the decision log cannot be read",
		"decision_log: {dir: " + dir + ", pseudonym_key_file: " + directory + "0}\n":                 "the key of pseudonyms cannot be read",
		"decision_log: {dir: " + dir + ", pseudonym_key_file: " + writeFile(t, "k", "short") + "}\n": "it has fewer than 32 bytes",
	} {
		got := run(t, nil, "serve", "--check", "--directory", directory, "--config", writeFile(t, "c.yaml", text))
		assert.Equal(t, statusFailed, got.status, text)
		assert.Contains(t, got.err, want, text)
	}
	got := run(t, nil, "serve", "--check", "--directory", directory, "--decision-log", dir, "--decision-log-durability", "off")
	require.Equal(t, statusOK, got.status, got)
	require.NoDirExists(t, dir, "--check writes nothing")
}
