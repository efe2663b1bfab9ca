package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles/follow"
	"github.com/wardkeeper/wardkeeper/pdp/httpapi"
)

// reloads is the number of times that the policy is replaced under load.
const reloads = 50

// reloadTest is a server in the test's process that follows a bundle.
type reloadTest struct {
	publisher *longPollServer
	sidecar   *sidecar
	url       string
}

func newReloadTest(tb testing.TB, first []byte, by signer, cfg sidecarConfig) *reloadTest {
	tb.Helper()
	r := &reloadTest{publisher: newLongPollServer(first)}
	source := httptest.NewServer(r.publisher)
	tb.Cleanup(source.Close)
	settings, err := json.Marshal(map[string]any{
		"service": map[string]any{"url": source.URL}, "resource": "authz.tar.gz", "polling": map[string]any{"long_polling_timeout_seconds": 30},
		"keys":      map[string]any{"tests": map[string]any{"key": by.public, "algorithm": by.algorithm}},
		"state_dir": filepath.Join(tb.TempDir(), "state"),
	})
	require.NoError(tb, err)
	decoded, err := follow.DecodeSettings(settings)
	require.NoError(tb, err)
	cfg.bundle, err = decoded.Resolve()
	require.NoError(tb, err)
	cfg.timeout = 10 * time.Second
	r.sidecar, err = openSidecar(tb.Context(), cfg, slog.New(slog.DiscardHandler))
	require.NoError(tb, err)
	tb.Cleanup(r.sidecar.close)
	api, err := r.sidecar.newServer(httpapi.Config{
		BaseURL: "https://pdp.example.org", Logger: slog.New(slog.DiscardHandler), Timeout: time.Minute,
	})
	require.NoError(tb, err)
	server := httptest.NewServer(api.Handler())
	tb.Cleanup(server.Close)
	r.url = server.URL
	require.NotNil(tb, r.sidecar.engine.Policy())
	return r
}

// reload publishes a bundle and waits until it is active.
func (r *reloadTest) reload(tb testing.TB, data []byte) {
	tb.Helper()
	before := r.sidecar.follower.Status()
	r.publisher.bundles <- data
	waitUntil(tb, "the release is active", func() bool {
		s := r.sidecar.follower.Status()
		require.NoError(tb, s.Attempt.Err)
		return s.Activations > before.Activations
	})
}

// releasePolicyWithSearch is a slow policy whose answers contain the number of the release. A search finds documents that only
// this release allows.
const releasePolicyWithSearch = `package app

decision := {"allow": _here, "context": {"release": data.app.release, "work": sum(numbers.range(1, 300))}}

default _here := false

_here if input.resource.type != "doc"

_here if startswith(input.resource.id, sprintf("%d-", [data.app.release]))

candidates := {"resource": {"doc": {sprintf("%d-%d", [data.app.release, i]) | some i in numbers.range(1, 20)}}}
`

// largeRelease returns a release of releasePolicyWithSearch with so much data that a leaked release shows in the memory in use.
func largeRelease(n int64) testRelease {
	var rows strings.Builder
	for i := range 600 {
		fmt.Fprintf(&rows, `, "row-%d": {"number": %d, "names": ["a-%d", "b-%d"]}`, i, i, i, i)
	}
	return testRelease{n, map[string]string{"app/app.rego": releasePolicyWithSearch, "app/data.json": fmt.Sprintf(`{"release": %d%s}`, n, &rows)}}
}

// Each answer comes from one release, never from an older one than the answer before. A batch or page never mixes two releases.
// At the end, only one release is in memory.
func TestReloadUnderLoadLosesNoRequest(t *testing.T) {
	skipIfShort(t)
	signer := newSigner(t, "ES256")
	r := newReloadTest(t, largeRelease(1).signed(t, signer), signer, sidecarConfig{decision: "app/decision"})
	first := liveHeap()
	done := make(chan struct{})
	var clients sync.WaitGroup
	for worker := range 3 {
		clients.Go(func() {
			last := int64(1)
			for i := worker; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				now, err := r.ask(i % 3)
				if !assert.NoError(t, err) || !assert.GreaterOrEqual(t, now, last) {
					return
				}
				last = now
			}
		})
	}
	for n := range int64(reloads) {
		r.reload(t, largeRelease(n+2).signed(t, signer))
	}
	close(done)
	clients.Wait()
	now, err := r.ask(0)
	require.NoError(t, err)
	require.EqualValues(t, reloads+1, now)
	http.DefaultClient.CloseIdleConnections()
	waitUntil(t, "the memory has returned", func() bool { // connections and compilers end after the last answer
		after := liveHeap()
		t.Logf("live heap: %d KiB with the first release, %d KiB after %d more", first>>10, after>>10, reloads)
		return after < first+first/2
	})
}

// liveHeap returns the size of the heap after garbage collection.
func liveHeap() uint64 {
	runtime.GC()
	runtime.GC() // the second collection empties pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// ask asks one of three kinds of question, and returns the release of the answer. An answer that mixes releases is an error.
func (r *reloadTest) ask(kind int) (release int64, err error) {
	const parts = `{"subject":{"type":"user","id":"alice"},"action":{"name":"read"}`
	switch kind {
	case 0:
		var one item
		err = r.post("/access/v1/evaluation", parts+`,"resource":{"type":"page","id":"p"}}`, &one)
		if err == nil && !one.Decision {
			err = fmt.Errorf("it was denied")
		}
		return one.Context.Release, err
	case 1:
		var batch struct{ Evaluations []item }
		questions := strings.TrimSuffix(strings.Repeat(`{"resource":{"type":"page","id":"p"}},`, 30), ",")
		if err = r.post("/access/v1/evaluations", parts+`,"evaluations":[`+questions+`]}`, &batch); err != nil {
			return 0, err
		}
		if len(batch.Evaluations) != 30 {
			return 0, fmt.Errorf("%d answers in a batch of 30", len(batch.Evaluations))
		}
		for _, one := range batch.Evaluations {
			if one.Context.Release != batch.Evaluations[0].Context.Release {
				return 0, fmt.Errorf("a batch is mixed: %v", batch.Evaluations)
			}
		}
		return batch.Evaluations[0].Context.Release, nil
	}
	var page struct{ Results []struct{ ID string } }
	if err = r.post("/access/v1/search/resource", parts+`,"resource":{"type":"doc"}}`, &page); err != nil {
		return 0, err
	}
	if len(page.Results) != 20 {
		return 0, fmt.Errorf("a page is mixed: it has %d of 20 results", len(page.Results))
	}
	_, err = fmt.Sscanf(page.Results[0].ID, "%d-", &release)
	return release, err
}

type item struct {
	Decision bool
	Context  struct{ Release int64 }
}

func (r *reloadTest) post(path, question string, answer any) error {
	w, err := http.Post(r.url+path, "application/json", strings.NewReader(question))
	if err != nil {
		return err
	}
	defer func() { _ = w.Body.Close() }()
	body, err := io.ReadAll(w.Body)
	if err == nil && w.StatusCode != http.StatusOK {
		err = fmt.Errorf("%d: %s", w.StatusCode, body)
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(body, answer)
}

func TestLongPollingActivatesAtOnce(t *testing.T) {
	signer := newSigner(t, "ES256")
	s := newLongPollServer(smallRelease(1).signed(t, signer))
	server := httptest.NewServer(s)
	defer server.Close()
	d := startServer(t, "--verification-key", writeFile(t, "public.pem", signer.public), "--state-dir", t.TempDir(), "--decision", "app/decision",
		"--config", writeFile(t, "wardkeeper.yaml", fmt.Sprintf(`policy: {bundle: {service: {url: %q}, resource: authz.tar.gz,
  polling: {min_delay_seconds: 3600, max_delay_seconds: 3600, long_polling_timeout_seconds: 60}}}`, server.URL)))
	d.waitForRelease(t, 1)
	for n := int64(2); n < 5; n++ {
		s.bundles <- smallRelease(n).signed(t, signer)
		d.waitForRelease(t, n)
	}
	d.kill(t)
}
