package httporigin

import (
	"context"
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
)

// sample is an application with a small directory, and how often it was asked.
func sample(t *testing.T) (*origintest.Application, string) {
	a := origintest.NewApplication(t, fixture.WithUsers(fixture.Everyone))
	return a, a.Serve().URL + "/membership"
}

// refusing answers a status to the first so many requests.
func refusing(n int, status int, header http.Header) func(http.ResponseWriter, *http.Request) bool {
	var asked atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) bool {
		if asked.Add(1) > int64(n) {
			return false
		}
		answering(status, header, "")(w, r)
		return true
	}
}

func TestHTTPRetries(t *testing.T) {
	for name, c := range map[string]struct {
		before   func(http.ResponseWriter, *http.Request) bool
		retries  int
		good     bool
		requests int
	}{
		"503, then well":              {refusing(2, 503, nil), 2, true, 3},
		"502, then well":              {refusing(1, 502, nil), 1, true, 2},
		"504, 429 is no fault either": {refusing(1, 429, http.Header{"Retry-After": {"0"}}), 1, true, 2},
		"408":                         {refusing(1, 408, nil), 1, true, 2},
		"always 503":                  {refusing(100, 503, nil), 3, false, 4},
		"without retries":             {refusing(100, 503, nil), -1, false, 1},
		"500 would be 500 again":      {refusing(1, 500, nil), 2, false, 1},
		"400":                         {refusing(1, 400, nil), 2, false, 1},
		"403":                         {refusing(1, 403, nil), 2, false, 1},
		"asks for too long a pause":   {refusing(1, 503, http.Header{"Retry-After": {"3"}}), 2, false, 1},
		"asks for ages":               {refusing(1, 503, http.Header{"Retry-After": {"99999999999999999999"}}), 2, true, 2},
		"asks for a date":             {refusing(1, 503, http.Header{"Retry-After": {"Fri, 31 Dec 1999 23:59:59 GMT"}}), 2, true, 2},
		"hangs up": {func(w http.ResponseWriter, r *http.Request) bool {
			c, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_ = c.Close()
			}
			return true
		}, 2, false, 3},
	} {
		t.Run(name, func(t *testing.T) {
			a, url := sample(t)
			a.Intercept(c.before)
			h, _ := quick(t, url, func(cfg *Config) { cfg.Retries = c.retries })
			s, err := h.User(context.Background(), "anna")
			assert.Equal(t, c.good, err == nil, "%v", err)
			assert.Equal(t, c.good, s != nil)
			assert.Len(t, a.Requests(), c.requests)
		})
	}
}

// A pause is as long as the application asks for, and no attempt is begun that the caller has no time for.
func TestHTTPPauses(t *testing.T) {
	a, url := sample(t)
	a.Intercept(refusing(1, 503, http.Header{"Retry-After": {"1"}}))
	h, _ := quick(t, url, func(cfg *Config) { cfg.Retries = 1 })
	began := time.Now()
	_, err := h.User(context.Background(), "anna")
	require.NoError(t, err)
	assert.GreaterOrEqual(t, time.Since(began), time.Second)

	a.Intercept(refusing(1, 503, http.Header{"Retry-After": {"1"}}))
	ctx, cancel := context.WithTimeout(context.Background(), 900*time.Millisecond)
	defer cancel()
	_, err = h.User(ctx, "anna")
	assert.ErrorContains(t, err, "answered 503")
	assert.Equal(t, pdp.Unavailable, pdp.KindOf(err))
	assert.NoError(t, ctx.Err(), "it did not wait in vain")

	h.pause = 100 * time.Millisecond
	seen := map[time.Duration]bool{}
	for range 20 {
		for n, most := range []time.Duration{100, 200, 400, 800, 1600, 2000, 2000} {
			wait := h.before(n, &failure{})
			assert.GreaterOrEqual(t, wait, most*time.Millisecond/2)
			assert.LessOrEqual(t, wait, most*time.Millisecond)
			seen[wait] = true
		}
		assert.LessOrEqual(t, h.before(1000, &failure{}), longestPause)
	}
	assert.Greater(t, len(seen), 20, "not all wait for the same time")
}

// An application that is down is left alone, and found again.
func TestHTTPBreaker(t *testing.T) {
	a, url := sample(t)
	h, log := quick(t, url, func(cfg *Config) { cfg.rest = 50 * time.Millisecond })
	a.Intercept(refusing(1<<30, 503, nil))
	for range tripsAfter {
		_, err := h.User(context.Background(), "anna")
		require.ErrorContains(t, err, "answered 503")
	}
	require.Equal(t, gobreaker.StateOpen, h.breaker.State())
	asked := len(a.Requests())
	_, err := h.User(context.Background(), "anna")
	if err != nil && strings.Contains(err.Error(), "left alone") { // else the machine was that slow
		assert.Equal(t, pdp.Unavailable, pdp.KindOf(err))
		assert.Len(t, a.Requests(), asked)
	}
	a.Intercept(nil)
	require.Eventually(t, func() bool {
		s, err := h.User(context.Background(), "anna")
		return err == nil && s != nil
	}, time.Minute, 5*time.Millisecond)
	assert.Equal(t, gobreaker.StateClosed, h.breaker.State())
	assert.Equal(t, 1, strings.Count(log.String(), "does not answer"), log.String())
	assert.Equal(t, 1, strings.Count(log.String(), "answers again"), log.String())
}

// While it is being found again, one question at a time tries it.
func TestHTTPBreakerProbes(t *testing.T) {
	a, url := sample(t)
	h, _ := quick(t, url, func(cfg *Config) { cfg.rest = time.Millisecond })
	a.Intercept(refusing(tripsAfter, 503, nil))
	for range tripsAfter {
		_, _ = h.User(context.Background(), "anna")
	}
	require.Eventually(t, func() bool { return h.breaker.State() == gobreaker.StateHalfOpen }, time.Minute, time.Millisecond)
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
		assert.ErrorContains(t, err, "left alone")
	}
	close(hold)
	first.Wait()
	a.Intercept(nil)
	_, err := h.User(context.Background(), "anna")
	assert.NoError(t, err)
}

// What is no sign of an application that is down does not open the breaker.
func TestHTTPBreakerStaysClosed(t *testing.T) {
	for name, c := range map[string]http.HandlerFunc{
		"faults of single records": answering(500, nil, ""),
		"malformed answers":        answering(200, jsonHeader, "{"),
		"credentials refused":      answering(403, nil, ""),
		"too many requests":        answering(429, nil, ""),
		"nobody known":             answering(404, jsonHeader, `{"code": "unknown"}`),
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(c)
			defer s.Close()
			h, _ := quick(t, s.URL, nil)
			for range 3 * tripsAfter {
				_, _ = h.User(context.Background(), "anna")
			}
			assert.Equal(t, gobreaker.StateClosed, h.breaker.State())
		})
	}
	t.Run("callers who go away", func(t *testing.T) {
		arrived := make(chan struct{})
		s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			arrived <- struct{}{}
			<-r.Context().Done()
		}))
		defer s.Close()
		h, _ := quick(t, s.URL, nil)
		for range 3 * tripsAfter {
			ctx, cancel := context.WithCancel(context.Background())
			go func() { <-arrived; cancel() }()
			_, err := h.User(ctx, "anna")
			assert.Equal(t, pdp.Timeout, pdp.KindOf(err))
		}
		assert.Equal(t, gobreaker.StateClosed, h.breaker.State())
	})
}

func TestHTTPServerRestarts(t *testing.T) {
	a, _ := sample(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	start := func(l net.Listener) *http.Server {
		s := &http.Server{Handler: http.StripPrefix("/membership", a), ReadHeaderTimeout: fixture.Timeout}
		go func() { _ = s.Serve(l) }()
		return s
	}
	s := start(l)
	h, _ := quick(t, "http://"+address+"/membership/", func(cfg *Config) { cfg.rest = time.Millisecond })
	require.NoError(t, h.Check(context.Background()))
	require.NoError(t, s.Close())
	require.ErrorContains(t, h.Check(context.Background()), "connect")
	l, err = net.Listen("tcp", address)
	require.NoError(t, err)
	s = start(l)
	defer func() { _ = s.Close() }()
	require.Eventually(t, func() bool { return h.Check(context.Background()) == nil }, time.Minute, 5*time.Millisecond)
	require.NoError(t, h.Close())
	assert.ErrorContains(t, h.Check(context.Background()), "closed")
}

// A token that is refused is read again: it may have been replaced.
func TestHTTPTokenIsReplaced(t *testing.T) {
	a, url := sample(t)
	var accepted atomic.Value
	a.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Authorization") == "Bearer "+accepted.Load().(string) {
			return false
		}
		answering(401, nil, "")(w, r)
		return true
	})
	path := filepath.Join(t.TempDir(), "token")
	fixture.WriteFile(t, path, "  s3cret-one\n")
	h, log := quick(t, url, func(cfg *Config) { cfg.Token, cfg.TokenFile = "", path })
	accepted.Store("s3cret-one")
	require.NoError(t, h.Check(context.Background()))

	fixture.WriteFile(t, path+".new", "s3cret-two\n")
	require.NoError(t, os.Rename(path+".new", path))
	accepted.Store("s3cret-two")
	require.NoError(t, h.Check(context.Background()))

	// In place, so that nothing of the file but its content differs.
	info, err := os.Stat(path)
	require.NoError(t, err)
	fixture.WriteFile(t, path, "s3cret-six\n")
	require.NoError(t, os.Chtimes(path, info.ModTime(), info.ModTime()))
	accepted.Store("s3cret-six")
	require.NoError(t, h.Check(context.Background()))
	assert.Equal(t, 2, strings.Count(log.String(), "token has changed"), log.String())
	assert.NotContains(t, log.String(), "level=WARN")

	require.NoError(t, os.Remove(path))
	require.NoError(t, h.Check(context.Background()), "the last one is used")
	require.NoError(t, h.Check(context.Background()))
	assert.Equal(t, 1, strings.Count(log.String(), "token cannot be used, the last good content stays in force"), log.String())

	accepted.Store("another")
	for range 3 {
		require.ErrorContains(t, h.Check(context.Background()), "answered 401: check the token")
	}
	assert.Equal(t, 1, strings.Count(log.String(), "refuses our credentials"), log.String())
	fixture.WriteFile(t, path, "another")
	require.NoError(t, h.Check(context.Background()))
}
