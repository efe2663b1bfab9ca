package httpapi

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

const batchOfTwo = `{"evaluations":[` + question + `,` + question + `]}`

func TestOverdueRequestIsAnsweredWithTimeout(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ method, path, body string }{
		"evaluation":  {http.MethodPost, evaluationPath, question},
		"evaluations": {http.MethodPost, evaluationsPath, batchOfTwo},
		"search":      {http.MethodPost, searchActionPath, question},
		"document":    {http.MethodPost, dataPath + "/x", `{"input":{}}`},
		"parameter":   {http.MethodGet, dataPath + "/x?input=1", ""},
		"documents":   {http.MethodPost, batchDataPath, `{"inputs":{"a":{},"b":{}}}`},
		"default":     {http.MethodPost, defaultPath, `{}`},
		"ready":       {http.MethodGet, "/ready", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newBlockedDecider()
			defer close(s.release)
			ready := func(context.Context) []Check { <-s.release; return nil }
			h := start(t, Config{Decider: s, Data: s, Ready: ready, Timeout: 50 * time.Millisecond})
			a := h.do(c.method, c.path, c.body)
			require.Equal(t, http.StatusServiceUnavailable, a.status)
			assert.Contains(t, a.body, "could not be decided in time")
			assert.NotContains(t, a.body, "true")
			h.until("the request is logged", func() bool { return contains(h.log, `"status":503`) })
			metrics := h.do(http.MethodGet, "/metrics", "").body
			assert.True(t, strings.Contains(metrics, "wardkeeper_http_overdue_total 1"))
			assert.True(t, strings.Contains(metrics, `status="503"} 1`))
		})
	}
}

// If overdue work did not count, it would pile up.
func TestOverdueWorkCountsUntilItEnds(t *testing.T) {
	t.Parallel()
	s := newBlockedDecider()
	h := start(t, Config{Decider: s, Timeout: 50 * time.Millisecond, Ready: func(context.Context) []Check { return nil }})
	var all sync.WaitGroup
	for range h.server.admission.maxOverdue {
		all.Go(func() { assert.Equal(t, 503, h.post(evaluationPath, question).status) })
	}
	all.Wait()
	h.until("all are worked on", func() bool { return len(s.entered) == int(h.server.admission.maxOverdue) })

	for _, path := range []string{evaluationPath, evaluationsPath} {
		a := h.post(path, question)
		assert.Contains(t, a.requireError(t, 503), "busy")
		assert.Equal(t, "1", a.header.Get("Retry-After"))
	}
	require.Len(t, s.entered, int(h.server.admission.maxOverdue), "none was started")
	ready := h.do(http.MethodGet, "/ready", "")
	assert.Equal(t, 503, ready.status)
	assert.Contains(t, ready.body, `"missing":["capacity"]`)
	assert.Equal(t, 200, h.do(http.MethodGet, "/health", "").status)
	assert.True(t, strings.Contains(h.do(http.MethodGet, "/metrics", "").body, `wardkeeper_http_refused_total{reason="overdue"} 3`))

	close(s.release)
	h.until("requests are answered", func() bool { return h.post(evaluationPath, question).status == 200 })
	h.until("each of the overdue requests has ended", func() bool {
		return h.server.admission.overdue.Load() == 0 && len(h.server.admission.questions.slots) == 0
	})
	h.until("the server is ready", func() bool { return h.do(http.MethodGet, "/ready", "").status == 200 })
}

// Batches beyond the limit are rejected.
func TestBatchesDoNotDelayEvaluationsOrAnnouncements(t *testing.T) {
	s := newBlockedDecider()
	s.decide = func(context.Context, pdp.Request) (pdp.Decision, error) { return pdp.Decision{Allow: true}, nil }
	h := start(t, Config{Decider: s, MaxBatches: 1, Timeout: time.Minute, Changes: announcerReturning("t", nil), Callers: testCallers{announce: staticTokens(changesToken)}})
	var all sync.WaitGroup
	defer all.Wait()
	defer close(s.release)
	refused := make(chan response, 100)
	for range 1 + 8 + 4 { // one is being processed, eight wait
		all.Go(func() {
			if a := h.post(evaluationsPath, batchOfTwo); a.status != 200 {
				refused <- a
			}
		})
	}
	for range 4 {
		a := <-refused
		assert.Contains(t, a.requireError(t, 503), "busy")
		assert.Equal(t, "1", a.header.Get("Retry-After"))
	}
	h.until("one is worked on", func() bool { return len(s.entered) > 0 })
	require.Len(t, s.entered, 1)
	assert.Equal(t, 200, h.post(evaluationPath, question).status)
	assert.Equal(t, 200, h.post(changesPath, `{"users":[{"id":"jane"}]}`, "Authorization", "Bearer "+changesToken).status)
	for _, path := range []string{searchActionPath, evaluationPath} { // a large question counts as a batch
		body := strings.Replace(question, `"id":"alice"`, `"id":"alice","x":"`+strings.Repeat("x", 5000)+`"`, 1)
		assert.Equal(t, 503, h.post(path, body).status)
	}
}

func TestHugeRequestsAreLimited(t *testing.T) {
	s := newBlockedDecider()
	h := start(t, Config{Decider: s, Timeout: time.Minute})
	body := strings.Replace(question, `"id":"alice"`, `"id":"alice","x":"`+strings.Repeat("x", hugeBody)+`"`, 1)
	var all sync.WaitGroup
	most := cap(h.server.admission.huge.slots)
	for range most + 1 {
		all.Go(func() { assert.Equal(t, 200, h.post(evaluationPath, body).status) })
	}
	for range most {
		<-s.entered
	}
	h.until("one request waits", func() bool { return h.server.admission.huge.waiting.Load() == 1 })
	require.Empty(t, s.entered)
	close(s.release)
	all.Wait()
}

// The connection remains usable.
func TestOverdueHTTP2RequestIsAnsweredWithTimeout(t *testing.T) {
	t.Parallel()
	s := newBlockedDecider()
	defer close(s.release)
	h := start(t, Config{Decider: s, Timeout: 50 * time.Millisecond})
	client := h2c(t)
	for range 2 {
		resp, err := client.Post(h.url+evaluationPath, "application/json", strings.NewReader(question))
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, 2, resp.ProtoMajor)
		assert.Equal(t, 503, resp.StatusCode)
		assert.Contains(t, string(body), "in time")
	}
}

func TestResetHTTP2StreamCancelsWork(t *testing.T) {
	entered, ended := make(chan struct{}), make(chan struct{})
	h := start(t, Config{Timeout: time.Hour, Decider: &fakeDecider{decide: func(ctx context.Context, _ pdp.Request) (pdp.Decision, error) {
		close(entered)
		<-ctx.Done()
		close(ended)
		return pdp.Decision{}, ctx.Err()
	}}})
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url+evaluationPath, strings.NewReader(question))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	go func() {
		<-entered
		cancel()
	}()
	_, err = h2c(t).Do(r)
	require.ErrorIs(t, err, context.Canceled)
	<-ended
}

func TestRequestWaitsForHalfOfItsTime(t *testing.T) {
	t.Parallel()
	s := newBlockedDecider()
	h := start(t, Config{Decider: s, MaxQuestions: 1, Timeout: 2 * time.Second})
	var all sync.WaitGroup
	defer all.Wait()
	defer close(s.release)
	all.Go(func() { h.post(evaluationPath, question) })
	<-s.entered
	assert.Contains(t, h.post(evaluationPath, question).requireError(t, 503), "busy")
}

// Each stream takes memory as soon as its head arrives, even if its body never does.
func TestOpenHTTP2StreamsAreLimitedTogether(t *testing.T) {
	h := start(t, Config{Decider: allow(), ReadTimeout: time.Minute})
	h.server.admission.maxStreams = 4
	var writers []*io.PipeWriter
	for range 2 {
		client := h2c(t)
		for range 2 {
			body, w := io.Pipe()
			writers = append(writers, w)
			go func() { _, _ = h.postWith(client, body) }()
		}
	}
	h.until("4 streams are open", func() bool { return h.server.admission.streams.Load() == 4 })
	a, err := h.postWith(h2c(t), strings.NewReader(question))
	require.NoError(t, err)
	assert.Contains(t, a.requireError(t, 503), "busy")
	assert.Equal(t, "1", a.header.Get("Retry-After"))
	assert.Equal(t, 200, h.post(evaluationPath, question).status)
	for _, w := range writers {
		require.NoError(t, w.Close())
	}
	h.until("0 streams are open", func() bool { return h.server.admission.streams.Load() == 0 })
	a, err = h.postWith(h2c(t), strings.NewReader(question))
	require.NoError(t, err)
	assert.Equal(t, 200, a.status)
}

// Each body is smaller than a huge one, and never ends.
func TestUnfinishedMediumBodiesAreLimitedTogether(t *testing.T) {
	t.Parallel()
	h := start(t, Config{Decider: allow(), ReadTimeout: time.Minute})
	h.server.admission.maxBodyBytes = 256 << 10
	for range 12 {
		conn := h.dial()
		go fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n{%s",
			evaluationPath, 32<<10, strings.Repeat(" ", 32<<10-100))
	}
	refused := func() bool {
		return !strings.Contains(h.do(http.MethodGet, "/metrics", "").body, `wardkeeper_http_refused_total{reason="bodies"} 0`)
	}
	h.until("bodies are refused", refused)
	assert.Equal(t, 200, h.post(evaluationPath, question).status)
}

// Bodies count while they arrive.
func TestUnfinishedLargeBodiesAreLimitedTogether(t *testing.T) {
	t.Parallel()
	h := start(t, Config{Decider: allow(), ReadTimeout: time.Minute})
	hold := func() {
		conn := h.dial()
		go fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n{%s",
			evaluationPath, authzen.MaxBody, strings.Repeat(" ", authzen.MaxBody-100))
	}
	for range maxBodyBytes / authzen.MaxBody {
		hold()
	}
	body := strings.Replace(question, `"id":"alice"`, `"id":"alice","x":"`+strings.Repeat("x", 1_000_000)+`"`, 1)
	var a response
	h.until("a large question is refused", func() bool {
		if a = h.post(evaluationPath, body); a.status == 200 { // the others have not arrived yet, or were rejected themselves
			hold()
		}
		return a.status != 200
	})
	assert.Contains(t, a.requireError(t, 503), "large requests")
	assert.Equal(t, "1", a.header.Get("Retry-After"))
	assert.Equal(t, 200, h.post(evaluationPath, question).status, "small bodies are accepted")
}

func TestDisconnectCancelsWork(t *testing.T) {
	entered, ended := make(chan struct{}), make(chan struct{})
	h := start(t, Config{Timeout: time.Hour, Decider: &fakeDecider{decide: func(ctx context.Context, _ pdp.Request) (pdp.Decision, error) {
		close(entered)
		<-ctx.Done()
		close(ended)
		return pdp.Decision{}, ctx.Err()
	}}})
	conn := h.dial()
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", evaluationPath, len(question), question)
	<-entered
	require.NoError(t, conn.Close())
	<-ended
}

func TestOverdueResponseIsCompleteAndClosesConnection(t *testing.T) {
	t.Parallel()
	s := newBlockedDecider()
	defer close(s.release)
	h := start(t, Config{Decider: s, Timeout: 50 * time.Millisecond})
	conn := h.dial()
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", evaluationPath, len(question), question)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	assert.Positive(t, resp.ContentLength)
	assert.True(t, resp.Close)
	assert.NotEmpty(t, resp.Header.Get("X-Request-Id"))
}
