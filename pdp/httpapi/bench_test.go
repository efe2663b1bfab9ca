package httpapi

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// discard is a response writer that does nothing, so that the benchmark measures the server alone.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }

func BenchmarkEvaluation(b *testing.B) {
	denial := pdp.Decision{Reasons: []any{map[string]any{"code": "self", "rule": "ALL-7", "message": "You cannot do this to yourself."}}}
	for name, d := range map[string]pdp.Decision{"allow": {Allow: true}, "deny": denial} {
		for log, level := range map[string]slog.Level{"log": slog.LevelInfo, "quiet": slog.LevelWarn} {
			b.Run(name+"/"+log, func(b *testing.B) {
				s, err := New(Config{
					Decider: deciderReturning(d, nil), BaseURL: "https://x", Callers: testCallers{ask: staticTokens("t")},
					Logger: slog.New(slog.NewJSONHandler(io.Discard, &slog.HandlerOptions{Level: level})),
				})
				if err != nil {
					b.Fatal(err)
				}
				s.SetActions([]string{"user.view"}, nil)
				handler := s.Handler()
				body := bytes.NewReader([]byte(question))
				r, _ := http.NewRequest("POST", "/access/v1/evaluation", io.NopCloser(body))
				r.ContentLength = int64(len(question))
				r.Header = http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer t"}, "X-Request-Id": {"7"}}
				w := &discard{header: make(http.Header)}
				b.ReportAllocs()
				for b.Loop() {
					body.Reset([]byte(question))
					clear(w.header)
					handler.ServeHTTP(w, r)
				}
				if w.status != 200 {
					b.Fatal(w.status)
				}
			})
		}
	}
}

// BenchmarkServeEvaluation measures a question and its answer over one persistent connection, including client and
// server.
func BenchmarkServeEvaluation(b *testing.B) {
	for network, address := range map[string]string{"tcp": "127.0.0.1:0", "unix": filepath.Join(b.TempDir(), "s")} {
		b.Run(network, func(b *testing.B) {
			s, err := New(Config{
				Decider: deciderReturning(pdp.Decision{Allow: true}, nil), BaseURL: "https://x",
				Logger: slog.New(slog.NewJSONHandler(io.Discard, nil)),
			})
			if err != nil {
				b.Fatal(err)
			}
			l, err := net.Listen(network, address)
			if err != nil {
				b.Fatal(err)
			}
			server := s.HTTPServer()
			go func() { _ = server.Serve(s.Listeners(10, l)[0]) }()
			b.Cleanup(func() { _ = server.Close() })
			conn, err := net.Dial(network, l.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			request := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
				evaluationPath, len(question), question)
			in := bufio.NewReader(conn)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := conn.Write(request); err != nil {
					b.Fatal(err)
				}
				w, err := http.ReadResponse(in, nil)
				if err != nil || w.StatusCode != http.StatusOK {
					b.Fatal(w, err)
				}
				if _, err := io.Copy(io.Discard, w.Body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
