package nethttp

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/wardkeeper/wardkeeper/adapters/check"
	"github.com/wardkeeper/wardkeeper/adapters/routes"
)

// Config configures the middleware. Checker is required.
type Config struct {
	Checker *check.Checker
	// FromProxy reports whether a request comes from a proxy that has proven who it is. Only such a request may name the person in a
	// header. nil means that none does.
	FromProxy func(r *http.Request) bool
	Logger    *slog.Logger // nil means slog.Default()
}

// ResultOf returns what was decided about the request that a handler answers. ok is false if the middleware did not see it.
func ResultOf(ctx context.Context) (result check.Result, ok bool) { return check.ResultOf(ctx) }

// Middleware returns a function that protects a handler. What follows a permitted action is done once the handler has answered with a status
// below 400, even if it then panics, as [net/http/httputil.ReverseProxy] does when a client goes away; what fails then is logged by the
// obligation's id, and is the application's to repeat.
func Middleware(c Config) func(http.Handler) http.Handler {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			request := routes.FromHTTP(r)
			request.FromProxy = c.FromProxy != nil && c.FromProxy(r)
			result := c.Checker.Check(r.Context(), request)
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

// statusRecorder keeps the status of a response.
type statusRecorder struct {
	http.ResponseWriter
	status int
	wrote  bool
}

func (r *statusRecorder) WriteHeader(status int) {
	if !r.wrote && status >= http.StatusOK { // a 1xx status is not the last one
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

// Unwrap is for [http.ResponseController].
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
