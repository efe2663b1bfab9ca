package httporigin

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sony/gobreaker/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// startApplication starts an application with a small directory and returns its URL.
func startApplication(t *testing.T) (*origintest.Application, string) {
	a := origintest.NewApplication(t, fixture.WithUsers(fixture.Everyone))
	return a, a.Serve().URL + "/membership"
}

// failFirst responds to the first n requests with a status.
func failFirst(n int, status int, header http.Header) func(http.ResponseWriter, *http.Request) bool {
	var asked atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) bool {
		if asked.Add(1) > int64(n) {
			return false
		}
		respond(status, header, "")(w, r)
		return true
	}
}

func TestTemporaryFailuresAreRetried(t *testing.T) {
	for name, c := range map[string]struct {
		handler  func(http.ResponseWriter, *http.Request) bool
		retries  int
		answered bool
		requests int
	}{
		"503, then an answer":     {failFirst(2, 503, nil), 2, true, 3},
		"502, then an answer":     {failFirst(1, 502, nil), 1, true, 2},
		"429, then an answer":     {failFirst(1, 429, http.Header{"Retry-After": {"0"}}), 1, true, 2},
		"408, then an answer":     {failFirst(1, 408, nil), 1, true, 2},
		"always 503":              {failFirst(100, 503, nil), 3, false, 4},
		"without retries":         {failFirst(100, 503, nil), -1, false, 1},
		"500 is not retried":      {failFirst(1, 500, nil), 2, false, 1},
		"400 is not retried":      {failFirst(1, 400, nil), 2, false, 1},
		"403 is not retried":      {failFirst(1, 403, nil), 2, false, 1},
		"Retry-After is too long": {failFirst(1, 503, http.Header{"Retry-After": {"3"}}), 2, false, 1},
		"Retry-After overflows":   {failFirst(1, 503, http.Header{"Retry-After": {"99999999999999999999"}}), 2, true, 2},
		"Retry-After is a date":   {failFirst(1, 503, http.Header{"Retry-After": {"Fri, 31 Dec 1999 23:59:59 GMT"}}), 2, true, 2},
		"the server closes the connection": {func(w http.ResponseWriter, r *http.Request) bool {
			c, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_ = c.Close()
			}
			return true
		}, 2, false, 3},
	} {
		t.Run(name, func(t *testing.T) {
			a, url := startApplication(t)
			a.Intercept(c.handler)
			h, _ := openTestOrigin(t, url, func(cfg *Config) { cfg.Retries = c.retries })
			s, err := h.User(context.Background(), "anna")
			assert.Equal(t, c.answered, err == nil, "%v", err)
			assert.Equal(t, c.answered, s != nil)
			assert.Len(t, a.Requests(), c.requests)
		})
	}
}

func TestBackoffHonorsRetryAfterAndDeadline(t *testing.T) {
	a, url := startApplication(t)
	a.Intercept(failFirst(1, 503, http.Header{"Retry-After": {"1"}}))
	h, _ := openTestOrigin(t, url, func(cfg *Config) { cfg.Retries = 1 })
	began := time.Now()
	_, err := h.User(context.Background(), "anna")
	require.NoError(t, err)
	assert.GreaterOrEqual(t, time.Since(began), time.Second)

	a.Intercept(failFirst(1, 503, http.Header{"Retry-After": {"2"}}))
	ctx, cancel := context.WithTimeout(context.Background(), 1900*time.Millisecond)
	defer cancel()
	_, err = h.User(ctx, "anna")
	assert.ErrorContains(t, err, "answered 503")
	assert.Equal(t, pdp.Unavailable, pdp.KindOf(err))
	assert.NoError(t, ctx.Err(), "it does not wait when the deadline comes first")

	h.backoff = 100 * time.Millisecond
	seen := map[time.Duration]bool{}
	for range 20 {
		for n, longest := range []time.Duration{100, 200, 400, 800, 1600, 2000, 2000} {
			wait := h.backoffAfter(n, &failure{})
			assert.GreaterOrEqual(t, wait, longest*time.Millisecond/2)
			assert.LessOrEqual(t, wait, longest*time.Millisecond)
			seen[wait] = true
		}
		assert.LessOrEqual(t, h.backoffAfter(1000, &failure{}), maxBackoff)
	}
	assert.Greater(t, len(seen), 20, "the backoff has jitter")
}

func TestBreakerOpensAndCloses(t *testing.T) {
	a, url := startApplication(t)
	opened := func(timeout time.Duration) (*Origin, *fixture.LogBuffer) {
		h, log := openTestOrigin(t, url, func(cfg *Config) { cfg.breakerTimeout = timeout })
		a.Intercept(failFirst(1<<30, 503, nil))
		for range failureThreshold {
			_, err := h.User(context.Background(), "anna")
			require.ErrorContains(t, err, "answered 503")
		}
		return h, log
	}
	h, _ := opened(time.Hour)
	require.Equal(t, gobreaker.StateOpen, h.breaker.State())
	asked := len(a.Requests())
	_, err := h.User(context.Background(), "anna")
	assert.ErrorContains(t, err, "suspended")
	assert.Equal(t, pdp.Unavailable, pdp.KindOf(err))
	assert.Len(t, a.Requests(), asked)

	h, log := opened(time.Millisecond)
	a.Intercept(nil)
	require.Eventually(t, func() bool {
		s, err := h.User(context.Background(), "anna")
		return err == nil && s != nil
	}, fixture.Timeout, 5*time.Millisecond)
	assert.Equal(t, gobreaker.StateClosed, h.breaker.State())
	assert.Equal(t, 1, strings.Count(log.String(), "does not answer"), log.String())
	assert.Equal(t, 1, strings.Count(log.String(), "answers again"), log.String())
}

func TestHalfOpenBreakerAdmitsOneRequest(t *testing.T) {
	a, url := startApplication(t)
	h, _ := openTestOrigin(t, url, func(cfg *Config) { cfg.breakerTimeout = time.Millisecond })
	a.Intercept(failFirst(failureThreshold, 503, nil))
	for range failureThreshold {
		_, _ = h.User(context.Background(), "anna")
	}
	require.Eventually(t, func() bool { return h.breaker.State() == gobreaker.StateHalfOpen }, fixture.Timeout, time.Millisecond)
	hold, arrived := make(chan struct{}), make(chan struct{})
	a.Intercept(func(http.ResponseWriter, *http.Request) bool {
		arrived <- struct{}{}
		<-hold
		return false
	})
	var first sync.WaitGroup
	first.Go(func() {
		_, err := h.User(context.Background(), "anna")
		assert.NoError(t, err)
	})
	<-arrived
	for range 20 {
		_, err := h.User(context.Background(), "anna")
		assert.ErrorContains(t, err, "suspended")
	}
	close(hold)
	first.Wait()
	a.Intercept(nil)
	_, err := h.User(context.Background(), "anna")
	assert.NoError(t, err)
}

// Failures that do not mean that the application is unavailable must not open the breaker.
func TestBreakerStaysClosed(t *testing.T) {
	for name, c := range map[string]http.HandlerFunc{
		"faults of single records": respond(500, nil, ""),
		"malformed answers":        respond(200, jsonHeader, "{"),
		"credentials refused":      respond(403, nil, ""),
		"too many requests":        respond(429, nil, ""),
		"unknown ids":              respond(404, jsonHeader, `{"code": "unknown"}`),
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(c)
			defer s.Close()
			h, _ := openTestOrigin(t, s.URL, nil)
			for range 3 * failureThreshold {
				_, _ = h.User(context.Background(), "anna")
			}
			assert.Equal(t, gobreaker.StateClosed, h.breaker.State())
		})
	}
	t.Run("callers that cancel", func(t *testing.T) {
		arrived := make(chan struct{})
		s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			arrived <- struct{}{}
			<-r.Context().Done()
		}))
		defer s.Close()
		h, _ := openTestOrigin(t, s.URL, nil)
		for range 3 * failureThreshold {
			ctx, cancel := context.WithCancel(context.Background())
			go func() { <-arrived; cancel() }()
			_, err := h.User(ctx, "anna")
			assert.Equal(t, pdp.Timeout, pdp.KindOf(err))
		}
		assert.Equal(t, gobreaker.StateClosed, h.breaker.State())
	})
}

func TestServerRestartIsSurvived(t *testing.T) {
	a, _ := startApplication(t)
	address := fmt.Sprintf("127.0.0.1:%d", servertest.FreePort(t)) // no other process can take the port
	l, err := net.Listen("tcp", address)
	require.NoError(t, err)
	start := func(l net.Listener) *http.Server {
		s := &http.Server{Handler: http.StripPrefix("/membership", a), ReadHeaderTimeout: fixture.Timeout}
		go func() { _ = s.Serve(l) }()
		return s
	}
	s := start(l)
	h, _ := openTestOrigin(t, "http://"+address+"/membership/", func(cfg *Config) { cfg.breakerTimeout = time.Millisecond })
	require.NoError(t, h.Check(context.Background()))
	require.NoError(t, s.Close())
	require.ErrorContains(t, h.Check(context.Background()), "connect")
	l, err = net.Listen("tcp", address)
	require.NoError(t, err)
	s = start(l)
	defer func() { _ = s.Close() }()
	require.Eventually(t, func() bool { return h.Check(context.Background()) == nil }, fixture.Timeout, 5*time.Millisecond)
	require.NoError(t, h.Close())
	assert.ErrorContains(t, h.Check(context.Background()), "closed")
}

func TestRefusedTokenIsReadAgain(t *testing.T) {
	a, url := startApplication(t)
	var accepted atomic.Value
	a.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Authorization") == "Bearer "+accepted.Load().(string) {
			return false
		}
		respond(401, nil, "")(w, r)
		return true
	})
	path := filepath.Join(t.TempDir(), "token")
	fixture.WriteFile(t, path, "  s3cret-one\n")
	h, log := openTestOrigin(t, url, func(cfg *Config) { cfg.Token, cfg.TokenFile = "", path })
	accepted.Store("s3cret-one")
	require.NoError(t, h.Check(context.Background()))

	fixture.WriteFile(t, path+".new", "s3cret-two\n")
	require.NoError(t, os.Rename(path+".new", path))
	accepted.Store("s3cret-two")
	require.NoError(t, h.Check(context.Background()))

	// The file is overwritten in place with the same size and time.
	info, err := os.Stat(path)
	require.NoError(t, err)
	fixture.WriteFile(t, path, "s3cret-six\n")
	require.NoError(t, os.Chtimes(path, info.ModTime(), info.ModTime()))
	accepted.Store("s3cret-six")
	require.NoError(t, h.Check(context.Background()))
	assert.Equal(t, 2, strings.Count(log.String(), "token has changed"), log.String())
	assert.NotContains(t, log.String(), "level=WARN")

	require.NoError(t, os.Remove(path))
	require.NoError(t, h.Check(context.Background()), "the last token stays in use")
	require.NoError(t, h.Check(context.Background()))
	assert.Equal(t, 1, strings.Count(log.String(), "token cannot be used, the last good content stays in force"), log.String())

	accepted.Store("another")
	for range 3 {
		require.ErrorContains(t, h.Check(context.Background()), "answered 401: check the token")
	}
	assert.Equal(t, 1, strings.Count(log.String(), "refuses the sidecar's credentials"), log.String())
	fixture.WriteFile(t, path, "another")
	require.NoError(t, h.Check(context.Background()))
}
