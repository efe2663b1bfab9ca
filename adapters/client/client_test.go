package client_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/adapters/client"
	"github.com/wardkeeper/wardkeeper/adapters/conformance/decisionpoint"
	"github.com/wardkeeper/wardkeeper/adapters/pep"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

func start(t *testing.T, network, address string, config *tls.Config) *decisionpoint.Server {
	t.Helper()
	l, err := net.Listen(network, address)
	require.NoError(t, err)
	s := decisionpoint.Start(l, config)
	t.Cleanup(s.Close)
	return s
}

func newClient(t *testing.T, c client.Config) *client.Client {
	t.Helper()
	cl, err := client.New(c)
	require.NoError(t, err)
	t.Cleanup(cl.Close)
	return cl
}

func about(resource string) authzen.Evaluation {
	return authzen.Evaluation{Subject: authzen.Entity{Type: "user", ID: "alice"}, Action: authzen.Action{Name: "user.view"},
		Resource: authzen.Entity{Type: "user", ID: resource}, Context: map[string]any{"at_least": "t1"}}
}

// No failure is an answer (PEP-1, PEP-2), and a question is asked again only if the connection broke before an answer began
// (PEP-8).
func TestOnlyWellFormedAnswersAreAnswers(t *testing.T) {
	again := map[string]bool{"not-answered": true, "allow-second-attempt": true}
	for _, id := range decisionpoint.Behaviors() {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			s := start(t, "tcp", "127.0.0.1:0", nil)
			c := newClient(t, client.Config{URL: "http://" + s.Addr().String(), Timeout: 30 * time.Second})
			if strings.HasPrefix(id, "not-in-time") {
				c = newClient(t, client.Config{URL: "http://" + s.Addr().String(), Timeout: 200 * time.Millisecond})
			}
			e, err := pep.New(pep.Config{Decider: c, Handlers: map[string]pep.Handler{
				"notification": {Can: func(o pep.Obligation) bool { return o.Properties["channel"] == "email" }}, pep.Confirm: {}}})
			require.NoError(t, err)
			o := e.Enforce(pep.WithTrace(t.Context(), pep.Trace{RequestID: "r-1"}), about(id))
			assert.Equal(t, decisionpoint.Permits(id), o.Permitted(), o.Err)
			assert.Equal(t, strings.HasPrefix(id, "not-"), o.Verdict == pep.Unavailable, o)
			requests := 1
			if again[id] {
				requests = 2
			}
			assert.Len(t, s.Requests(), requests)
			if o.Err != nil {
				assert.NotContains(t, o.Err.Error(), "alice")
				assert.NotContains(t, o.Err.Error(), id, "errors are logged")
			}
		})
	}
}

func TestQuestionCarriesWhatIdentifiesTheRequest(t *testing.T) {
	s := start(t, "tcp", "127.0.0.1:0", nil)
	c := newClient(t, client.Config{URL: "http://" + s.Addr().String() + "/", Token: func() string { return "s3cret" }})
	trace := pep.Trace{RequestID: "r-1", Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", Tracestate: "a=b"}
	for range 2 {
		answers, err := c.Decide(pep.WithTrace(t.Context(), trace), []authzen.Evaluation{about("allow")})
		require.NoError(t, err)
		assert.Equal(t, []authzen.Response{{Decision: true}}, answers)
	}
	requests := s.Requests()
	require.Len(t, requests, 2, "answers are not cached")
	for _, r := range requests {
		assert.Equal(t, "/access/v1/evaluation", r.Path)
		assert.Equal(t, []string{"r-1", trace.Traceparent, "a=b", "Bearer s3cret", "application/json"},
			[]string{r.Header.Get("X-Request-ID"), r.Header.Get("Traceparent"), r.Header.Get("Tracestate"), r.Header.Get("Authorization"), r.Header.Get("Content-Type")})
		assert.Equal(t, []authzen.Evaluation{about("allow")}, r.Questions)
		assert.Equal(t, 1, r.Connection, "connections are used again")
	}
}

func TestBatch(t *testing.T) {
	s := start(t, "tcp", "127.0.0.1:0", nil)
	c := newClient(t, client.Config{URL: "http://" + s.Addr().String(), BatchSize: 3, Timeout: time.Minute})
	var questions []authzen.Evaluation
	var want []bool
	for i := range 7 {
		id := "deny"
		if i%3 != 0 {
			id = "allow"
		}
		questions, want = append(questions, about(id)), append(want, i%3 != 0)
	}
	answers, err := c.Decide(t.Context(), questions)
	require.NoError(t, err)
	var got []bool
	for _, a := range answers {
		got = append(got, a.Decision)
	}
	assert.Equal(t, want, got)
	var sizes []int
	for _, r := range s.Requests() {
		sizes = append(sizes, len(r.Questions))
	}
	assert.Equal(t, []int{3, 3, 1}, sizes)

	for _, id := range []string{"batch-fewer", "batch-more"} {
		_, err := c.Decide(t.Context(), []authzen.Evaluation{about(id), about("allow")})
		assert.Error(t, err, id)
	}
	answers, err = c.Decide(t.Context(), nil)
	assert.NoError(t, err)
	assert.Empty(t, answers)
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pdp.sock")
	start(t, "unix", path, nil)
	c := newClient(t, client.Config{URL: "unix:" + path})
	answers, err := c.Decide(t.Context(), []authzen.Evaluation{about("allow")})
	require.NoError(t, err)
	assert.True(t, answers[0].Decision)

	c = newClient(t, client.Config{URL: "unix:" + path + ".none"})
	_, err = c.Decide(t.Context(), []authzen.Evaluation{about("allow")})
	assert.ErrorContains(t, err, "the decision point cannot be reached")
}

func TestCertificatesAreVerified(t *testing.T) {
	pki := httptest.NewUnstartedServer(nil)
	pki.StartTLS()
	defer pki.Close()
	s := start(t, "tcp", "127.0.0.1:0", &tls.Config{Certificates: pki.TLS.Certificates})
	roots := x509.NewCertPool()
	roots.AddCert(pki.Certificate())
	url := "https://" + s.Addr().String()

	answers, err := newClient(t, client.Config{URL: url, TLS: &tls.Config{RootCAs: roots}, Timeout: 30 * time.Second}).Decide(t.Context(), []authzen.Evaluation{about("allow")})
	require.NoError(t, err)
	assert.True(t, answers[0].Decision)
	for name, config := range map[string]*tls.Config{"unknown authority": nil, "other name": {RootCAs: roots, ServerName: "pdp.example.net"}} {
		_, err = newClient(t, client.Config{URL: url, TLS: config, Timeout: 30 * time.Second}).Decide(t.Context(), []authzen.Evaluation{about("allow")})
		assert.Error(t, err, name)
	}
	assert.Len(t, s.Requests(), 1)
}

// What fails before a connection has been established, or because one side trusts the other not, fails again.
func TestOnlyBrokenConnectionsAreTriedAgain(t *testing.T) {
	pki := httptest.NewUnstartedServer(nil)
	pki.StartTLS()
	defer pki.Close()
	roots := x509.NewCertPool()
	roots.AddCert(pki.Certificate())
	for name, c := range map[string]struct {
		server *tls.Config // nil: without TLS
		client *tls.Config
		want   string
	}{
		"unknown authority":      {server: &tls.Config{}, want: "cannot be trusted"},
		"another name":           {server: &tls.Config{}, client: &tls.Config{RootCAs: roots, ServerName: "pdp.example.net"}, want: "cannot be trusted"},
		"no TLS":                 {client: &tls.Config{RootCAs: roots}, want: "broke off"},
		"client not trusted":     {server: &tls.Config{ClientAuth: tls.RequireAnyClientCert}, client: &tls.Config{RootCAs: roots}, want: "certificate required"},
		"client not trusted 1.2": {server: &tls.Config{ClientAuth: tls.RequireAnyClientCert, MaxVersion: tls.VersionTLS12}, client: &tls.Config{RootCAs: roots}, want: "handshake failure"},
		"old version":            {server: &tls.Config{MaxVersion: tls.VersionTLS12}, client: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}, want: "protocol version"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.server != nil {
				c.server.Certificates = pki.TLS.Certificates
			}
			s := start(t, "tcp", "127.0.0.1:0", c.server)
			cl := newClient(t, client.Config{URL: "https://" + s.Addr().String(), TLS: c.client, Timeout: 30 * time.Second})
			_, err := cl.Decide(t.Context(), []authzen.Evaluation{about("allow")})
			assert.ErrorContains(t, err, c.want)
			assert.LessOrEqual(t, s.Opened(), 1)
			assert.Empty(t, s.Requests())
		})
	}
}

// Once a kept connection is found broken, the others are too: the retry opens a new one.
func TestRetryTakesANewConnection(t *testing.T) {
	const kept = 3
	var requests, connections atomic.Int32
	together := make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		number := requests.Add(1)
		if number == kept {
			close(together)
		}
		<-together
		if number > kept && connections.Load() <= kept {
			panic(http.ErrAbortHandler) // every connection that was kept breaks when it is used again
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"decision":true}`)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	c := newClient(t, client.Config{URL: server.URL, Timeout: time.Minute})
	ask := func() error {
		_, err := c.Decide(context.Background(), []authzen.Evaluation{about("x")})
		return err
	}
	errs := make(chan error)
	for range kept {
		go func() { errs <- ask() }()
	}
	for range kept {
		require.NoError(t, <-errs)
	}
	require.NoError(t, ask())
	assert.EqualValues(t, kept+2, requests.Load())
	assert.EqualValues(t, kept+1, connections.Load())
}

func TestOtherVersionsOfHTTPAreNoAnswers(t *testing.T) {
	const rest = " 200 OK\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n" + `{"decision":true}`
	for version, want := range map[string]bool{"HTTP/1.1": true, "HTTP/2.0": false, "HTTP/3.0": false, "HTTP/0.9": false} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		go func() {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			r := bufio.NewReader(conn)
			if req, err := http.ReadRequest(r); err == nil {
				_, _ = io.Copy(io.Discard, req.Body)
				_, _ = io.WriteString(conn, version+rest)
				_, _ = r.ReadByte() // until the client closes the connection
			}
		}()
		c := newClient(t, client.Config{URL: "http://" + l.Addr().String(), Timeout: time.Minute})
		_, err = c.Decide(t.Context(), []authzen.Evaluation{about("x")})
		assert.Equal(t, want, err == nil, "%s: %v", version, err)
		c.Close()
		_ = l.Close()
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	s := start(t, "tcp", "127.0.0.1:0", nil)
	c := newClient(t, client.Config{URL: "http://" + s.Addr().String(), MaxConnections: 2, Timeout: 30 * time.Second})
	done := make(chan error)
	const callers = 20
	for range callers {
		go func() {
			_, err := c.Decide(context.Background(), []authzen.Evaluation{about("allow")})
			done <- err
		}()
	}
	for range callers {
		require.NoError(t, <-done)
	}
	for _, r := range s.Requests() {
		assert.LessOrEqual(t, r.Connection, 2)
	}
}

func TestMalformedURLsAreRefused(t *testing.T) {
	for _, url := range []string{"", "pdp", "pdp:8181", "ftp://pdp", "http://", "unix:", "unix:pdp.sock", "unix://pdp.sock", "http://u:p@pdp", "http://pdp?x=1", "http://pdp#x", "http://pdp:99999x", "http://a b"} {
		_, err := client.New(client.Config{URL: url})
		assert.Error(t, err, url)
	}
}

func TestSearches(t *testing.T) {
	var bodies []string
	pages := []string{
		`{"page":{"next_token":"2"},"results":[{"type":"user","id":"jane","properties":{"username":"j"}}]}`,
		`{"page":{"next_token":"3"},"results":[]}`,
		`{"page":{"next_token":""},"results":[{"type":"user","id":"joe"},{"name":"user.view"}]}`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, r.ContentLength)
		_, _ = r.Body.Read(body)
		bodies = append(bodies, r.URL.Path+" "+string(body))
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(pages[(len(bodies)-1)%len(pages)]))
	}))
	defer server.Close()
	c := newClient(t, client.Config{URL: server.URL})
	limit := 1
	s := authzen.Search{Subject: authzen.Entity{Type: "user", ID: "alice"}, Action: authzen.Action{Name: "user.view"},
		Resource: authzen.Entity{Type: "user", ID: "ignored"}, Page: &authzen.Page{Limit: &limit}}
	var hits []authzen.Hit
	for hit, err := range c.SearchResources(t.Context(), s) {
		require.NoError(t, err)
		hits = append(hits, hit)
	}
	assert.Equal(t, []authzen.Hit{{Type: "user", ID: "jane", Properties: map[string]any{"username": "j"}}, {Type: "user", ID: "joe"}, {Name: "user.view"}}, hits)
	const first = `{"action":{"name":"user.view"},"page":{"limit":1},"resource":{"type":"user"},"subject":{"type":"user","id":"alice"}}`
	assert.Equal(t, []string{"/access/v1/search/resource " + first,
		"/access/v1/search/resource " + strings.Replace(first, `{"limit":1}`, `{"token":"2","limit":1}`, 1),
		"/access/v1/search/resource " + strings.Replace(first, `{"limit":1}`, `{"token":"3","limit":1}`, 1)}, bodies)

	for range c.SearchActions(t.Context(), s) {
		break
	}
	assert.Equal(t, `/access/v1/search/action {"page":{"limit":1},"resource":{"type":"user","id":"ignored"},"subject":{"type":"user","id":"alice"}}`, bodies[3])

	pages = []string{`{"results":[{"type":"user"}]}`}
	for _, err := range c.SearchSubjects(t.Context(), s) {
		assert.Error(t, err)
	}
	pages = []string{`{"page":{"next_token":"same"},"results":[]}`}
	var last error
	for _, last = range c.SearchSubjects(t.Context(), s) {
	}
	assert.ErrorContains(t, last, "where it has been")
}

func TestListsEndWhateverTheDecisionPointSends(t *testing.T) {
	var page atomic.Int32
	var token func(n int32) string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"page":{"next_token":"`+token(page.Add(1))+`"},"results":[]}`)
	}))
	defer server.Close()
	c := newClient(t, client.Config{URL: server.URL, Timeout: time.Minute})
	for name, w := range map[string]struct {
		token   func(n int32) string
		pages   int32
		problem string
	}{
		"two tokens in turn": {func(n int32) string { return []string{"a", "b"}[n%2] }, 3, "where it has been"},
		"the first token":    {func(int32) string { return "begin" }, 1, "where it has been"},
		"ever another token": {func(n int32) string { return strconv.Itoa(int(n)) }, 10_000, "more than 10000 pages"},
	} {
		page.Store(0)
		token = w.token
		var last error
		for _, last = range c.SearchSubjects(t.Context(), authzen.Search{Page: &authzen.Page{Token: "begin"}}) {
		}
		assert.ErrorContains(t, last, w.problem, name)
		assert.Equal(t, w.pages, page.Load(), name)
	}
}

func TestDiscover(t *testing.T) {
	var metadata string
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/authzen-configuration/tenant", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(metadata))
	})
	mux.HandleFunc("POST /odd/evaluate", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"decision":true}`))
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	url := server.URL + "/tenant"
	metadata = `{"policy_decision_point":"` + url + `","access_evaluation_endpoint":"` + server.URL + `/odd/evaluate"}`
	c, err := client.Discover(t.Context(), client.Config{URL: url})
	require.NoError(t, err)
	defer c.Close()
	answers, err := c.Decide(t.Context(), []authzen.Evaluation{about("x")})
	require.NoError(t, err)
	assert.True(t, answers[0].Decision)
	_, err = c.Decide(t.Context(), []authzen.Evaluation{about("x"), about("y")})
	assert.ErrorContains(t, err, "does not offer this")

	for _, metadata = range []string{
		`{}`, `[]`, `{"policy_decision_point":7}`,
		`{"policy_decision_point":"https://pdp.example.net","access_evaluation_endpoint":"https://pdp.example.net/e"}`,
		`{"policy_decision_point":"` + url + `","access_evaluation_endpoint":"https://pdp.example.net/e"}`,
		`{"policy_decision_point":"` + url + `","access_evaluation_endpoint":"` + server.URL + `/e?x"}`,
	} {
		_, err := client.Discover(t.Context(), client.Config{URL: url})
		assert.Error(t, err, metadata)
	}
}

// A hanging handshake occupies a connection, but not for longer than a call may take: once the server has recovered, it is
// asked again.
func TestHangingHandshakesEnd(t *testing.T) {
	pki := httptest.NewUnstartedServer(nil)
	pki.StartTLS()
	defer pki.Close()
	roots := x509.NewCertPool()
	roots.AddCert(pki.Certificate())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	hanging := &hangingFirst{Listener: l}
	hanging.left.Store(2)
	s := decisionpoint.Start(hanging, &tls.Config{Certificates: pki.TLS.Certificates})
	t.Cleanup(s.Close)
	config := client.Config{URL: "https://" + l.Addr().String(), TLS: &tls.Config{RootCAs: roots}, MaxConnections: 2, Timeout: 300 * time.Millisecond}
	c := newClient(t, config)
	require.Eventually(t, func() bool {
		answers, err := c.Decide(context.Background(), []authzen.Evaluation{about("allow")})
		return err == nil && answers[0].Decision
	}, time.Minute, time.Millisecond)
	assert.Zero(t, hanging.left.Load())
}

// hangingFirst accepts its first connections without ever responding.
type hangingFirst struct {
	net.Listener
	left atomic.Int32
}

func (l *hangingFirst) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil || l.left.Load() == 0 {
			return conn, err
		}
		l.left.Add(-1)
		defer conn.Close() // when the listener closes
	}
}

// Data received instead of HTTP may name persons, and errors are logged (PEP-11).
func TestErrorsDoNotQuoteTheAnswer(t *testing.T) {
	for _, answer := range []string{
		"jane.doe@example.org\r\n\r\n", "HTTP/1.1 jane.doe@example.org\r\n\r\n", "HTTP/jane.doe@example.org 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\njane.doe@example.org\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: jane.doe@example.org\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: jane.doe@example.org\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: jane.doe@example.org\r\n\r\n",
		"HTTP/1.1 302 Found\r\nLocation: http://jane.doe@example.org:x%zz\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\njane.doe@example.org\r\n",
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nTrailer: jane.doe@example.org\r\n\r\n0\r\njane.doe@example.org\r\n\r\n",
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = http.ReadRequest(bufio.NewReader(conn))
				_, _ = conn.Write([]byte(answer))
				_ = conn.Close()
			}
		}()
		c := newClient(t, client.Config{URL: "http://" + l.Addr().String(), Timeout: 30 * time.Second})
		_, err = c.Decide(t.Context(), []authzen.Evaluation{about("jane")})
		assert.Error(t, err, answer)
		assert.NotContains(t, err.Error(), "jane", answer)
		_ = l.Close()
	}
}

// If a server sends more than one answer to a question, the surplus must not be taken for the answer to the next question, nor
// logged by the transport.
func TestSurplusAnswerIsNotThatOfTheNextQuestion(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
	const deny, allow = head + "18\r\n\r\n" + `{"decision":false}`, head + "17\r\n\r\n" + `{"decision":true}`
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				r := bufio.NewReader(conn)
				for {
					req, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, req.Body)
					if _, err := io.WriteString(conn, deny+allow); err != nil {
						return
					}
				}
			}()
		}
	}()
	var logged bytes.Buffer // written by one goroutine at a time
	log.SetOutput(&logged)
	defer log.SetOutput(os.Stderr)
	c := newClient(t, client.Config{URL: "http://" + l.Addr().String(), MaxConnections: 2, Timeout: 30 * time.Second})
	var all sync.WaitGroup
	var wrong, right atomic.Int32
	for range 16 {
		all.Go(func() {
			for range 100 {
				answers, err := c.Decide(context.Background(), []authzen.Evaluation{about("x")})
				if err == nil && answers[0].Decision {
					wrong.Add(1)
				} else if err == nil {
					right.Add(1)
				}
			}
		})
	}
	all.Wait()
	assert.Zero(t, wrong.Load(), "denials that were taken for allows")
	assert.NotZero(t, right.Load())
	log.SetOutput(os.Stderr)
	assert.NotContains(t, logged.String(), "HTTP/1.1")
	assert.NotContains(t, logged.String(), "decision")
}

// The transport logs what follows an answer, wherever an answer ends.
func TestWhatFollowsAnAnswerIsNotLogged(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	for name, answer := range map[string]string{
		"length":                 head + "Content-Length: 18\r\n\r\n" + `{"decision":false}`,
		"length in another case": head + "CONTENT-length:18 \r\n\r\n" + `{"decision":false}`,
		"chunks":                 head + "Transfer-Encoding: chunked\r\n\r\n12\r\n" + `{"decision":false}` + "\r\n0\r\n\r\n",
		"after hints":            "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" + head + "Content-Length: 18\r\n\r\n" + `{"decision":false}`,
		"long lines":             head + "X-Fill: " + strings.Repeat("Content-Length: 9", 1000) + "\r\nContent-Length: 18\r\n\r\n" + `{"decision":false}`,
		"bare line feeds":        strings.ReplaceAll(head, "\r", "") + "Content-Length: 18\n\n" + `{"decision":false}`,
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			r := bufio.NewReader(conn)
			if req, err := http.ReadRequest(r); err == nil {
				_, _ = io.Copy(io.Discard, req.Body)
				_, _ = io.WriteString(conn, answer+"jane.doe@example.org")
				_, _ = r.ReadByte() // until the client closes the connection, which it does after it has logged
			}
		}()
		var logged bytes.Buffer
		log.SetOutput(&logged)
		c := newClient(t, client.Config{URL: "http://" + l.Addr().String(), Timeout: time.Minute})
		answers, err := c.Decide(t.Context(), []authzen.Evaluation{about("x")})
		<-closed
		log.SetOutput(os.Stderr)
		_ = l.Close()
		require.NoError(t, err, name)
		assert.False(t, answers[0].Decision)
		assert.NotContains(t, logged.String(), "jane", name)
	}
}

// A value that no header can carry is named. It is not mistaken for a failure of the connection, and not shown.
func TestValuesThatNoHeaderCanCarryAreNamed(t *testing.T) {
	s := start(t, "tcp", "127.0.0.1:0", nil)
	url := "http://" + s.Addr().String()
	traced := func(trace pep.Trace) context.Context { return pep.WithTrace(t.Context(), trace) }
	for message, c := range map[string]struct {
		ctx   context.Context
		token string
	}{
		"the token for the decision point has a line break": {t.Context(), "s3cret\n"},
		"another character that no token has":               {t.Context(), "s3crét"},
		"a space or":                                        {t.Context(), "Bearer s3cret"},
		"the X-Request-ID that pep.WithTrace was given":     {traced(pep.Trace{RequestID: "s3cret\r\nX: y"}), ""},
		"the Traceparent that pep.WithTrace was given":      {traced(pep.Trace{Traceparent: "s3cret\x00"}), ""},
		"the Tracestate that pep.WithTrace was given":       {traced(pep.Trace{Tracestate: "s3cret\n"}), ""},
	} {
		_, err := newClient(t, client.Config{URL: url, Token: func() string { return c.token }}).Decide(c.ctx, []authzen.Evaluation{about("jane")})
		require.ErrorContains(t, err, message)
		assert.NotContains(t, err.Error(), "s3cr")
	}
	assert.Empty(t, s.Requests())
	for _, url := range []string{url + "\n", "unix:/run/wardkeeper/pdp.sock\n"} {
		_, err := client.New(client.Config{URL: url})
		require.ErrorContains(t, err, "the URL of the decision point has a line break or another control character")
	}
}
