package decisionsink

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/decisionformat"
	"github.com/wardkeeper/wardkeeper/pdp/decisionlog"
	"github.com/wardkeeper/wardkeeper/pdp/decisionpart"
)

// collector is a service that keeps the ids of the records it was sent, and answers as it is told.
type collector struct {
	mu       sync.Mutex
	requests int
	ids      []string
	wrong    []string
	answer   func(request, records int, w http.ResponseWriter) (take bool)
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	z, err := gzip.NewReader(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var events []struct {
		ID string `json:"decision_id"`
	}
	err = json.NewDecoder(z).Decode(&events)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests++
	if err != nil || r.Header.Get("Content-Encoding") != "gzip" || r.Header.Get("Content-Type") != "application/json" || r.Method != http.MethodPost {
		c.wrong = append(c.wrong, fmt.Sprint(err, r.Header))
	}
	if c.answer != nil && !c.answer(c.requests, len(events), w) {
		return
	}
	for _, e := range events {
		c.ids = append(c.ids, e.ID)
	}
}

// all returns the ids in their order, the first time that each came.
func (c *collector) all() (ids []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range c.ids {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

func (c *collector) set(answer func(request, records int, w http.ResponseWriter) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = answer
}

func openLog(t *testing.T, cfg decisionlog.Config) *decisionlog.Log {
	t.Helper()
	l, err := decisionlog.Open(cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = l.Close(ctx)
	})
	return l
}

// add appends records with the ids from and up to to.
func add(t *testing.T, l *decisionlog.Log, from, to int) {
	t.Helper()
	for n := from; n <= to; n++ {
		require.NoError(t, l.Append(context.Background(), decisionpart.Record{JSON: record(fmt.Sprint(n))}))
	}
}

func record(id string) []byte {
	return fmt.Appendf(nil, `{"id":%q,"time":"2026-01-01T00:00:00Z","outcome":"denied","question":{"subject":{"type":"user","id":"alice"}}}`, id)
}

func ids(from, to int) (all []string) {
	for n := from; n <= to; n++ {
		all = append(all, fmt.Sprint(n))
	}
	return all
}

func start(t *testing.T, l *decisionlog.Log, dir string, cfg Config) *Sink {
	t.Helper()
	cfg.Name, cfg.Delay = "siem", time.Millisecond
	if cfg.Format == "" {
		cfg.Format = decisionformat.OPA
	}
	s, err := New(cfg)
	require.NoError(t, err)
	require.NoError(t, s.Start(l, dir))
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = s.Close(ctx)
	})
	return s
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	require.Eventually(t, is, time.Minute, 5*time.Millisecond, what)
}

func TestServicesGetEveryRecordWhateverTheyAnswer(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(request, records int, w http.ResponseWriter) bool{
		"takes everything": nil,
		"fails at first": func(request, _ int, w http.ResponseWriter) bool {
			return request > 2 || refuse(w, http.StatusBadGateway)
		},
		"refuses the token at first": func(request, _ int, w http.ResponseWriter) bool {
			return request > 2 || refuse(w, http.StatusUnauthorized)
		},
		"takes few at a time": func(_, records int, w http.ResponseWriter) bool {
			return records <= 3 || refuse(w, http.StatusRequestEntityTooLarge)
		},
		"redirects at first": func(request, _ int, w http.ResponseWriter) bool {
			w.Header().Set("Location", "http://192.0.2.1/")
			return request > 1 || refuse(w, http.StatusTemporaryRedirect)
		},
		"breaks off its answer at first": func(request, _ int, w http.ResponseWriter) bool {
			if request == 1 {
				w.Header().Set("Content-Length", "10")
			}
			return request > 1
		},
		"answers too late at first": func(request, _ int, w http.ResponseWriter) bool {
			if request == 1 {
				time.Sleep(300 * time.Millisecond)
			}
			return request > 1
		},
		"wants to be left alone": func(request, _ int, w http.ResponseWriter) bool {
			w.Header().Set("Retry-After", "1")
			return request > 1 || refuse(w, http.StatusTooManyRequests)
		},
		"answers at length": func(_, _ int, w http.ResponseWriter) bool {
			_, _ = w.Write(bytes.Repeat([]byte("x"), 1<<20))
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &collector{answer: answer}
			server := httptest.NewServer(c)
			defer server.Close()
			dir := t.TempDir()
			l := openLog(t, decisionlog.Config{Dir: dir})
			add(t, l, 1, 40)
			s := start(t, l, dir, Config{URL: server.URL, Timeout: 200 * time.Millisecond})
			eventually(t, "all records arrive", func() bool { return len(c.all()) == 40 && s.Status().Behind == 0 })
			require.Equal(t, ids(1, 40), c.all(), "in their order")
			require.Empty(t, c.wrong)
			status := s.Status()
			require.NoError(t, status.Failing)
			require.Equal(t, Status{Name: "siem", Sent: 40}, status)
		})
	}
}

func refuse(w http.ResponseWriter, status int) bool {
	w.WriteHeader(status)
	return false
}

func TestAServiceThatIsDownDelaysNobodyAndGetsEverythingLater(t *testing.T) {
	t.Parallel()
	c := &collector{}
	down := func(_, _ int, w http.ResponseWriter) bool { return refuse(w, http.StatusServiceUnavailable) }
	server := httptest.NewServer(c)
	defer server.Close()
	dir := t.TempDir()
	l := openLog(t, decisionlog.Config{Dir: dir})
	s := start(t, l, dir, Config{URL: server.URL})
	add(t, l, 1, 5)
	eventually(t, "the first arrive", func() bool { return len(c.all()) == 5 })
	c.set(down)
	add(t, l, 6, 30)
	eventually(t, "it fails", func() bool { return s.Status().Failing != nil })
	require.ErrorContains(t, s.Status().Failing, "answered 503")
	require.EqualValues(t, 25, s.Status().Behind)
	require.Positive(t, s.Status().Lag)
	require.NoError(t, l.Close(t.Context()))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorContains(t, s.Close(ended), "siem lacks the last 25 records until the next start")

	c.set(nil)
	l = openLog(t, decisionlog.Config{Dir: dir})
	s = start(t, l, dir, Config{URL: server.URL})
	add(t, l, 31, 33)
	require.NoError(t, l.Close(t.Context()))
	require.NoError(t, s.Close(t.Context()), "it ends when it has sent everything")
	require.Equal(t, ids(1, 33), c.all())
	c.mu.Lock()
	defer c.mu.Unlock()
	require.Len(t, c.ids, 33, "what was sent before is not sent again")
}

func TestRecordsThatASinkNeverGetsAreCounted(t *testing.T) {
	t.Parallel()
	c := &collector{answer: func(_, _ int, w http.ResponseWriter) bool { return refuse(w, http.StatusBadGateway) }}
	server := httptest.NewServer(c)
	defer server.Close()
	dir := t.TempDir()
	cfg := decisionlog.Config{Dir: dir, MaxSegment: 1 << 10, MaxTotal: 2 << 10}
	l := openLog(t, cfg)
	s := start(t, l, dir, Config{URL: server.URL})
	add(t, l, 1, 1)
	eventually(t, "it fails", func() bool { return s.Status().Failing != nil })
	add(t, l, 2, 60)
	eventually(t, "segments are deleted", func() bool {
		found, err := filepath.Glob(filepath.Join(dir, "decisions-00000001.*"))
		return err == nil && len(found) == 0
	})
	c.set(func(_, records int, w http.ResponseWriter) bool { // records that it takes one by one, but not the last
		return records == 1 && len(c.ids) < 5 || refuse(w, http.StatusRequestEntityTooLarge)
	})
	eventually(t, "it is done with all", func() bool { return s.Status().Behind == 0 })
	status := s.Status()
	require.EqualValues(t, 5, status.Sent)
	require.EqualValues(t, 55, status.Lost)
}

func TestASinkGoesOnWhenTheLogCanBeReadAgain(t *testing.T) {
	t.Parallel()
	c := &collector{}
	server := httptest.NewServer(c)
	defer server.Close()
	dir := t.TempDir()
	l := openLog(t, decisionlog.Config{Dir: dir, MaxSegment: 1 << 10})
	add(t, l, 1, 40)
	second := filepath.Join(dir, "decisions-00000002.ndjson.gz")
	eventually(t, "it is compressed", func() bool { return os.Rename(second, second+".away") == nil })
	require.NoError(t, os.Symlink(second, second), "opening it fails")
	s := start(t, l, dir, Config{URL: server.URL})
	eventually(t, "it fails", func() bool { return s.Status().Failing != nil && !s.Status().Since.IsZero() })
	require.NoError(t, os.Rename(second+".away", second))
	eventually(t, "it is done with all", func() bool { return s.Status().Behind == 0 })
	require.Equal(t, ids(1, 40), c.all())
	require.Zero(t, s.Status().Lost)
	require.NoError(t, s.Status().Failing)
	require.Zero(t, s.Status().Since)
}

func TestAPositionThatTheLogDoesNotHaveIsItsBeginning(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg := decisionlog.Config{Dir: dir}
	l := openLog(t, cfg)
	add(t, l, 1, 3)
	for _, at := range []decisionlog.Position{
		{Log: l.ID(), Segment: 1, Seq: 4}, {Log: l.ID(), Segment: 2, Seq: 1}, {Log: "another", Segment: 1, Seq: 2},
	} {
		encoded, err := json.Marshal(at)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "sink-siem.json"), encoded, 0o600))
		c := &collector{}
		server := httptest.NewServer(c)
		s := start(t, l, dir, Config{URL: server.URL})
		eventually(t, "it has all", func() bool { return s.Status().Sent == 3 })
		require.Equal(t, ids(1, 3), c.all())
		server.Close()
	}
}

func TestServicesAreAskedOverTLSWithAToken(t *testing.T) {
	t.Parallel()
	var got string
	c := &collector{}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		got = r.Header.Get("Authorization") + " " + r.Header.Get("X-Tenant")
		c.mu.Unlock()
		c.ServeHTTP(w, r)
	}))
	server.TLS.MinVersion = tls.VersionTLS12
	defer server.Close()
	dir := t.TempDir()
	authority, token := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "token")
	require.NoError(t, os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600))
	require.NoError(t, os.WriteFile(token, []byte("secret\n"), 0o600))
	l := openLog(t, decisionlog.Config{Dir: filepath.Join(dir, "log")})
	add(t, l, 1, 1)
	s := start(t, l, dir, Config{URL: server.URL, CAFile: authority, TokenFile: token, Header: map[string]string{"X-Tenant": "a"}})
	eventually(t, "it arrives", func() bool { return len(c.all()) == 1 })
	c.mu.Lock()
	require.Equal(t, "Bearer secret a", got)
	c.mu.Unlock()
	require.NoError(t, s.Status().Failing)
}

func TestAddressesThatAreRefused(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"http://logs.example.org/":        "plain http",
		"https://jane:s3cret@example.org": "has a user",
		"https://example.org/?key=s3cret": "a query",
		"s3cret":                          "no address",
		"https://":                        "no address",
	} {
		_, err := New(Config{Name: "x", Format: decisionformat.OPA, URL: address})
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "s3cret")
	}
}

const (
	childFolder = "DECISIONSINK_TEST_FOLDER"
	childURL    = "DECISIONSINK_TEST_URL"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childFolder); dir != "" {
		appendForever(dir, os.Getenv(childURL))
	}
	os.Exit(m.Run())
}

// appendForever is the process that is killed. It prints each record once it is in the log.
func appendForever(dir, address string) {
	l, err := decisionlog.Open(decisionlog.Config{Dir: dir, MaxSegment: 20_000})
	if err == nil {
		var s *Sink
		if s, err = New(Config{Name: "siem", Format: decisionformat.OPA, URL: address, Delay: time.Millisecond, Batch: 2000}); err == nil {
			err = s.Start(l, dir)
		}
	}
	for n := l.Status().Seq + 1; err == nil; n++ {
		id := fmt.Sprintf("%d-%d", os.Getpid(), n)
		if err = l.Append(context.Background(), decisionpart.Record{JSON: record(id)}); err == nil {
			_, _ = fmt.Println(id)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// A process that is killed again and again, while its collector fails now and then, loses no record.
func TestKilledSinkLosesNothing(t *testing.T) {
	t.Parallel()
	c := &collector{answer: func(request, _ int, w http.ResponseWriter) bool {
		return request%3 > 0 || refuse(w, http.StatusBadGateway)
	}}
	server := httptest.NewServer(c)
	defer server.Close()
	dir := t.TempDir()
	var acknowledged []string
	for round := range 10 {
		child := exec.Command(os.Args[0], "-test.run=^$")
		child.Env = append(os.Environ(), childFolder+"="+dir, childURL+"="+server.URL)
		var logged strings.Builder
		child.Stderr = &logged
		out, err := child.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, child.Start())
		printed := bufio.NewScanner(out)
		for n := 1; printed.Scan(); n++ {
			acknowledged = append(acknowledged, printed.Text())
			if n == 20+10*round {
				require.NoError(t, child.Process.Kill())
			}
		}
		require.ErrorContains(t, child.Wait(), "killed", logged.String())
	}
	l := openLog(t, decisionlog.Config{Dir: dir})
	s := start(t, l, dir, Config{URL: server.URL})
	require.NoError(t, l.Close(t.Context()))
	require.NoError(t, s.Close(t.Context()))
	got := map[string]bool{}
	for _, id := range c.ids {
		got[id] = true
	}
	for _, id := range acknowledged {
		require.True(t, got[id], "%s was acknowledged", id)
	}
	require.Zero(t, s.Status().Lost)
	t.Logf("%d records acknowledged, %d sent, %d of them twice", len(acknowledged), len(c.ids), len(c.ids)-len(got))
}

func TestStreamsGetLines(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	dir := t.TempDir()
	l := openLog(t, decisionlog.Config{Dir: dir})
	s := start(t, l, dir, Config{Writer: w, Format: decisionformat.JSON})
	add(t, l, 1, 3)
	lines := bufio.NewScanner(r)
	for n := 1; n <= 3; n++ {
		require.True(t, lines.Scan())
		require.Equal(t, string(record(fmt.Sprint(n))), lines.Text())
	}
	add(t, l, 4, 4) // nobody reads it
	require.NoError(t, l.Close(t.Context()))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_ = s.Close(ended) // it returns
}

func TestRecordsThatAServiceRefusesDoNotStopASink(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusBadRequest, http.StatusUnprocessableEntity} {
		c := &collector{}
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var body bytes.Buffer
			z, err := gzip.NewReader(io.TeeReader(r.Body, &body))
			if err != nil {
				t.Error(err)
				return
			}
			sent, err := io.ReadAll(z)
			if err != nil {
				t.Error(err)
				return
			}
			if bytes.Contains(sent, []byte(`"decision_id":"7"`)) {
				w.WriteHeader(status)
				return
			}
			r.Body = io.NopCloser(&body)
			c.ServeHTTP(w, r)
		}))
		defer server.Close()
		dir := t.TempDir()
		l := openLog(t, decisionlog.Config{Dir: dir})
		add(t, l, 1, 9)
		s, err := New(Config{Name: "siem", Format: decisionformat.OPA, URL: server.URL, Delay: 10 * time.Millisecond})
		require.NoError(t, err)
		s.refusals = 2
		require.NoError(t, s.Start(l, dir))
		eventually(t, "it is done with all", func() bool { return s.Status().Behind == 0 })
		require.Equal(t, append(ids(1, 6), ids(8, 9)...), c.all())
		require.EqualValues(t, 1, s.Status().Lost)
		require.EqualValues(t, 8, s.Status().Sent)
		require.NoError(t, l.Close(t.Context()))
		require.NoError(t, s.Close(t.Context()))
	}
}

func TestOtherAnswersAreNeverTakenForARefusalOfRecords(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusTooManyRequests, http.StatusInternalServerError} {
		c := &collector{answer: func(request, _ int, w http.ResponseWriter) bool { return request > 3 || refuse(w, status) }}
		server := httptest.NewServer(c)
		defer server.Close()
		dir := t.TempDir()
		l := openLog(t, decisionlog.Config{Dir: dir})
		add(t, l, 1, 3)
		s, err := New(Config{Name: "siem", Format: decisionformat.OPA, URL: server.URL, Delay: 10 * time.Millisecond})
		require.NoError(t, err)
		s.refusals = 1
		require.NoError(t, s.Start(l, dir))
		eventually(t, "it is done with all", func() bool { return s.Status().Behind == 0 })
		require.Equal(t, ids(1, 3), c.all(), status)
		require.Zero(t, s.Status().Lost)
		require.NoError(t, l.Close(t.Context()))
		require.NoError(t, s.Close(t.Context()))
	}
}
