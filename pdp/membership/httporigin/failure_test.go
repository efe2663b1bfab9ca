package httporigin

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
)

// secretTexts must not occur in logs and errors: credentials, and the subject of a request.
var secretTexts = []string{"jane", "quimby", "s3cret", "username=", "query=", "id="}

func assertNoSecrets(t *testing.T, text string) {
	t.Helper()
	for _, s := range secretTexts {
		assert.NotContains(t, strings.ToLower(text), s)
	}
}

// openTestOrigin opens an origin that does not retry and returns its log.
func openTestOrigin(t *testing.T, address string, change func(*Config)) (*Origin, *fixture.LogBuffer) {
	t.Helper()
	log := &fixture.LogBuffer{}
	cfg := Config{
		URL: address, Token: "s3cret", Timeout: fixture.Timeout, Retries: -1, backoff: time.Millisecond, breakerTimeout: time.Hour,
		Logger: slog.New(slog.NewTextHandler(log, nil)),
	}
	if change != nil {
		change(&cfg)
	}
	h, err := Open(cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(log)
		}
		assert.NoError(t, h.Close())
		assertNoSecrets(t, log.String())
	})
	return h, log
}

// callEvery calls every method of an origin and returns the errors by name.
func callEvery(o membership.Origin) map[string]error {
	ctx := context.Background()
	_, user := o.User(ctx, "jane")
	_, username := o.UserByUsername(ctx, "jane.quimby@example.org")
	_, organization := o.Organization(ctx, "jane")
	_, users := o.Users(ctx, facts.UserQuery{Beneath: "metro", Text: "jane quimby"})
	_, locations := o.Locations(ctx, "jane", 5)
	return map[string]error{
		"user": user, "username": username, "organization": organization, "users": users, "locations": locations, "check": o.Check(ctx),
	}
}

func respond(status int, header http.Header, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for name, values := range header {
			w.Header()[name] = values
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

var jsonHeader = http.Header{"Content-Type": {"application/json"}}

func gzipBomb(n int) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, `{"user": "`)
	zeros := make([]byte, 1<<20)
	for range n {
		_, _ = z.Write(zeros)
	}
	_ = z.Close()
	return b.String()
}

func TestBadAnswersAreUnavailable(t *testing.T) {
	echo := func(w http.ResponseWriter, r *http.Request) { // repeats the request in the answer
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Asked", r.URL.String())
		_, _ = fmt.Fprintf(w, `{%q: %q`, r.URL.String(), r.Header.Get("Authorization"))
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		fault  string
	}{
		"500":                 {respond(500, nil, "jane"), "answered 500"},
		"400":                 {respond(400, jsonHeader, `{"error": "jane"}`), "answered 400"},
		"404 of a proxy":      {respond(404, nil, "jane"), "is the URL right?"},
		"414":                 {respond(414, nil, ""), "answered 414"},
		"401":                 {respond(401, nil, ""), "answered 401: check the token or the client certificate"},
		"403":                 {respond(403, nil, ""), "answered 403: check the token or the client certificate"},
		"503":                 {respond(503, nil, ""), "answered 503"},
		"204":                 {respond(204, nil, ""), "answered 204"},
		"206":                 {respond(206, jsonHeader, `{"user": {}}`), "answered 206"},
		"304 without an ETag": {respond(304, nil, ""), "answered 304"},
		"redirect":            {respond(302, http.Header{"Location": {"http://jane/"}}, ""), "redirects are not followed"},
		"permanent redirect":  {respond(308, http.Header{"Location": {"/s3cret"}}, ""), "redirects are not followed"},
		"HTML":                {respond(200, http.Header{"Content-Type": {"text/html"}}, "<html>"), "Content-Type is not application/json"},
		"JSON as text/plain": {
			respond(200, http.Header{"Content-Type": {"text/plain"}}, `{"ids": [], "more": false}`), "Content-Type is not application/json"},
		"Latin-1":       {respond(200, http.Header{"Content-Type": {"application/json; charset=latin1"}}, `{}`), "not in UTF-8"},
		"brotli":        {respond(200, http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"br"}}, `{}`), "Content-Encoding is not gzip"},
		"empty":         {respond(200, jsonHeader, ""), "byte 0: unexpected EOF"},
		"cut off":       {respond(200, jsonHeader, `{"user": {"id": "ja`), "breaks the contract"},
		"echo":          {echo, "breaks the contract"},
		"trailing data": {respond(200, jsonHeader, `{"user": {}, "users": []} {}`), "breaks the contract"},
		"from a cache":  {respond(200, http.Header{"Content-Type": {"application/json"}, "Age": {"7"}}, `{}`), "comes from an HTTP cache"},
		"not gzip":      {respond(200, http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}}, `{"jane": 1}`), "the connection failed"},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(c.answer)
			defer s.Close()
			h, _ := openTestOrigin(t, s.URL, func(cfg *Config) { cfg.breakerTimeout = time.Nanosecond })
			for call, err := range callEvery(h) {
				assert.Equal(t, pdp.Unavailable, pdp.KindOf(err), call)
				assert.ErrorContains(t, err, c.fault, call)
				assertNoSecrets(t, err.Error())
			}
		})
	}
}

func TestOnlyTheContracts404MeansUnknown(t *testing.T) {
	for name, c := range map[string]struct {
		answer  http.HandlerFunc
		unknown bool
	}{
		"of the contract": {respond(404, jsonHeader, `{"code": "unknown"}`), true},
		"problem+json":    {respond(404, http.Header{"Content-Type": {"application/problem+json; charset=UTF-8"}}, `{"code":"unknown"}`), true},
		"HTML":            {respond(404, http.Header{"Content-Type": {"text/plain"}}, "404 page not found"), false},
		"no body":         {respond(404, nil, ""), false},
		"of a gateway":    {respond(404, jsonHeader, `{"message": "no route"}`), false},
		"another code":    {respond(404, jsonHeader, `{"code": "no_route"}`), false},
		"unknown member":  {respond(404, jsonHeader, `{"code": "unknown", "path": "/users"}`), false},
		"too large":       {respond(404, jsonHeader, `{"code": "unknown"`+strings.Repeat(" ", 2000)+"}"), false},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(c.answer)
			defer s.Close()
			h, _ := openTestOrigin(t, s.URL, nil)
			for call, err := range callEvery(h) {
				if c.unknown && (call == "user" || call == "organization") {
					assert.NoError(t, err)
				} else { // the contract has no 404 for lists
					assert.Equal(t, pdp.Unavailable, pdp.KindOf(err), call)
				}
			}
		})
	}
}

func TestTooLargeAnswersAreRefused(t *testing.T) {
	endless := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, err := io.WriteString(w, `{"user": {"id": "`)
		for chunk := strings.Repeat("x", 1<<16); err == nil; {
			_, err = io.WriteString(w, chunk)
		}
	}
	for name, answer := range map[string]http.HandlerFunc{
		"endless":   endless,
		"announced": respond(200, http.Header{"Content-Type": {"application/json"}, "Content-Length": {"1073741824"}}, "{"),
		"gzip bomb": respond(200, http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}}, gzipBomb(80)),
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(answer)
			defer s.Close()
			h, _ := openTestOrigin(t, s.URL, nil)
			for call, err := range callEvery(h) {
				assert.ErrorContains(t, err, "the answer is larger than", call)
			}
		})
	}
	s := httptest.NewServer(respond(200, http.Header{"Content-Type": {"application/json"}, "X-Long": {strings.Repeat("x", 128<<10)}}, "{}"))
	defer s.Close()
	h, _ := openTestOrigin(t, s.URL, nil)
	assert.ErrorContains(t, h.Check(context.Background()), "the connection failed")
}

func TestSlowAnswersTimeOut(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"no headers": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"no body": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
		"byte by byte": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for {
				if _, err := io.WriteString(w, " "); err != nil {
					return
				}
				w.(http.Flusher).Flush()
				select {
				case <-r.Context().Done():
					return
				case <-time.After(time.Millisecond):
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				answer(w, r)
			}))
			t.Cleanup(s.Close)
			h, _ := openTestOrigin(t, s.URL, func(cfg *Config) { cfg.Timeout, cfg.Retries = 250*time.Millisecond, 1 })
			_, err := h.User(context.Background(), "jane")
			assert.Equal(t, pdp.Unavailable, pdp.KindOf(err))
			assert.ErrorContains(t, err, "no answer within 250ms")
			require.Eventually(t, func() bool { return asked.Load() == 2 }, fixture.Timeout, time.Millisecond)

			h, _ = openTestOrigin(t, s.URL, nil)
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
			defer cancel()
			_, err = h.User(ctx, "jane")
			assert.Equal(t, pdp.Timeout, pdp.KindOf(err))
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			assertNoSecrets(t, err.Error())
		})
	}
}

func TestBrokenConnectionsAreUnavailable(t *testing.T) {
	serve := func(answer string) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				b := make([]byte, 4096)
				n, _ := c.Read(b)
				_, _ = io.WriteString(c, strings.ReplaceAll(answer, "ECHO", strings.ReplaceAll(string(b[:n]), "\r\n", " ")))
				_ = c.Close()
			}
		}()
		return l.Addr().String()
	}
	head := "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	for name, c := range map[string]struct{ url, fault string }{
		"connection refused": {"http://127.0.0.1:1", "connection refused"},
		"unknown host":       {"https://nowhere.invalid", "lookup"},
		"closed at once":     {"http://" + serve(""), "the connection was closed"},
		"not HTTP":           {"http://" + serve("ECHO\r\n\r\n"), "the connection failed"},
		"malformed header":   {"http://" + serve("HTTP/1.1 200 OK\r\nECHO\r\n\r\n"), "the connection failed"},
		"body cut off":       {"http://" + serve(head+"Content-Length: 100\r\n\r\n{"), "the connection was closed"},
		"chunk cut off":      {"http://" + serve(head+"Transfer-Encoding: chunked\r\n\r\n5\r\n{"), "the connection was closed"},
		"malformed chunk":    {"http://" + serve(head+"Transfer-Encoding: chunked\r\n\r\nECHO\r\n"), "the connection failed"},
		"JSON cut off":       {"http://" + serve(head+"Connection: close\r\n\r\n{\"user\": {\"id\": "), "breaks the contract"},
		"plain http":         {"https://" + serve("HTTP/1.0 400 ECHO\r\n\r\n"), "not https"},
	} {
		t.Run(name, func(t *testing.T) {
			h, _ := openTestOrigin(t, c.url, nil)
			for call, err := range callEvery(h) {
				assert.Equal(t, pdp.Unavailable, pdp.KindOf(err), call)
				if call == "user" {
					assert.ErrorContains(t, err, c.fault)
				}
				assertNoSecrets(t, err.Error())
			}
		})
	}
}
