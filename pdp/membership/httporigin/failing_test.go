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

// secretTexts must show nowhere: whom a question is about, and by what right it is asked.
var secretTexts = []string{"jane", "quimby", "s3cret", "username=", "query=", "id="}

func assertDiscreet(t *testing.T, text string) {
	t.Helper()
	for _, s := range secretTexts {
		assert.NotContains(t, strings.ToLower(text), s)
	}
}

// quick makes an origin that gives up soon, and its log.
func quick(t *testing.T, address string, change func(*Config)) (*Origin, *fixture.LogBuffer) {
	t.Helper()
	log := &fixture.LogBuffer{}
	cfg := Config{
		URL: address, Token: "s3cret", Timeout: fixture.Timeout, Retries: -1, pause: time.Millisecond, rest: time.Hour,
		Logger: slog.New(slog.NewTextHandler(log, nil)),
	}
	if change != nil {
		change(&cfg)
	}
	h, err := Open(cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, h.Close())
		assertDiscreet(t, log.String())
	})
	return h, log
}

// everyQuestion asks all that can be asked.
func everyQuestion(o membership.Origin) map[string]error {
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

func answering(status int, header http.Header, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for name, values := range header {
			w.Header()[name] = values
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

var jsonHeader = http.Header{"Content-Type": {"application/json"}}

func gzipped(n int) string {
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

// Whatever an application answers that is not by the contract: no question is answered, and it is told why.
func TestHTTPBadAnswers(t *testing.T) {
	echo := func(w http.ResponseWriter, r *http.Request) { // says back what it was asked
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Asked", r.URL.String())
		_, _ = fmt.Fprintf(w, `{%q: %q`, r.URL.String(), r.Header.Get("Authorization"))
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		fault  string
	}{
		"500":                {answering(500, nil, "jane"), "answered 500"},
		"400":                {answering(400, jsonHeader, `{"error": "jane"}`), "answered 400"},
		"404 of a proxy":     {answering(404, nil, "jane"), "is the URL right?"},
		"414":                {answering(414, nil, ""), "answered 414"},
		"401":                {answering(401, nil, ""), "answered 401: check the token or the client certificate"},
		"403":                {answering(403, nil, ""), "answered 403: check the token or the client certificate"},
		"503":                {answering(503, nil, ""), "answered 503"},
		"204":                {answering(204, nil, ""), "answered 204"},
		"206":                {answering(206, jsonHeader, `{"user": {}}`), "answered 206"},
		"304 out of nothing": {answering(304, nil, ""), "answered 304"},
		"redirect":           {answering(302, http.Header{"Location": {"http://jane/"}}, ""), "redirects are not followed"},
		"permanent redirect": {answering(308, http.Header{"Location": {"/s3cret"}}, ""), "redirects are not followed"},
		"a page":             {answering(200, http.Header{"Content-Type": {"text/html"}}, "<html>"), "Content-Type is not application/json"},
		"JSON by another name": {
			answering(200, http.Header{"Content-Type": {"text/plain"}}, `{"ids": [], "more": false}`), "Content-Type is not application/json"},
		"Latin-1":           {answering(200, http.Header{"Content-Type": {"application/json; charset=latin1"}}, `{}`), "not in UTF-8"},
		"brotli":            {answering(200, http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"br"}}, `{}`), "compressed by something else"},
		"empty":             {answering(200, jsonHeader, ""), "byte 0: unexpected EOF"},
		"cut off":           {answering(200, jsonHeader, `{"user": {"id": "ja`), "breaks the contract"},
		"says back":         {echo, "breaks the contract"},
		"more than JSON":    {answering(200, jsonHeader, `{"user": {}, "users": []} {}`), "breaks the contract"},
		"from a cache":      {answering(200, http.Header{"Content-Type": {"application/json"}, "Age": {"7"}}, `{}`), "comes from a cache"},
		"gzip that is none": {answering(200, http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}}, `{"jane": 1}`), "the connection failed"},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(c.answer)
			defer s.Close()
			h, _ := quick(t, s.URL, func(cfg *Config) { cfg.rest = time.Nanosecond })
			for question, err := range everyQuestion(h) {
				assert.Equal(t, pdp.Unavailable, pdp.KindOf(err), question)
				assert.ErrorContains(t, err, c.fault, question)
				assertDiscreet(t, err.Error())
			}
		})
	}
}

// A 404 that the application did not mean is no unknown user.
func TestHTTP404(t *testing.T) {
	for name, c := range map[string]struct {
		answer  http.HandlerFunc
		unknown bool
	}{
		"the contract's":  {answering(404, jsonHeader, `{"code": "unknown"}`), true},
		"a problem":       {answering(404, http.Header{"Content-Type": {"application/problem+json; charset=UTF-8"}}, `{"code":"unknown"}`), true},
		"a page":          {answering(404, http.Header{"Content-Type": {"text/plain"}}, "404 page not found"), false},
		"nothing":         {answering(404, nil, ""), false},
		"a gateway's":     {answering(404, jsonHeader, `{"message": "no route"}`), false},
		"another code":    {answering(404, jsonHeader, `{"code": "no_route"}`), false},
		"code and more":   {answering(404, jsonHeader, `{"code": "unknown", "path": "/users"}`), false},
		"larger than any": {answering(404, jsonHeader, `{"code": "unknown"`+strings.Repeat(" ", 2000)+"}"), false},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(c.answer)
			defer s.Close()
			h, _ := quick(t, s.URL, nil)
			for question, err := range everyQuestion(h) {
				if c.unknown && (question == "user" || question == "organization") {
					assert.NoError(t, err)
				} else { // a list is never unknown
					assert.Equal(t, pdp.Unavailable, pdp.KindOf(err), question)
				}
			}
		})
	}
}

func TestHTTPTooLarge(t *testing.T) {
	endless := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, err := io.WriteString(w, `{"user": {"id": "`)
		for chunk := strings.Repeat("x", 1<<16); err == nil; {
			_, err = io.WriteString(w, chunk)
		}
	}
	for name, answer := range map[string]http.HandlerFunc{
		"endless":   endless,
		"announced": answering(200, http.Header{"Content-Type": {"application/json"}, "Content-Length": {"1073741824"}}, "{"),
		"gzip bomb": answering(200, http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}}, gzipped(80)),
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(answer)
			defer s.Close()
			h, _ := quick(t, s.URL, nil)
			for question, err := range everyQuestion(h) {
				assert.ErrorContains(t, err, "the answer is larger than", question)
			}
		})
	}
	s := httptest.NewServer(answering(200, http.Header{"Content-Type": {"application/json"}, "X-Long": {strings.Repeat("x", 128<<10)}}, "{}"))
	defer s.Close()
	h, _ := quick(t, s.URL, nil)
	assert.ErrorContains(t, h.Check(context.Background()), "the connection failed")
}

// An attempt ends, however the application drags its feet.
func TestHTTPSlow(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"no headers": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"no body": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
		"drop by drop": func(w http.ResponseWriter, r *http.Request) {
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
			h, _ := quick(t, s.URL, func(cfg *Config) { cfg.Timeout, cfg.Retries = 30*time.Millisecond, 1 })
			_, err := h.User(context.Background(), "jane")
			assert.Equal(t, pdp.Unavailable, pdp.KindOf(err))
			assert.ErrorContains(t, err, "no answer within 30ms")
			assert.EqualValues(t, 2, asked.Load())

			h, _ = quick(t, s.URL, nil)
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
			defer cancel()
			_, err = h.User(ctx, "jane")
			assert.Equal(t, pdp.Timeout, pdp.KindOf(err))
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			assertDiscreet(t, err.Error())
		})
	}
}

// What is no HTTP at all.
func TestHTTPBrokenConnections(t *testing.T) {
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
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, gone.Close())
	for name, c := range map[string]struct{ url, fault string }{
		"nobody listens":   {"http://" + gone.Addr().String(), "connection refused"},
		"unknown host":     {"https://nowhere.invalid", "lookup"},
		"closed at once":   {"http://" + serve(""), "the connection was closed"},
		"no HTTP":          {"http://" + serve("ECHO\r\n\r\n"), "the connection failed"},
		"no header":        {"http://" + serve("HTTP/1.1 200 OK\r\nECHO\r\n\r\n"), "the connection failed"},
		"body cut off":     {"http://" + serve(head+"Content-Length: 100\r\n\r\n{"), "the connection was closed"},
		"chunk cut off":    {"http://" + serve(head+"Transfer-Encoding: chunked\r\n\r\n5\r\n{"), "the connection was closed"},
		"no chunk":         {"http://" + serve(head+"Transfer-Encoding: chunked\r\n\r\nECHO\r\n"), "the connection failed"},
		"ends without end": {"http://" + serve(head+"Connection: close\r\n\r\n{\"user\": {\"id\": "), "breaks the contract"},
		"plain http":       {"https://" + serve("HTTP/1.0 400 ECHO\r\n\r\n"), "not https"},
	} {
		t.Run(name, func(t *testing.T) {
			h, _ := quick(t, c.url, nil)
			for question, err := range everyQuestion(h) {
				assert.Equal(t, pdp.Unavailable, pdp.KindOf(err), question)
				if question == "user" {
					assert.ErrorContains(t, err, c.fault)
				}
				assertDiscreet(t, err.Error())
			}
		})
	}
}
