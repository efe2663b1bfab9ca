package httpapi

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// startWithMaxConns starts a server with a limit on connections.
func startWithMaxConns(t *testing.T, most int, cfg Config) *harness {
	t.Helper()
	cfg.BaseURL, cfg.Logger = "https://pdp.example.org", slog.New(slog.DiscardHandler)
	cfg.ReadHeaderTimeout, cfg.ReadTimeout, cfg.IdleTimeout = time.Hour, time.Hour, time.Hour
	s, err := New(cfg)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := s.HTTPServer()
	go func() { _ = server.Serve(s.Listeners(most, listener)[0]) }()
	t.Cleanup(func() { _ = server.Close() })
	return &harness{t: t, url: "http://" + listener.Addr().String(), server: s}
}

func send(t *testing.T, conn net.Conn, method, path, body string, length int) {
	t.Helper()
	_, err := fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", method, path, length, body)
	require.NoError(t, err)
}

func status(t *testing.T, conn net.Conn) int {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	return resp.StatusCode
}

// requireClosed waits until the server has closed the connection.
func requireClosed(t *testing.T, conn net.Conn) {
	t.Helper()
	_, err := io.Copy(io.Discard, conn)
	if e, ok := err.(net.Error); ok {
		require.False(t, e.Timeout())
	}
}

// Among equals, the oldest is evicted first.
func TestSlowThenIdleConnectionsAreEvicted(t *testing.T) {
	t.Parallel()
	h := startWithMaxConns(t, 3, Config{Decider: allow()})
	used := h.dial()
	send(t, used, "GET", "/health", "", 0)
	require.Equal(t, 200, status(t, used))
	mute := h.dial()
	slow := h.dial()
	_, err := fmt.Fprintf(slow, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n",
		evaluationPath, len(question))
	require.NoError(t, err)
	_, err = io.ReadFull(slow, make([]byte, len("HTTP/1.1 100 Continue\r\n\r\n"))) // the server waits for the body
	require.NoError(t, err)
	_, err = io.WriteString(slow, question[:20])
	require.NoError(t, err)
	time.Sleep(1200 * time.Millisecond) // longer than slowAfter

	one := h.dial()
	send(t, one, "GET", "/health", "", 0)
	require.Equal(t, 200, status(t, one))
	requireClosed(t, mute)
	two := h.dial()
	send(t, two, "GET", "/health", "", 0)
	require.Equal(t, 200, status(t, two))
	requireClosed(t, slow)
	three := h.dial()
	send(t, three, "GET", "/health", "", 0)
	require.Equal(t, 200, status(t, three))
	requireClosed(t, used)

	send(t, three, "GET", "/health", "", 0)
	require.Equal(t, 200, status(t, three), "the newest stays open")
}

func TestSilentConnectionsAreEvicted(t *testing.T) {
	h := startWithMaxConns(t, 10, Config{Decider: allow()})
	for range 200 {
		h.dial()
	}
	conn := h.dial()
	send(t, conn, "POST", evaluationPath, question, len(question))
	require.Equal(t, 200, status(t, conn))
}

// net/http reads the rest of a body before it sends a response, even to somebody unknown. Who never sends it must not keep others out.
func TestConnectionsThatOweABodyAreEvicted(t *testing.T) {
	t.Parallel()
	for _, request := range []string{"POST " + evaluationPath + " HTTP/1.1\r\nAuthorization: Bearer wrong", "GET /metrics HTTP/1.1\r\nAuthorization: Bearer s3cret"} {
		known := make(chan struct{})
		h := startWithMaxConns(t, 1, Config{Decider: allow(), Callers: testCallers{ask: func() []string {
			defer close(known)
			return []string{"s3cret"}
		}}})
		owing := h.dial()
		_, err := io.WriteString(owing, request+"\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n")
		require.NoError(t, err)
		select {
		case <-known:
		case <-time.After(testTimeout):
			require.Fail(t, "the request has not arrived")
		}
		for limit := time.Now().Add(testTimeout / 10); ; { // the handler returns
			conn := h.dial()
			send(t, conn, "GET", "/health", "", 0)
			if status(t, conn) == http.StatusOK {
				break
			}
			require.True(t, time.Now().Before(limit), request)
		}
		requireClosed(t, owing)
	}
}

// If all connections are busy, a new one is rejected.
func TestBusyConnectionsAreNotEvicted(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	h := startWithMaxConns(t, 2, Config{Timeout: time.Hour, Decider: &fakeDecider{decide: func(context.Context, pdp.Request) (pdp.Decision, error) {
		entered <- struct{}{}
		<-release
		return pdp.Decision{Allow: true}, nil
	}}})
	var conns [2]net.Conn
	for i := range conns {
		conns[i] = h.dial()
		send(t, conns[i], "POST", evaluationPath, question, len(question))
		<-entered
	}
	resp, err := http.ReadResponse(bufio.NewReader(h.dial()), nil)
	require.NoError(t, err)
	assert.Equal(t, 503, resp.StatusCode)
	assert.Equal(t, "1", resp.Header.Get("Retry-After"))
	close(release)
	for _, conn := range conns {
		require.Equal(t, 200, status(t, conn))
	}
	refused := 1
	for { // a client has its response shortly before the server considers the connection idle
		conn := h.dial()
		send(t, conn, "GET", "/metrics", "", 0)
		resp, err = http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		if resp.StatusCode == http.StatusOK {
			break
		}
		require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
		refused++
		require.Less(t, refused, 10_000)
	}
	metrics, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	for _, want := range []string{fmt.Sprintf(`{reason="refused"} %d`, refused), `{reason="closed"} 1`} {
		assert.True(t, strings.Contains(string(metrics), "wardkeeper_http_connections_dropped_total"+want), want)
	}
}

// An HTTP/2 connection is busy while a response is computed, but not while only the head of a request has arrived.
func TestHTTP2ConnectionsWithoutBodiesAreEvicted(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	h := startWithMaxConns(t, 3, Config{Decider: &fakeDecider{decide: func(context.Context, pdp.Request) (pdp.Decision, error) {
		close(entered)
		<-release
		return pdp.Decision{Allow: true}, nil
	}}, Timeout: time.Hour})
	type result struct {
		response
		err error
	}
	worked := make(chan result, 1)
	go func() {
		a, err := h.postWith(h2c(t), strings.NewReader(question))
		worked <- result{a, err}
	}()
	<-entered
	var ends []chan error
	for range 2 {
		client, end := h2c(t), make(chan error, 1)
		ends = append(ends, end)
		body, w := io.Pipe()
		defer w.Close()
		go func() {
			_, err := h.postWith(client, body)
			end <- err
		}()
	}
	h.until("3 streams are open", func() bool { return h.server.admission.streams.Load() == 3 })
	conn := h.dial()
	send(t, conn, "GET", "/health", "", 0)
	require.Equal(t, 200, status(t, conn))
	select { // one of them was evicted
	case err := <-ends[0]:
		require.Error(t, err)
	case err := <-ends[1]:
		require.Error(t, err)
	}
	close(release)
	r := <-worked
	require.NoError(t, r.err)
	require.Equal(t, `{"decision":true}`, r.body)
}

func TestConnectionLimitCountsAllListeners(t *testing.T) {
	s, err := New(Config{Decider: allow(), BaseURL: "https://pdp.example.org", Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	unix, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	require.NoError(t, err)
	server := s.HTTPServer()
	for _, l := range s.Listeners(1, tcp, unix) {
		go func() { _ = server.Serve(l) }()
	}
	t.Cleanup(func() { _ = server.Close() })
	dial := func(l net.Listener) net.Conn {
		conn, err := net.Dial(l.Addr().Network(), l.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { conn.Close() })
		send(t, conn, "GET", "/health", "", 0)
		return conn
	}
	first := dial(tcp)
	require.Equal(t, 200, status(t, first))
	for status(t, dial(unix)) == 503 { // a client has its response shortly before the server considers the connection idle
	}
	requireClosed(t, first)
}
