package echo_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/adapters/check"
	wardecho "github.com/wardkeeper/wardkeeper/adapters/echo"
	"github.com/wardkeeper/wardkeeper/adapters/pep"
	"github.com/wardkeeper/wardkeeper/adapters/routes"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// decider allows only questions about "jane", with an obligation to notify.
type decider struct{ asked []authzen.Evaluation }

func (d *decider) Decide(_ context.Context, questions []authzen.Evaluation) ([]authzen.Response, error) {
	d.asked = append(d.asked, questions...)
	switch questions[0].Resource.ID {
	case "jane":
		return []authzen.Response{{Decision: true, Context: map[string]any{"obligations": []any{map[string]any{"id": "N", "type": "notification"}}}}}, nil
	case "away":
		return nil, errors.New("away")
	}
	return []authzen.Response{{}}, nil
}

const file = `
version: 1
subject: {header: X-Remote-User}
routes:
  - {path: "/open/{rest...}", methods: [GET], public: true}
  - {path: "/users/{id}", methods: [GET, POST], action: user.view, resource: {id: {path: id}}}
`

// setup returns a configuration of the middleware, its decider, and the ids of the obligations performed.
func setup(t *testing.T) (wardecho.Config, *decider, *[]string) {
	t.Helper()
	table, err := routes.Parse([]byte(file))
	require.NoError(t, err)
	d, done := &decider{}, &[]string{}
	c, err := check.New(check.Config{Routes: table, Decider: d, Logger: slog.New(slog.DiscardHandler), Handlers: map[string]pep.Handler{
		"notification": {After: func(_ context.Context, o pep.Obligation) error { *done = append(*done, o.ID); return nil }}}})
	require.NoError(t, err)
	return wardecho.Config{Checker: c, Logger: slog.New(slog.DiscardHandler), FromProxy: func(r *http.Request) bool { return r.Header.Get("X-Proxy") == "proven" }}, d, done
}

func send(e *echo.Echo, method, target string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	r.Header.Set("X-Remote-User", "alice")
	r.Header.Set("X-Proxy", "proven")
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return w
}

func TestApplicationGetsThePathThatWasJudged(t *testing.T) {
	config, d, _ := setup(t)
	e := echo.New()
	e.Pre(wardecho.Middleware(config))
	e.GET("/users/:id", func(c echo.Context) error { return c.String(http.StatusOK, c.Param("id")) })
	e.GET("/:any/:id", func(c echo.Context) error { return c.String(http.StatusOK, "another handler") })
	for _, target := range []string{"/users/jane", "/users/j%61ne", "/%75sers/jane"} {
		w := send(e, http.MethodGet, target)
		assert.Equal(t, http.StatusOK, w.Code, target)
		assert.Equal(t, "jane", w.Body.String(), target)
		assert.Equal(t, "jane", d.asked[len(d.asked)-1].Resource.ID)
	}
	asked := len(d.asked)
	assert.Equal(t, http.StatusBadRequest, send(e, http.MethodGet, "/open/..%2Fusers/jane").Code)
	assert.Equal(t, "another handler", send(e, http.MethodGet, "/open/x").Body.String(), "public")
	assert.Len(t, d.asked, asked)
}

func TestPathMatchedUndecodedIsRefused(t *testing.T) {
	config, d, _ := setup(t)
	e := echo.New()
	e.Use(wardecho.Middleware(config))
	e.GET("/users/:id", func(c echo.Context) error { return c.String(http.StatusOK, c.Param("id")) })
	assert.Equal(t, "jane", send(e, http.MethodGet, "/users/jane").Body.String())
	w := send(e, http.MethodGet, "/users/j%61ne")
	assert.Equal(t, http.StatusBadRequest, w.Code)
	assert.Contains(t, w.Body.String(), `"code":"bad_request"`)
	assert.NotEmpty(t, w.Header().Get("X-Request-ID"))
	assert.Len(t, d.asked, 1)
}

func TestObligationsFollowSuccessAlone(t *testing.T) {
	for name, c := range map[string]struct {
		handler echo.HandlerFunc
		status  int
		done    int
	}{
		"success":              {func(c echo.Context) error { return c.NoContent(http.StatusNoContent) }, 204, 1},
		"redirect":             {func(c echo.Context) error { return c.Redirect(http.StatusSeeOther, "/") }, 303, 1},
		"nothing written":      {func(echo.Context) error { return nil }, 200, 1},
		"status of a failure":  {func(c echo.Context) error { return c.NoContent(http.StatusConflict) }, 409, 0},
		"error":                {func(echo.Context) error { return errors.New("away") }, 500, 0},
		"error of echo":        {func(echo.Context) error { return echo.NewHTTPError(http.StatusConflict, "taken") }, 409, 0},
		"error after a body":   {func(c echo.Context) error { return errors.Join(c.String(200, "half"), errors.New("away")) }, 200, 0},
		"error answered there": {func(c echo.Context) error { c.Error(errors.New("away")); return nil }, 500, 0},
	} {
		t.Run(name, func(t *testing.T) {
			config, _, done := setup(t)
			e := echo.New()
			e.Pre(wardecho.Middleware(config))
			e.POST("/users/:id", c.handler)
			assert.Equal(t, c.status, send(e, http.MethodPost, "/users/jane").Code)
			assert.Len(t, *done, c.done)
		})
	}
}

func TestHandlerSeesTheResult(t *testing.T) {
	config, _, _ := setup(t)
	e := echo.New()
	e.Pre(wardecho.Middleware(config))
	e.GET("/users/:id", func(c echo.Context) error {
		result, ok := wardecho.ResultOf(c)
		assert.True(t, ok)
		assert.Equal(t, "alice", result.Subject)
		below, ok := check.ResultOf(c.Request().Context())
		assert.True(t, ok)
		assert.Equal(t, result.Trace, below.Trace)
		assert.Equal(t, result.Trace, pep.TraceOf(c.Request().Context()))
		return c.NoContent(http.StatusOK)
	})
	assert.Equal(t, http.StatusOK, send(e, http.MethodGet, "/users/jane").Code)
	_, ok := wardecho.ResultOf(e.NewContext(httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder()))
	assert.False(t, ok)
}

func TestRefusedRequestsReachNoHandler(t *testing.T) {
	config, _, _ := setup(t)
	config.FromProxy = nil
	e := echo.New()
	e.Pre(wardecho.Middleware(config))
	e.Any("/*", func(echo.Context) error { t.Error("the handler was called"); return nil })
	assert.Equal(t, http.StatusUnauthorized, send(e, http.MethodGet, "/users/jane").Code, "a header that anybody can send")
	config, _, done := setup(t)
	e = echo.New()
	e.Pre(wardecho.Middleware(config))
	e.Any("/*", func(echo.Context) error { t.Error("the handler was called"); return nil })
	for target, status := range map[string]int{"/users/bob": 403, "/users/away": 503, "/elsewhere": 403, "//users/jane": 400} {
		assert.Equal(t, status, send(e, http.MethodGet, target).Code, target)
	}
	assert.Empty(t, *done)
}

func TestPanicAfterTheAnswerHasBegunLosesNoObligation(t *testing.T) {
	for begun, want := range map[bool]int{true: 1, false: 0} {
		config, _, done := setup(t)
		e := echo.New()
		e.Pre(wardecho.Middleware(config))
		e.POST("/users/:id", func(c echo.Context) error {
			if begun {
				_ = c.String(http.StatusOK, "ok")
			}
			panic(http.ErrAbortHandler)
		})
		assert.Panics(t, func() { send(e, http.MethodPost, "/users/jane") })
		assert.Len(t, *done, want)
	}
}
