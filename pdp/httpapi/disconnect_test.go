package httpapi

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

func TestSlowHeadClosesConnection(t *testing.T) {
	t.Parallel()
	h := start(t, Config{Decider: allow(), ReadHeaderTimeout: 20 * time.Millisecond, ReadTimeout: time.Hour})
	conn := h.dial()
	fmt.Fprint(conn, "POST /access/v1/evaluation HTTP/1.1\r\nHost: x\r\nX-Slow: ")
	got, err := io.ReadAll(conn)
	if !errors.Is(err, syscall.ECONNRESET) { // it may close before it has read all
		assert.NoError(t, err, "the server closes the connection")
	}
	assert.NotContains(t, string(got), "decision")
}

func TestSlowBodyIsRejected(t *testing.T) {
	t.Parallel()
	h := start(t, Config{Decider: &fakeDecider{}, ReadTimeout: 50 * time.Millisecond})
	for _, head := range []string{"Content-Length: 200\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n70\r\n"} {
		conn := h.dial()
		fmt.Fprint(conn, "POST /access/v1/evaluation HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"+head+question[:50])
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		assert.Equal(t, 400, resp.StatusCode)
		assert.True(t, resp.Close)
		assert.Equal(t, `{"error":"The body did not arrive in time: send it faster."}`, string(body))
		_, err = conn.Read(make([]byte, 1))
		assert.ErrorIs(t, err, io.EOF, "the server closes the connection")
	}
}

func TestIdleConnectionIsClosed(t *testing.T) {
	t.Parallel()
	h := start(t, Config{Decider: allow(), IdleTimeout: 20 * time.Millisecond, ReadTimeout: time.Hour})
	conn := h.dial()
	fmt.Fprint(conn, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
	got, err := io.ReadAll(conn)
	assert.NoError(t, err, "the server closes the connection")
	assert.Contains(t, string(got), "200 OK")
}

func TestIncompleteBodyIsRejected(t *testing.T) {
	h := start(t, Config{Decider: &fakeDecider{}})
	conn := h.dial()
	fmt.Fprint(conn, "POST /access/v1/evaluation HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n"+question)
	require.NoError(t, conn.(*net.TCPConn).CloseWrite())
	got, err := io.ReadAll(conn)
	require.NoError(t, err)
	assert.Contains(t, string(got), "400 Bad Request")
	assert.Contains(t, string(got), "body is incomplete")
}

func TestHugeHeadIsRejected(t *testing.T) {
	t.Parallel()
	h := start(t, Config{Decider: &fakeDecider{}})
	a := h.post("/access/v1/evaluation", question, "X-Large", strings.Repeat("x", 64<<10))
	assert.Equal(t, http.StatusRequestHeaderFieldsTooLarge, a.status)
}

func TestTooLargeContentLengthIsRejectedBeforeTheBody(t *testing.T) {
	t.Parallel()
	h := start(t, Config{Decider: &fakeDecider{}})
	conn := h.dial()
	fmt.Fprint(conn, "POST /access/v1/evaluation HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9999999999\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	assert.Equal(t, 400, resp.StatusCode)
	assert.True(t, resp.Close)
}

func TestDisconnectIsRecordedAsStatus499(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{"one": "/access/v1/evaluation", "many": "/access/v1/evaluations"} {
		t.Run(name, func(t *testing.T) {
			asked, cancelled := make(chan struct{}), make(chan struct{})
			wait := func(ctx context.Context) error {
				close(asked)
				<-ctx.Done()
				close(cancelled)
				return nil // an engine that does not notice the disconnect
			}
			f := newBatchDecider()
			all := f.decideAll
			f.decide = func(ctx context.Context, _ pdp.Request) (pdp.Decision, error) {
				return pdp.Decision{Allow: true}, wait(ctx)
			}
			f.decideAll = func(ctx context.Context, items []pdp.Item, s authzen.Semantic) ([]pdp.Outcome, error) {
				wait(ctx)
				return all(ctx, items, s)
			}
			h := start(t, Config{Decider: f, Timeout: time.Hour})
			body := question
			if name == "many" {
				body = batchBody("execute_all", "a")
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r, err := http.NewRequestWithContext(ctx, "POST", h.url+path, bytes.NewReader([]byte(body)))
			require.NoError(t, err)
			r.Header.Set("Content-Type", "application/json")
			go func() {
				<-asked
				cancel()
			}()
			_, err = http.DefaultClient.Do(r)
			require.ErrorIs(t, err, context.Canceled)
			<-cancelled
			want := `wardkeeper_http_requests_total{method="POST",path="` + path + `",status="499"} 1`
			h.until("it is counted and logged", func() bool {
				return strings.Contains(h.do("GET", "/metrics", "").body, want) && contains(h.log, `"status":499`)
			})
			log := h.log.String()
			assert.NotContains(t, log, `"level":"ERROR"`)
			assert.NotContains(t, log, `"level":"WARN"`)
		})
	}
}
