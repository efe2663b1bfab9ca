package echo

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/wardkeeper/wardkeeper/adapters/check"
	"github.com/wardkeeper/wardkeeper/adapters/pep"
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

const resultKey = "wardkeeper.result"

// ResultOf returns the result of checking the request that a handler answers. ok is false if the middleware did not see the
// request. Code that has only a [context.Context] gets the same from [check.ResultOf].
func ResultOf(c echo.Context) (result check.Result, ok bool) {
	result, ok = c.Get(resultKey).(check.Result)
	return result, ok
}

// Middleware returns a middleware for [echo.Echo.Pre], which runs before echo's router, so that the path that was judged
// selects the handler. With Use, for a part of an application, requests with an unusual encoding of the path are refused,
// because echo has already routed them by the encoded path.
//
// The obligations that follow an action are performed once the handler has returned nil and answered with a status below 400.
// A failure is logged with the obligation's id; the application must repeat that obligation.
func Middleware(c Config) echo.MiddlewareFunc {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(ctx echo.Context) error {
			r := ctx.Request()
			if ctx.Path() != "" && r.URL.RawPath != "" {
				undecoded(r).Write(ctx.Response(), r.Header.Get("Accept"))
				return nil
			}
			result := c.Checker.CheckHTTP(r, c.FromProxy)
			if !result.Pass {
				result.Refusal.Write(ctx.Response(), r.Header.Get("Accept"))
				return nil
			}
			ctx.Set(resultKey, result)
			ctx.SetRequest(r.WithContext(check.WithResult(r.Context(), result)))
			// Otherwise echo takes "/%75sers" for another path than "/users". Decoding is unambiguous here, because encoded
			// delimiters have been refused.
			r.URL.RawPath = ""
			var err error
			returned := false
			defer func() {
				// A handler that panics after it has begun to answer has succeeded: proxies do so when the client
				// disconnects.
				if err != nil || ctx.Response().Status >= http.StatusBadRequest || !returned && !ctx.Response().Committed {
					return
				}
				if err := result.Outcome.Done(context.WithoutCancel(r.Context())); err != nil {
					c.Logger.ErrorContext(r.Context(), "an obligation was not done", "request_id", result.Trace.RequestID, "error", err)
				}
			}()
			err = next(ctx)
			returned = true
			return err // echo answers with it
		}
	}
}

// undecoded refuses a request that echo has routed by the encoded path.
func undecoded(r *http.Request) pep.Refusal {
	refusal := pep.BadRequest("The path encodes characters that need no encoding, or in lower case: send them as they are.")
	refusal.RequestID = pep.NewTrace(r.Header.Values).RequestID
	return refusal
}
