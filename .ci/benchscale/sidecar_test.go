package benchscale

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// sidecar is a running server.
type sidecar struct{ *servertest.Wardkeeper }

// unhurried are settings for a machine that the load and the servers share: all locations of a large organization are one fact, and
// slowness must not count as silence, which ends what is confirmed.
const unhurried = "lease: 10s\nmembership: {fetch_timeout: 20s, postgres: {timeout: 20s}}\n"

// serveOver starts a server over PostgreSQL and Redis, and returns how long it took until it had all locations of the region.
func serveOver(t *testing.T, binary, database, redis string) (*sidecar, time.Duration) {
	config := filepath.Join(t.TempDir(), "wardkeeper.yaml")
	require.NoError(t, os.WriteFile(config, []byte(unhurried), 0o666))
	s := serve(t, binary, "--config", config, "--directory", database, "--redis", redis)
	return s, s.answered(t, 1)
}

// answered returns how long it takes until it is decided about a user. Where others need the processors, a decision can exceed its
// time, and is asked for again.
func (s *sidecar) answered(t *testing.T, user int) time.Duration {
	began := time.Now()
	for {
		err := s.decide(user)
		if err == nil {
			return time.Since(began)
		}
		require.Less(t, time.Since(began), time.Minute, err)
	}
}

// serve starts a server with settings, and returns once it serves.
func serve(t *testing.T, binary string, settings ...string) *sidecar {
	return &sidecar{servertest.StartWardkeeper(t, binary, nil, settings...)}
}

// post sends a request and returns the answer. It may be called at the same time.
func (s *sidecar) post(path string, body any) (answer map[string]any, err error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	w, err := client.Post(s.URL+path, "application/json", bytes.NewReader(encoded))
	if err != nil {
		return nil, err
	}
	defer func() { _ = w.Body.Close() }()
	if err := json.NewDecoder(w.Body).Decode(&answer); err != nil {
		return nil, err
	}
	if w.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s %v", path, w.Status, answer)
	}
	return answer, nil
}

var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

// decide asks whether the administrator may view a user, who must be allowed.
func (s *sidecar) decide(user int) error {
	_, err := s.evaluate(user, map[string]any{"current_location": "metro"})
	return err
}

func (s *sidecar) evaluate(user int, about map[string]any) (map[string]any, error) {
	answer, err := s.post("/access/v1/evaluation", map[string]any{
		"subject": map[string]any{"type": "user", "id": "admin"}, "action": map[string]any{"name": "user.view"},
		"resource": map[string]any{"type": "user", "id": "u" + strconv.Itoa(user)}, "context": about,
	})
	if err == nil && answer["decision"] != true {
		err = fmt.Errorf("the administrator may not view u%d: %v", user, answer)
	}
	return answer, err
}

// ask asks about users one after another, spread over all, and returns how long each answer took.
func (s *sidecar) ask(t *testing.T, w region, shift int) (took []time.Duration) {
	s.answered(t, 1) // the administrator and the region
	for i := range w.asked {
		took = append(took, s.answered(t, 1+(i*(w.users/w.asked)+shift)%w.users))
	}
	return took
}

// saturate asks over several connections at a time, and returns the decisions per second.
func (s *sidecar) saturate(t *testing.T, w region, connections int, duration time.Duration) float64 {
	var all sync.WaitGroup
	var answered atomic.Int64
	began := time.Now()
	for range connections {
		all.Go(func() {
			for i := 0; time.Since(began) < duration; i++ {
				if err := s.decide(1 + (i%w.asked)*(w.users/w.asked)%w.users); err != nil {
					t.Error(err)
					return
				}
				answered.Add(1)
			}
		})
	}
	all.Wait()
	return float64(answered.Load()) / time.Since(began).Seconds()
}

// change makes changes one after another, and returns how long each decision took that came next.
func (s *sidecar) change(t *testing.T, database string, changes ...string) (took []time.Duration) {
	conn, err := pgx.Connect(t.Context(), database)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	for _, sql := range changes {
		_, err := conn.Exec(t.Context(), sql)
		require.NoError(t, err)
		time.Sleep(50 * time.Millisecond) // the server hears of it
		took = append(took, s.answered(t, 1))
	}
	return took
}

// cached returns the bytes of the facts that the server keeps.
func (s *sidecar) cached(t *testing.T) float64 {
	return s.metric(t, "wardkeeper_membership_memory_bytes")
}

// confirm waits until all that a decision needs is confirmed by announced changes, the locations too.
func (s *sidecar) confirm(t *testing.T) {
	require.Eventually(t, func() bool {
		answer, err := s.evaluate(1, map[string]any{"current_location": "metro", "include": []string{"freshness"}})
		return err == nil && !strings.Contains(fmt.Sprint(answer["context"]), "vouched:false")
	}, time.Minute, 100*time.Millisecond)
}

func (s *sidecar) metric(t *testing.T, name string) float64 {
	w, err := client.Get(s.URL + "/metrics")
	require.NoError(t, err)
	defer func() { _ = w.Body.Close() }()
	body, err := io.ReadAll(w.Body)
	require.NoError(t, err)
	found := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindSubmatch(body)
	require.NotNil(t, found, name)
	value, err := strconv.ParseFloat(string(found[1]), 64)
	require.NoError(t, err)
	return value
}

// load returns how long a server takes to start with a file of n users.
func load(t *testing.T, binary string, n int) time.Duration {
	file := filepath.Join(t.TempDir(), "directory.json")
	output, err := exec.Command(binary, "directory", "generate", "--users", strconv.Itoa(n), "-o", file).CombinedOutput()
	require.NoError(t, err, "%s", output)
	began := time.Now()
	serve(t, binary, "--directory", file)
	return time.Since(began)
}

func (s *sidecar) processorTime(t *testing.T) time.Duration {
	return servertest.ProcessorTime(t, s.Process.Pid)
}

// resident returns the largest resident set that the server has had, in MB.
func (s *sidecar) resident(t *testing.T) float64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.Process.Pid))
	require.NoError(t, err)
	for line := range strings.Lines(string(data)) {
		if text, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kilobytes, err := strconv.Atoi(strings.Fields(text)[0])
			require.NoError(t, err)
			return float64(kilobytes*1024) / 1e6
		}
	}
	t.Fatal("the system does not say how much memory a process has had")
	return 0
}
