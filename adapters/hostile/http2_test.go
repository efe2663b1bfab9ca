package hostile_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/wardkeeper/wardkeeper/adapters/check"
	"github.com/wardkeeper/wardkeeper/adapters/hostile"
	"github.com/wardkeeper/wardkeeper/adapters/nethttp"
)

func TestGoMiddlewareOverHTTP2LetsThroughOnlyWhatWasJudged(t *testing.T) {
	trial := newTrial(t)
	handler, err := trial.Judge.Handler(func(c *check.Checker) func(http.Handler) http.Handler {
		return nethttp.Middleware(nethttp.Config{Checker: c, Logger: slog.New(slog.DiscardHandler)})
	})
	require.NoError(t, err)
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = true
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	t.Cleanup(server.Close)
	config := server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	config.NextProtos, config.ServerName = []string{"h2"}, "example.com"
	dial := func(ctx context.Context) (net.Conn, error) {
		return (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", server.Listener.Addr().String())
	}
	require.True(t, hostile.SpeaksHTTP2(t.Context(), dial))
	o, err := trial.Run(t.Context(), dial, hostile.CasesOfHTTP2(trial.Site), hostile.Allow, false)
	require.NoError(t, err)
	require.Greater(t, o.Arrived, 300)
	report(t, o)
	for _, a := range o.Answers[:9] {
		require.Equal(t, http.StatusOK, a.Status, "%s", a.Case.Raw)
	}
}

// A proxy that writes the fields of HTTP/2 into a request of HTTP/1.1 as they are lets other requests through than were judged.
func TestNaiveDowngradesAreFound(t *testing.T) {
	trial := newTrial(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go naiveProxy(conn, trial)
		}
	}()
	var cases []hostile.Case
	for _, c := range hostile.CasesOfHTTP2(trial.Site) {
		if strings.Contains(c.Class, "HTTP/1.1") || strings.Contains(c.Class, "HTTP/2") || strings.HasPrefix(c.Class, "values of :") {
			cases = append(cases, c)
		}
	}
	o, err := trial.Run(t.Context(), hostile.DialTCP(listener.Addr().String()), cases, hostile.Allow, true)
	require.NoError(t, err)
	found := map[string]bool{}
	for _, v := range o.Violations {
		found[v.Class] = true
	}
	for _, class := range []string{"downgrades to HTTP/1.1", "fields that HTTP/2 forbids", "fields that HTTP/2 forbids, on public paths"} {
		require.True(t, found[class], "%s: %v", class, found)
	}
}

func TestServersWithoutHTTP2AreKnown(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	require.False(t, hostile.SpeaksHTTP2(t.Context(), hostile.DialTCP(server.Listener.Addr().String())))
}

// naiveProxy asks about each request of a connection, and forwards what may pass.
func naiveProxy(conn net.Conn, trial *hostile.Trial) {
	defer func() { _ = conn.Close() }()
	if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	framer := http2.NewFramer(conn, conn)
	framer.AllowIllegalReads = true
	if framer.WriteSettings() != nil {
		return
	}
	decoder := hpack.NewDecoder(4096, nil)
	fields, body := []hpack.HeaderField(nil), []byte(nil)
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return
		}
		switch frame := frame.(type) {
		case *http2.HeadersFrame:
			if fields, err = decoder.DecodeFull(frame.HeaderBlockFragment()); err != nil {
				return
			}
			body = nil
		case *http2.DataFrame:
			body = bytes.Clone(frame.Data())
		default:
			continue
		}
		if !frame.Header().Flags.Has(http2.FlagDataEndStream) {
			continue
		}
		var block bytes.Buffer
		_ = hpack.NewEncoder(&block).WriteField(hpack.HeaderField{Name: ":status", Value: fmt.Sprint(forward(trial, fields, body))})
		if framer.WriteHeaders(http2.HeadersFrameParam{StreamID: frame.Header().StreamID, BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true}) != nil {
			return
		}
	}
}

// forward asks about a request, forwards it if it may pass, and returns the status.
func forward(trial *hostile.Trial, fields []hpack.HeaderField, body []byte) int {
	pseudo, lines := map[string]string{}, ""
	question := httptest.NewRequest(http.MethodGet, "/adapters/forward-auth", nil)
	for _, f := range fields {
		if strings.HasPrefix(f.Name, ":") {
			pseudo[f.Name] = f.Value
			continue
		}
		lines += f.Name + ": " + f.Value + "\r\n"
		question.Header.Add(f.Name, f.Value)
	}
	question.Header.Set("X-Forwarded-Method", pseudo[":method"])
	question.Header.Set("X-Forwarded-Uri", pseudo[":path"])
	question.Header.Set("X-Forwarded-Host", pseudo[":authority"])
	answer := httptest.NewRecorder()
	trial.Judge.ServeHTTP(answer, question)
	if answer.Code != http.StatusOK {
		return answer.Code
	}
	backend, err := net.Dial("tcp", trial.Backend.Addr())
	if err != nil {
		return http.StatusBadGateway
	}
	defer func() { _ = backend.Close() }()
	_, _ = fmt.Fprintf(backend, "%s %s HTTP/1.1\r\nHost: %s\r\nX-Wardkeeper-Subject: %s\r\n%s\r\n%s", pseudo[":method"], pseudo[":path"], pseudo[":authority"],
		answer.Header().Get("X-Wardkeeper-Subject"), lines, body)
	_ = backend.(*net.TCPConn).CloseWrite()
	w, err := http.ReadResponse(bufio.NewReader(backend), nil)
	if err != nil {
		return http.StatusBadGateway
	}
	return w.StatusCode
}
