//go:build linux

package main

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const root = "../.."

func TestMedianAndPercentile(t *testing.T) {
	assert.Equal(t, 2.0, measured{3, 1, 2}.median())
	assert.Equal(t, 2.5, measured{4, 1, 2, 3}.median())
	assert.Equal(t, 7.0, measured{7}.median())
	hundred := make([]int, 100)
	for i := range hundred {
		hundred[i] = i + 1
	}
	assert.Equal(t, 50, percentile(hundred, 50))
	assert.Equal(t, 99, percentile(hundred, 99))
	assert.Equal(t, 2, percentile([]int{1, 2}, 99))
	assert.Equal(t, 1, percentile([]int{1}, 1))
}

func TestEachRoundMeasuresAllAndBeginsWithAnother(t *testing.T) {
	all := []string{"a", "b", "c"}
	for round, want := range []string{"abc", "bca", "cab", "abc"} {
		assert.Equal(t, want, strings.Join(rotated(all, round), ""))
	}
	assert.Equal(t, []string{"a", "b", "c"}, all)
}

func TestFlagsAreChecked(t *testing.T) {
	choose := func(names, gogc string, rounds int) error {
		c := config{rounds: rounds, connections: 1, duration: time.Second}
		return c.choose(names, gogc)
	}
	require.NoError(t, choose("echo,opa", "default,100", 1))
	require.ErrorContains(t, choose("oops", "100", 1), `there is no server "oops": choose from echo, tcp,`)
	require.ErrorContains(t, choose("echo", "off", 1), "GOGC")
	require.ErrorContains(t, choose("echo", "100", 0), "a round")
}

func TestQuestionsAreHalfAllowsOfAllModels(t *testing.T) {
	golden, err := readGolden(root)
	require.NoError(t, err)
	chosen := balanced(golden)
	require.Equal(t, chosen, balanced(golden), "each run asks the same")
	allows := map[bool]int{}
	models := map[string]int{}
	for _, c := range chosen {
		allows[c.Decision]++
		path, _, _ := strings.Cut(c.Name, ": ")
		models[filepath.Base(filepath.Dir(path))]++
	}
	require.Equal(t, allows[true], allows[false])
	require.Greater(t, allows[true], 200)
	for _, model := range []string{"regional", "health_system", "practice_group", "vendor"} {
		require.Positive(t, models[model], model)
	}
}

func TestAnswersOfOPABecomeResponses(t *testing.T) {
	r, err := decisionOf([]byte(`{"result": {"allow": false, "reasons": [{"code": "self"}], "advice": []}}`))
	require.NoError(t, err)
	require.False(t, r.Decision)
	require.Equal(t, map[string]any{"reasons": []any{map[string]any{"code": "self"}}}, r.Context)
	for _, undecided := range []string{`{}`, `{"result": {}}`, `{"result": {"allow": "yes"}}`, `no`} {
		_, err := decisionOf([]byte(undecided))
		require.Error(t, err, undecided)
	}
}

// loadOn returns a load of questions to a handler, whose right answers are the questions.
func loadOn(t *testing.T, handler http.HandlerFunc, connections int, questions ...string) *load {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	l := &load{network: "tcp", address: s.Listener.Addr().String(), connections: connections}
	for _, q := range questions {
		l.requests, l.answers = append(l.requests, request("/", []byte(q))), append(l.answers, []byte(q))
	}
	return l
}

func echoed(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	_, _ = w.Write(body)
}

func TestLoadChecksEveryAnswer(t *testing.T) {
	long := strings.Repeat("x", 10_000) // is answered in chunks
	l := loadOn(t, echoed, 3, "a", "", long, "b")
	requests, elapsed, err := l.saturate(t.Context(), 20*time.Millisecond)
	require.NoError(t, err)
	require.Positive(t, requests)
	require.GreaterOrEqual(t, elapsed, 20*time.Millisecond)
	latencies, err := l.atRate(t.Context(), 20*time.Millisecond, 1000)
	require.NoError(t, err)
	require.Len(t, latencies, 20)

	l.answers[3] = []byte("c")
	_, err = l.atRate(t.Context(), 20*time.Millisecond, 1000)
	require.EqualError(t, err, "it answered b under load, and c before")
	_, _, err = l.saturate(t.Context(), time.Minute)
	require.EqualError(t, err, "it answered b under load, and c before")
	failing := loadOn(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "oops", http.StatusTeapot) }, 1, "a")
	_, _, err = failing.saturate(t.Context(), time.Minute)
	require.EqualError(t, err, "it answered HTTP/1.1 418 I'm a teapot: oops\n")
}

func TestLatencyCountsFromWhenTheRequestWasDue(t *testing.T) {
	const pause = 100 * time.Millisecond
	first := true
	l := loadOn(t, func(w http.ResponseWriter, r *http.Request) {
		if first {
			time.Sleep(pause)
		}
		first = false
		echoed(w, r)
	}, 1, "a")
	latencies, err := l.atRate(t.Context(), 20*time.Millisecond, 1000)
	require.NoError(t, err)
	for i, latency := range latencies { // all were due during the pause
		require.GreaterOrEqual(t, latency, pause-time.Duration(i)*time.Millisecond)
	}
}

func TestProcessorTimeAndMemoryOfAProcess(t *testing.T) {
	self := os.Getpid()
	before, err := processorTimes(self)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		after, err := processorTimes(self)
		return err == nil && after[0] > before[0]
	}, time.Minute, time.Microsecond)
	memory, err := resident(self)
	require.NoError(t, err)
	require.Greater(t, memory, 1.0)
	_, err = processorTimes(1 << 30)
	require.Error(t, err)
	_, err = resident(1 << 30)
	require.Error(t, err)
}

// measuredServers returns servers of two settings, measured in two rounds.
func measuredServers() (all []*server) {
	for i, gogc := range []int{100, 400} {
		for j, p := range peers {
			n := float64(100*i + 10*(j+1))
			m := measured{n, n + 2}
			all = append(all, &server{peer: p, gogc: gogc, cpu: m, client: m, rate: measured{1000 * n}, memory: m, p50: m, p99: m})
		}
	}
	return all
}

func TestTableComparesServersWithTheSameCollector(t *testing.T) {
	text := table("here & now", measuredServers())
	rows := map[string][]string{}
	for line := range strings.Lines(text) {
		if cells := strings.Split(line, "|"); len(cells) > 3 {
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			rows[cells[1]] = append(rows[cells[1]], strings.Join(cells[2:], "|"))
		}
	}
	require.Equal(t, []string{
		"61.0|60.0 to 62.0|5.55|1.00|60,000|61.00|61.00|61|", "161.0|160.0 to 162.0|1.45|1.00|160,000|161.00|161.00|161|",
	}, rows["OPA server, TCP"])
	require.Contains(t, text, "here & now\n")
	require.Contains(t, text, "takes 11 to 161 µs more per request")
	require.NotContains(t, table("", measuredServers()[1:2]), "| 1.00 ", "without the others there is no comparison")
}

func TestPictureShowsEveryServer(t *testing.T) {
	shown := map[string]int{}
	document := xml.NewDecoder(strings.NewReader(picture("here & now", measuredServers())))
	for {
		token, err := document.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		switch token := token.(type) {
		case xml.CharData:
			shown[string(token)]++
		case xml.StartElement:
			shown["<"+token.Name.Local]++
		}
	}
	for _, p := range peers {
		require.Equal(t, 2, shown[p.title], p.title)
	}
	require.Equal(t, 1, shown["here & now; lines: least to most"])
	require.Equal(t, 2*len(peers)*5, shown["<line"], "one for each bar")
	require.NotContains(t, picture("", []*server{{cpu: measured{0}, rate: measured{0}, memory: measured{0}, p50: measured{0}, p99: measured{0}}}), "NaN")
}

// childProcesses returns the programs that are children of this process.
func childProcesses(t *testing.T) (names []string) {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(t, err)
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		before, after, _ := strings.Cut(string(data), ") ")
		if fields := strings.Fields(after); len(fields) > 1 && fields[1] == fmt.Sprint(os.Getpid()) {
			names = append(names, before)
		}
	}
	return names
}

// writerFunc is a writer that calls a function.
type writerFunc func(string)

func (f writerFunc) Write(p []byte) (int, error) {
	f(string(p))
	return len(p), nil
}

func TestAllServersAreMeasured(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers; skipped with -short")
	}
	t.Setenv("TMPDIR", t.TempDir())
	cfg := config{root: root, out: t.TempDir(), rounds: 1, duration: 50 * time.Millisecond, connections: 2, peers: peers, gogc: []int{ownDefault}}
	var progress string
	cfg.progress = writerFunc(func(line string) {
		progress += line
		if !strings.HasPrefix(line, " 12 of 12,") {
			return
		}
		logs, err := filepath.Glob(filepath.Join(os.TempDir(), "*/*.log"))
		assert.NoError(t, err)
		assert.Len(t, logs, len(peers))
		for _, path := range logs {
			log, err := os.ReadFile(path)
			assert.NoError(t, err)
			logged := strings.Count(string(log), "/access/v1/evaluation")
			assert.Equal(t, strings.Contains(path, "-log-"), logged > 0, "%s: %d requests are logged", path, logged)
		}
	})
	text, err := run(t.Context(), cfg)
	require.NoError(t, err, progress)
	written, err := os.ReadFile(filepath.Join(cfg.out, "peers.md"))
	require.NoError(t, err)
	require.Equal(t, text, string(written))
	svg, err := os.ReadFile(filepath.Join(cfg.out, "peers.svg"))
	require.NoError(t, err)
	for _, p := range peers {
		require.Contains(t, text, "| "+p.title+" ")
		require.Contains(t, string(svg), ">"+p.title+"<")
		require.Equal(t, 2, strings.Count(progress, ": "+p.title+", its own default: "), progress)
	}
	require.Contains(t, progress, " 12 of 12,")
	require.Empty(t, childProcesses(t))
	left, err := os.ReadDir(os.TempDir())
	require.NoError(t, err)
	require.Empty(t, left)
}

// started starts the named peer over files that may be changed first, and returns the server and the questions.
func started(t *testing.T, name string, change func(*files)) (*server, []question) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a server; skipped with -short")
	}
	questions, err := readQuestions(t.Context(), root)
	require.NoError(t, err)
	cfg := config{root: root, gogc: []int{100}}
	cfg.peers = []peer{peers[slices.IndexFunc(peers, func(p peer) bool { return p.name == name })]}
	dir := t.TempDir()
	f, err := prepare(t.Context(), cfg, dir, questions)
	require.NoError(t, err)
	change(&f)
	servers, stop, err := startAll(cfg, f, dir)
	t.Cleanup(stop)
	require.NoError(t, err)
	return servers[0], questions
}

func TestOPAWithoutTablesIsRefused(t *testing.T) {
	s, questions := started(t, "opa", func(f *files) { f.policies = filepath.Join(f.policies, "authz") })
	require.ErrorContains(t, s.check(t.Context(), questions, 1), "instead of")
}

func TestServerThatEndsIsReportedWithWhatItWrote(t *testing.T) {
	s, questions := started(t, "echo", func(f *files) { f.answers = "nowhere.json" })
	err := s.check(t.Context(), questions, 1)
	require.EqualError(t, err, "it ended")
	require.EqualError(t, s.failed(err), "bare echo handler, TCP, GOGC=100: it ended\necho: open nowhere.json: no such file or directory\n")
}

func TestInterruptedRunLeavesNoProcess(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server; skipped with -short")
	}
	for _, text := range []string{"building", "asking", "measuring"} {
		ctx, cancel := context.WithCancel(t.Context())
		cfg := config{root: root, out: t.TempDir(), rounds: 1, duration: time.Minute, connections: 2, peers: peers[:1], gogc: []int{100}}
		cfg.progress = writerFunc(func(line string) {
			if strings.HasPrefix(line, text) {
				cancel()
			}
		})
		_, err := run(ctx, cfg)
		require.ErrorIs(t, err, context.Canceled, text)
		require.Empty(t, childProcesses(t), text)
		written, err := os.ReadDir(cfg.out)
		require.NoError(t, err)
		require.Empty(t, written, text)
	}
}
