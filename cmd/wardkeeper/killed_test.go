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

// endlessReleases is a bundle server with a new release for every request, so that its followers reload continuously.
type endlessReleases struct {
	t        *testing.T
	signer   signer
	padding  string // data that makes writing take longer
	sequence atomic.Int64
	down     atomic.Bool
	asked    chan struct{} // a request came
}

func (m *endlessReleases) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	if m.down.Load() {
		panic(http.ErrAbortHandler)
	}
	select {
	case m.asked <- struct{}{}:
	default:
	}
	n := m.sequence.Add(1)
	w.Header().Set("Content-Type", "application/vnd.openpolicyagent.bundles")
	w.Header().Set("ETag", fmt.Sprintf(`"%d"`, n))
	next := smallRelease(n)
	next.files["app/bulk/data.json"] = m.padding
	_, _ = w.Write(next.signed(m.t, m.signer))
}

// serverLog is the log file of one server, from its start until it is killed.
type serverLog struct{ path string }

// logEntry is a line of the log.
type logEntry struct {
	Msg, Level, URL, Error string
	Sequence               int64
}

// entries returns the complete lines of the log. The last line may be cut off.
func (l serverLog) entries(t *testing.T) (all []logEntry) {
	t.Helper()
	data, err := os.ReadFile(l.path)
	require.NoError(t, err)
	for line := range strings.Lines(string(data)) {
		var e logEntry
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
func TestKilledServerRestartsWithTheSameOrANewerRelease(t *testing.T) {
	skipIfShort(t)
	t.Parallel()
	m := &endlessReleases{t: t, asked: make(chan struct{}, 1), signer: newSigner(t, "ES256"), padding: bulky(t, 0, 50_000).files["app/bulk/data.json"]}
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
  bundle: {service: {url: %q}, resource: authz.tar.gz, polling: {min_delay_seconds: 1, max_delay_seconds: 1, long_polling_timeout_seconds: 10}}
`, state, writeFile(t, "public.pem", m.signer.public), server.URL))
	activation := timeToActivate(t, dir, config)
	longest := 10 * activation
	highest, between, fromDisk := int64(0), 0, 0
	rounds := 100
	if fewerQuestions(t) {
		rounds = 24
	}
	for round := range rounds {
		m.down.Store(round%4 == 3 && highest > 0)
		l := serverLog{filepath.Join(dir, fmt.Sprintf("%d.log", round))}
		out, err := os.Create(l.path)
		require.NoError(t, err)
		cmd := command(t, nil, "serve", "--config", config)
		cmd.Stderr = out
		select {
		case <-m.asked: // by the server before
		default:
		}
		require.NoError(t, cmd.Start())
		require.NoError(t, out.Close())
		if m.down.Load() {
			l.checkServesFromDisk(t, highest)
			fromDisk++
		} else {
			if highest > 0 { // it waits before it first asks
				select {
				case <-m.asked:
				case <-time.After(10 * time.Second):
				}
			}
			time.Sleep(time.Duration(mathrand.Int64N(int64(3 * activation))))
			if round%4 == 1 {
				waitForWrite(state)
			}
		}
		require.NoError(t, cmd.Process.Kill(), "it ended by itself")
		require.ErrorContains(t, cmd.Wait(), "killed")
		before := highest
		highest = l.highestSequence(t, highest)
		switch { // adapt to the load of the machine
		case highest > before:
			between++
			activation -= activation / 20
		case !m.down.Load():
			activation = min(activation+activation/10, longest)
		}
	}
	require.Greater(t, between, rounds/5, "most were killed while releases came")
	require.Greater(t, fromDisk, rounds/5)
	t.Logf("%d releases, at least %d activated; %d starts from disk alone", m.sequence.Load(), highest, fromDisk)
}

// timeToActivate measures how long a server takes to activate its first release on this machine.
func timeToActivate(t *testing.T, dir, config string) time.Duration {
	t.Helper()
	l := serverLog{filepath.Join(dir, "first.log")}
	out, err := os.Create(l.path)
	require.NoError(t, err)
	cmd := command(t, nil, "serve", "--config", config)
	cmd.Stderr = out
	began := time.Now()
	require.NoError(t, cmd.Start())
	require.NoError(t, out.Close())
	waitUntil(t, "a release is in force", func() bool { return l.highestSequence(t, 0) > 0 })
	took := time.Since(began)
	require.NoError(t, cmd.Process.Kill())
	require.ErrorContains(t, cmd.Wait(), "killed")
	return took
}

// waitForWrite waits until a file is being written to the state directory.
func waitForWrite(state string) {
	for limit := time.Now().Add(time.Second); time.Now().Before(limit); {
		if unfinished, _ := filepath.Glob(filepath.Join(state, ".*")); len(unfinished) > 0 {
			return
		}
	}
}

// highestSequence checks that a server logged no fault and activated no release older than highest, and returns the newest one.
func (l serverLog) highestSequence(t *testing.T, highest int64) int64 {
	t.Helper()
	for _, e := range l.entries(t) {
		switch {
		case strings.HasPrefix(e.Msg, "policy activated"):
			require.GreaterOrEqual(t, e.Sequence, highest, "%s: %v", l.path, e)
			highest = e.Sequence
		case e.Msg == "request", strings.HasPrefix(e.Msg, "wardkeeper serves "), strings.HasPrefix(e.Msg, "the source of the policy cannot be read"):
		default:
			require.Fail(t, "unexpected log entry", "%s: %+v", l.path, e)
		}
	}
	return highest
}

// checkServesFromDisk checks that a server whose source is down decides by the saved release, which is not older than highest.
func (l serverLog) checkServesFromDisk(t *testing.T, highest int64) {
	t.Helper()
	d := &daemon{}
	waitUntil(t, "it serves", func() bool {
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
	require.Equal(t, now.Sequence, d.decidingRelease(t))
}
