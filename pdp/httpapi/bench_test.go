package httpapi

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
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
					Decider: deciding(d, nil), BaseURL: "https://x", Tokens: staticTokens("t"),
					Logger: slog.New(slog.NewJSONHandler(io.Discard, &slog.HandlerOptions{Level: level})),
				})
				if err != nil {
					b.Fatal(err)
				}
				s.SetActions([]string{"user.view"})
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
