package main

import (
	"encoding/json"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// treadmill is a bundle server with a new release for every request, so that who follows it reloads without a pause.
type treadmill struct {
	t      *testing.T
	signer signer
	bulk   string // of data, so that writing takes its time
	last   atomic.Int64
	gone   atomic.Bool
}

func (m *treadmill) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	if m.gone.Load() {
		panic(http.ErrAbortHandler)
	}
	n := m.last.Add(1)
	w.Header().Set("Content-Type", "application/vnd.openpolicyagent.bundles")
	w.Header().Set("ETag", fmt.Sprintf(`"%d"`, n))
	next := numbered(n)
	next.files["app/bulk/data.json"] = m.bulk
	_, _ = w.Write(next.signed(m.t, m.signer))
}

// life is the log of a wardkeeper from its start to its end by SIGKILL.
type life struct{ log string }

// entry is a line of the log.
type entry struct {
	Msg, Level, URL, Error string
	Sequence               int64
}

// entries are the whole lines of the log; the last may be torn.
func (l life) entries(t *testing.T) (all []entry) {
	t.Helper()
	data, err := os.ReadFile(l.log)
	require.NoError(t, err)
	for line := range strings.Lines(string(data)) {
		var e entry
		if !strings.HasSuffix(line, "\n") {
			break
		}
		require.NoError(t, json.Unmarshal([]byte(line), &e), line)
		all = append(all, e)
	}
	return all
}

// The server is killed a hundred times while it fetches, verifies, compiles, writes and activates releases. It always restarts with
// a complete release that is not older than any that was active.
func TestKilledServerRestartsWithANewOrSameRelease(t *testing.T) {
	skipIfShort(t)
	m := &treadmill{t: t, signer: newSigner(t, "ES256"), bulk: bulky(t, 0, 50_000).files["app/bulk/data.json"]}
	server := httptest.NewServer(m)
	defer server.Close()
	dir := t.TempDir()
	state := filepath.Join(dir, "state")
	config := writeFile(t, "wardkeeper.yaml", fmt.Sprintf(`
addr: 127.0.0.1:0
log_format: json
decision: app/decision
state_dir: %s
verification_key: %s
policy:
  bundle: {service: {url: %q}, resource: authz.tar.gz, polling: {long_polling_timeout_seconds: 10}}
`, state, writeFile(t, "public.pem", m.signer.public), server.URL))
	activates := timeToActivate(t, dir, config)
	longest := 10 * activates
	highest, between, fromDisk := int64(0), 0, 0
	for round := range 100 {
		m.gone.Store(round%4 == 3 && highest > 0)
		l := life{filepath.Join(dir, fmt.Sprintf("%d.log", round))}
		out, err := os.Create(l.log)
		require.NoError(t, err)
		cmd := command(nil, "serve", "--config", config)
		cmd.Stderr = out
		require.NoError(t, cmd.Start())
		require.NoError(t, out.Close())
		if m.gone.Load() {
			l.decides(t, highest)
			fromDisk++
		} else {
			time.Sleep(time.Duration(mathrand.Int64N(int64(3 * activates))))
			if round%4 == 1 {
				untilItWrites(state)
			}
		}
		require.NoError(t, cmd.Process.Kill(), "it ended by itself")
		require.ErrorContains(t, cmd.Wait(), "killed")
		before := highest
		highest = l.check(t, highest)
		switch { // the machine may be busier now than at first
		case highest > before:
			between++
			activates -= activates / 20
		case !m.gone.Load():
			activates = min(activates+activates/10, longest)
		}
	}
	require.Greater(t, between, 20, "most were killed while releases came")
	require.Greater(t, fromDisk, 20)
	t.Logf("%d releases, %d activated at least; %d lives from disk alone", m.last.Load(), highest, fromDisk)
}

// timeToActivate lets one life go on until its first release is in force, and tells how long that took on this machine.
func timeToActivate(t *testing.T, dir, config string) time.Duration {
	t.Helper()
	l := life{filepath.Join(dir, "first.log")}
	out, err := os.Create(l.log)
	require.NoError(t, err)
	cmd := command(nil, "serve", "--config", config)
	cmd.Stderr = out
	began := time.Now()
	require.NoError(t, cmd.Start())
	require.NoError(t, out.Close())
	until(t, "a release is in force", func() bool { return l.check(t, 0) > 0 })
	took := time.Since(began)
	require.NoError(t, cmd.Process.Kill())
	require.ErrorContains(t, cmd.Wait(), "killed")
	return took
}

// untilItWrites waits for a moment in which something is being written to disk.
func untilItWrites(state string) {
	for limit := time.Now().Add(time.Second); time.Now().Before(limit); {
		if unfinished, _ := filepath.Glob(filepath.Join(state, ".*")); len(unfinished) > 0 {
			return
		}
	}
}

// check sees that all went well in a life that began when a release had been active, and gives the highest since.
func (l life) check(t *testing.T, highest int64) int64 {
	t.Helper()
	for _, e := range l.entries(t) {
		switch {
		case strings.HasPrefix(e.Msg, "policy activated"):
			require.GreaterOrEqual(t, e.Sequence, highest, "%s: %v", l.log, e)
			highest = e.Sequence
		case e.Msg == "request", strings.HasPrefix(e.Msg, "wardkeeper serves "), strings.HasPrefix(e.Msg, "the source of the policy cannot be read"):
		default:
			require.Fail(t, "what should not be logged", "%s: %+v", l.log, e)
		}
	}
	return highest
}

// decides sees that the life decides by what was kept on disk, with the source gone: by one release, and not an old one.
func (l life) decides(t *testing.T, highest int64) {
	t.Helper()
	d := &daemon{}
	until(t, "it serves", func() bool {
		for _, e := range l.entries(t) {
			if e.URL != "" {
				d.url = e.URL
			}
		}
		return d.url != ""
	})
	now := d.revision(t)
	require.GreaterOrEqual(t, now.Sequence, highest)
	require.True(t, now.FromDisk)
	require.True(t, now.Verified)
	require.Equal(t, now.Sequence, d.decidedBy(t))
}
