package nethttp

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/wardkeeper/wardkeeper/adapters/check"
)

// Config configures the middleware. Checker is required.
type Config struct {
	Checker *check.Checker
	// FromProxy reports whether a request comes from an authenticated proxy. Only such a request may name the person in a
	// header. nil means that none may. A proxy proves itself by a client certificate, a token (see [check.AcceptsToken]) or a Unix
	// socket: an address is no proof.
	FromProxy func(r *http.Request) bool
	Logger    *slog.Logger // nil means slog.Default()
}

// ResultOf returns the result of checking the request that a handler answers. ok is false if the middleware did not see the
// request.
func ResultOf(ctx context.Context) (result check.Result, ok bool) { return check.ResultOf(ctx) }

// Middleware returns a function that protects a handler. The obligations that follow an action are performed once the handler
// has answered with a status below 400, even if it then panics, as [net/http/httputil.ReverseProxy] does when a client
// disconnects. A failure is logged with the obligation's id; the application must repeat that obligation.
func Middleware(c Config) func(http.Handler) http.Handler {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			result := c.Checker.CheckHTTP(r, c.FromProxy)
			if !result.Pass {
				result.Refusal.Write(w, r.Header.Get("Accept"))
				return
			}
			recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
			returned := false
			defer func() {
				if recorder.status >= http.StatusBadRequest || !returned && !recorder.wrote {
					return
				}
				if err := result.Outcome.Done(context.WithoutCancel(r.Context())); err != nil {
					c.Logger.ErrorContext(r.Context(), "an obligation was not done", "request_id", result.Trace.RequestID, "error", err)
				}
			}()
			next.ServeHTTP(recorder, r.WithContext(check.WithResult(r.Context(), result)))
			returned = true
		})
	}
}

// statusRecorder records the status of a response.
type statusRecorder struct {
	http.ResponseWriter
	status int
	wrote  bool
}

func (r *statusRecorder) WriteHeader(status int) {
	if !r.wrote && status >= http.StatusOK { // a 1xx status precedes the final one
		r.status, r.wrote = status, true
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *statusRecorder) Write(data []byte) (int, error) {
	r.wrote = true
	return r.ResponseWriter.Write(data)
}

// Flush implements [http.Flusher] for handlers that ask for it without [http.ResponseController].
func (r *statusRecorder) Flush() {
	r.wrote = true
	_ = http.NewResponseController(r.ResponseWriter).Flush()
}

// Unwrap supports [http.ResponseController].
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
