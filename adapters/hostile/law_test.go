package hostile_test

import (
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/adapters/check"
	"github.com/wardkeeper/wardkeeper/adapters/hostile"
	"github.com/wardkeeper/wardkeeper/adapters/nethttp"
)

// Every way of breaking a middleware is found.
func TestBrokenMiddlewareIsFound(t *testing.T) {
	around := func(change func(*http.Request)) func(*check.Checker) func(http.Handler) http.Handler {
		return func(c *check.Checker) func(http.Handler) http.Handler {
			protect := nethttp.Middleware(nethttp.Config{Checker: c})
			return func(next http.Handler) http.Handler {
				return protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					change(r)
					next.ServeHTTP(w, r)
				}))
			}
		}
	}
	for name, c := range map[string]struct {
		protect  func(*check.Checker) func(http.Handler) http.Handler
		sentence string
	}{
		"nothing is judged": {func(*check.Checker) func(http.Handler) http.Handler {
			return func(next http.Handler) http.Handler { return next }
		}, "The application got a request that was not judged: GET asking"},
		"the path is another afterwards": {around(func(r *http.Request) { r.RequestURI = strings.Replace(r.RequestURI, "/users/", "/users/x", 1) }),
			"The application got a request that was not judged: GET asking"},
		"the method is another afterwards": {around(func(r *http.Request) { r.Method = http.MethodDelete }), "The application got a request that no route matches."},
		"the host is another afterwards":   {around(func(r *http.Request) { r.Host = "admin.example.org" }), `asking {"subject":{"type":"user","id":"alice"},"action":{"name":"admin.view"}`},
		"the person is another afterwards": {around(func(r *http.Request) { r.Header.Set("Authorization", "Bearer mallory") }), `asking {"subject":{"type":"user","id":"mallory"}`},
		"a header is added afterwards":     {around(func(r *http.Request) { r.Header.Set("X-Confirmed", "true") }), `"confirmed":true`},
		"a field of the proxy's is added":  {around(func(r *http.Request) { r.Header.Set("X_Wardkeeper_Subject", "mallory") }), "The application got the field X_wardkeeper_subject, which it could take for the proxy's."},
	} {
		t.Run(name, func(t *testing.T) {
			trial := newTrial(t)
			handler, err := trial.Judge.Handler(c.protect)
			require.NoError(t, err)
			cases := hostile.Cases(trial.Site)[:4]
			o, err := trial.Run(t.Context(), hostile.DialTCP(serve(t, handler)), cases, hostile.Allow, false)
			require.NoError(t, err)
			var sentences []string
			for _, v := range o.Violations {
				sentences = append(sentences, v.String())
			}
			require.Contains(t, strings.Join(sentences, "\n"), c.sentence)
		})
	}
}

// Bytes that programs could read in different ways are a violation, even if the request was judged.
func TestAmbiguousBytesAtTheApplicationAreFound(t *testing.T) {
	for raw, sentence := range map[string]string{
		"GET /public/a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n":                                                                              "was not judged: GET /public/a, which is public",
		"GET /public/a HTTP/1.1\nHost: h\r\n\r\n":                                                                                                     "a line ends without a carriage return",
		"GET  /public/a HTTP/1.1\r\nHost: h\r\n\r\n":                                                                                                  "its first line is not METHOD TARGET HTTP/1.1",
		"GET /public/a HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n":                                                                                     "a field is folded over two lines",
		"GET /public/a HTTP/1.1\r\nHost : h\r\n\r\n":                                                                                                  "a field has no name, or one that is not a token",
		"GET /public/a HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n":                                                                                        "a line has a carriage return or NUL in it",
		"POST /public/a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n":                                      "both Content-Length and Transfer-Encoding",
		"POST /public/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n":                                                          "its Transfer-Encoding is not chunked alone",
		"POST /public/a HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab":                                                      "its Content-Length is not one number",
		"POST /public/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;a\r\nb\r\n0\r\n\r\n":                                               "a chunk's size is not a number alone",
		"POST /public/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nbc\r\n0\r\n\r\n":                                                "a chunk does not end where its size says",
		"POST /public/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n":                                                   "it has a trailer",
		"POST /public/a HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer_Encoding: chunked\r\nContent-Length: 0\r\n\r\n":                          "it has the field Transfer_encoding, which some programs take for Transfer-Encoding",
		"GET /public/../users/a HTTP/1.1\r\nHost: h\r\nConnection: close\r\nAuthorization: Bearer alice\r\n\r\n":                                      "a request that the route file refuses: The path has a dot segment",
		"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n":                                                                                     "no route matches",
		"GET /public/a HTTP/1.1\r\nHost: h\r\nConnection: close\r\nHost: i\r\n\r\n":                                                                   "a request that the route file refuses: The request has no host, or more than one",
		"GET /public/a HTTP/1.1\r\nHost: h\r\n\r\nGET /users/wkcase1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\nAuthorization: Bearer alice\r\n\r\n": `was not judged: GET asking {"subject":{"type":"user","id":"alice"},"action":{"name":"user.view"},"resource":{"type":"user","id":"wkcase1"}`,
	} {
		trial := newTrial(t)
		o, err := trial.Run(t.Context(), hostile.DialTCP(trial.Backend.Addr()), []hostile.Case{{ID: "wkcase1", Class: hostile.PlainClass, Raw: []byte(raw)}}, hostile.Allow, true)
		require.NoError(t, err)
		var sentences []string
		for _, v := range o.Violations {
			sentences = append(sentences, v.String())
		}
		require.Contains(t, strings.Join(sentences, "\n"), sentence, raw)
	}
}

// serve serves a handler on a free port.
func serve(t *testing.T, handler http.Handler) (addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return listener.Addr().String()
}
