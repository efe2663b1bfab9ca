package nethttp_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/adapters/check"
	"github.com/wardkeeper/wardkeeper/adapters/nethttp"
	"github.com/wardkeeper/wardkeeper/adapters/pep"
	"github.com/wardkeeper/wardkeeper/adapters/routes"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// obliging allows everything, with an obligation to notify.
type obliging struct{}

func (obliging) Decide(context.Context, []authzen.Evaluation) ([]authzen.Response, error) {
	r, err := authzen.DecodeResponse([]byte(`{"decision":true,"context":{"obligations":[{"id":"N","type":"notification"}]}}`))
	return []authzen.Response{r}, err
}

const protectedRoutes = `version: 1
subject: {header: X-Remote-User}
routes:
  - {path: /users, methods: [GET], action: user.list, resource: {type: user, id: all}}
  - {path: /about, methods: [GET], public: true}
`

// protect returns a protected handler, and the ids of the obligations that it has performed.
func protect(t *testing.T, next http.Handler) (handler http.Handler, done *[]string) {
	t.Helper()
	table, err := routes.Parse([]byte(protectedRoutes))
	require.NoError(t, err)
	done = &[]string{}
	logger := slog.New(slog.DiscardHandler)
	c, err := check.New(check.Config{Routes: table, Decider: obliging{}, Logger: logger, Handlers: map[string]pep.Handler{
		"notification": {After: func(_ context.Context, o pep.Obligation) error { *done = append(*done, o.ID); return nil }}}})
	require.NoError(t, err)
	return nethttp.Middleware(nethttp.Config{Checker: c, Logger: logger, FromProxy: func(*http.Request) bool { return true }})(next), done
}

// serve sends a request to a handler, and reports whether the handler panicked.
func serve(h http.Handler, target string, header ...string) (w *httptest.ResponseRecorder, panicked bool) {
	r := httptest.NewRequestWithContext(context.WithValue(context.Background(), http.ServerContextKey, &http.Server{}), http.MethodGet, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header[header[i]] = []string{header[i+1]}
	}
	defer func() { panicked = recover() != nil }()
	w = httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w, false
}

func TestObligationsFollowASuccess(t *testing.T) {
	for name, c := range map[string]struct {
		next            http.HandlerFunc
		done, panicking bool
	}{
		"silence":                 {func(http.ResponseWriter, *http.Request) {}, true, false},
		"body":                    {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }, true, false},
		"redirect":                {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusSeeOther) }, true, false},
		"hints and then an error": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(103); w.WriteHeader(500) }, false, false},
		"error":                   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(400) }, false, false},
		"panic":                   {func(http.ResponseWriter, *http.Request) { panic("no") }, false, true},
		"panic after an error":    {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500); panic("no") }, false, true},
		"panic after having begun": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "ok")
			panic(http.ErrAbortHandler)
		}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			h, done := protect(t, c.next)
			_, panicked := serve(h, "/users", "X-Remote-User", "alice")
			assert.Equal(t, c.panicking, panicked, "the server has to know")
			assert.Equal(t, c.done, len(*done) == 1, done)
		})
	}
}

// The action is done once the application has answered, whether or not the client waits for the answer.
func TestClientThatGoesAwayDoesNotEscapeObligations(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, strings.Repeat("x", 10)) // breaks off, so the proxy panics as if the client were gone
	}))
	defer app.Close()
	target, err := url.Parse(app.URL)
	require.NoError(t, err)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	h, done := protect(t, proxy)
	_, panicked := serve(h, "/users", "X-Remote-User", "alice")
	assert.True(t, panicked)
	assert.Equal(t, []string{"N"}, *done)
}

// A public page may greet the person named in a header, so only the proxy may set that header there too.
func TestPublicRouteLetsNoForgedIdentityThrough(t *testing.T) {
	h, _ := protect(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for name, want := range map[string]int{"X-Remote-User": 200, "X_Remote_User": 400, "X.Remote-User": 400} {
		w, _ := serve(h, "/about", name, "alice")
		assert.Equal(t, want, w.Code, name)
	}
	w, _ := serve(h, "/about")
	assert.Equal(t, 200, w.Code)

	table, err := routes.Parse([]byte(protectedRoutes))
	require.NoError(t, err)
	c, err := check.New(check.Config{Routes: table, Decider: obliging{}, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	direct := nethttp.Middleware(nethttp.Config{Checker: c})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	w, _ = serve(direct, "/about", "X-Remote-User", "alice")
	assert.Equal(t, 400, w.Code, "it does not come from the proxy")
}
