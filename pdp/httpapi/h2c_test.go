package httpapi

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// HTTP/2 uses the same address and limits as HTTP/1.1.
func TestHTTP2WithoutTLSIsServed(t *testing.T) {
	h := start(t, Config{Decider: allow()})
	client := h2c(t)
	for range 3 {
		a, err := h.postWith(client, strings.NewReader(question))
		require.NoError(t, err)
		assert.Equal(t, 200, a.status)
		assert.Equal(t, `{"decision":true}`, a.body)
	}
	assert.Equal(t, 200, h.post(evaluationPath, question).status)
	a, err := h.postWith(client, strings.NewReader("{"))
	require.NoError(t, err)
	a.requireError(t, 400)
	// A body that is too large is rejected, with or without a Content-Length.
	large := question + strings.Repeat(" ", authzen.MaxBody)
	for _, body := range []io.Reader{strings.NewReader(large), struct{ io.Reader }{strings.NewReader(large)}} {
		a, err := h.postWith(h2c(t), body)
		require.NoError(t, err)
		assert.Equal(t, "The body is too large: send at most 1 MiB.", a.requireError(t, 400))
	}
}

func TestSlowHTTP2ConnectionIsClosed(t *testing.T) {
	t.Parallel()
	h := start(t, Config{Decider: allow(), ReadHeaderTimeout: 50 * time.Millisecond, ReadTimeout: 50 * time.Millisecond, IdleTimeout: 50 * time.Millisecond})
	slow, feed := io.Pipe()
	defer feed.Close()
	go func() { _, _ = io.WriteString(feed, question[:20]) }()
	a, err := h.postWith(h2c(t), slow)
	if err == nil { // the stream may be reset before the response arrives
		a.requireError(t, 400)
	}
	for _, sent := range []string{"PRI * HTT", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"} {
		conn := h.dial()
		_, err := io.WriteString(conn, sent)
		require.NoError(t, err)
		_, err = io.ReadAll(conn)
		var timeout net.Error
		if assert.False(t, err != nil && assert.ErrorAs(t, err, &timeout) && timeout.Timeout(), "the server must close the connection after %q", sent) {
			continue
		}
	}
}

func TestHTTP2EvaluationTimesOut(t *testing.T) {
	h := start(t, Config{Timeout: 1, Decider: &fakeDecider{decide: func(ctx context.Context, _ pdp.Request) (pdp.Decision, error) {
		<-ctx.Done()
		return pdp.Decision{Allow: true}, nil
	}}})
	a, err := h.postWith(h2c(t), strings.NewReader(question))
	require.NoError(t, err)
	assert.Contains(t, a.requireError(t, 503), "in time")
}

func TestHTTP2StreamsPerConnectionAreLimited(t *testing.T) {
	s, err := New(Config{Decider: allow(), BaseURL: "https://x"})
	require.NoError(t, err)
	server := s.HTTPServer()
	assert.Equal(t, 100, server.HTTP2.MaxConcurrentStreams)
	assert.True(t, server.Protocols.UnencryptedHTTP2())
}
