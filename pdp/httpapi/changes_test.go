package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
)

const (
	changesToken = "s3cret-of-the-announcer"
	janeChanged  = `{"users":[{"id":"jane"}]}`
)

// announcer is an Announcer that calls a function. It records its arguments.
type announcer struct {
	answer func(context.Context) (string, error)
	given  [][]pdp.Change
}

func (a *announcer) Announce(ctx context.Context, changes []pdp.Change) (string, error) {
	a.given = append(a.given, changes)
	return a.answer(ctx)
}

func announcerReturning(token string, err error) *announcer {
	return &announcer{answer: func(context.Context) (string, error) { return token, err }}
}

// announce announces changes with a valid token.
func (h *harness) announce(body string, headers ...string) response {
	h.t.Helper()
	return h.post("/v1/membership/changes", body, append([]string{"Authorization", "Bearer " + changesToken}, headers...)...)
}

func TestChangesAreAnnounced(t *testing.T) {
	a := announcerReturning("t\u00f6ken-1", nil)
	h := start(t, Config{Decider: &fakeDecider{}, Changes: a, Callers: testCallers{announce: staticTokens(changesToken)}})
	got := h.announce(`{"locations":[{"id":"ghi","organization":"metro","version":7,"record":{"kind":"facility","id":"ghi"}},{"id":"abc"}],` +
		`"users":[{"id":"jane","version":12},{"id":"joe","version":9007199254740991,"record":{"id":"joe","name":{"family":"J\u00f6e"},"n":1.50}}]}`)
	assert.Equal(t, 200, got.status, got.body)
	assert.Equal(t, `{"token":"töken-1"}`, got.body)
	assert.Equal(t, "application/json", got.header.Get("Content-Type"))
	assert.Equal(t, [][]pdp.Change{{
		{Kind: pdp.UserChanged, ID: "jane", Version: 12},
		{Kind: pdp.UserChanged, ID: "joe", Version: pdp.MaxVersion, Record: []byte(`{"id":"joe","n":1.50,"name":{"family":"Jöe"}}`)},
		{Kind: pdp.LocationChanged, ID: "ghi", Organization: "metro", Version: 7, Record: []byte(`{"id":"ghi","kind":"facility"}`)},
		{Kind: pdp.LocationChanged, ID: "abc"},
	}}, a.given)
}

// Conversely, other tokens are not valid for announcing changes.
func TestChangesTokenIsForChangesOnly(t *testing.T) {
	const ordinary = "s3cret-of-the-application"
	for _, asking := range []func() []string{staticTokens(ordinary), nil} {
		cfg := Config{Callers: testCallers{asking, staticTokens(changesToken)}}
		a := announcerReturning("1", nil)
		cfg.Decider, cfg.Data, cfg.Changes = allow(), &fakeData{}, a
		h := start(t, cfg)
		for _, auth := range []string{"", "Bearer", "Bearer " + changesToken + "x", "Basic " + changesToken, changesToken} {
			got := h.post("/v1/membership/changes", "this is not even JSON", "Authorization", auth)
			assert.Contains(t, got.requireError(t, 401), "Send the credentials of a caller", auth)
			assert.Equal(t, "Bearer", got.header.Get("WWW-Authenticate"))
		}
		if asking != nil {
			got := h.post("/v1/membership/changes", janeChanged, "Authorization", "Bearer "+ordinary)
			assert.Equal(t, "This caller does not have the role announce.", got.requireError(t, 403))
		}
		assert.Empty(t, a.given)
		assert.Equal(t, 200, h.announce(janeChanged).status)
		for path, method := range map[string]string{"/access/v1/evaluation": "POST", "/v1/revision": "GET", "/metrics": "GET", "/v1/data": "POST"} {
			if asking != nil {
				assert.Equal(t, 403, h.do(method, path, question, "Authorization", "Bearer "+changesToken).status, path)
			}
		}
		assert.NotContains(t, h.log.String(), "s3cret")
	}
}

func TestChangesRequireACallerThatMayAnnounce(t *testing.T) {
	for _, callers := range []Callers{nil, testCallers{ask: staticTokens("the-ordinary-one")}} {
		_, err := New(Config{Decider: allow(), BaseURL: "https://x", Callers: callers, Changes: announcerReturning("", nil)})
		assert.ErrorContains(t, err, "need callers that may announce")
	}
}

func TestChangesPathRequiresAnAnnouncer(t *testing.T) {
	for _, data := range []Data{nil, &fakeData{}} {
		h := start(t, Config{Decider: allow(), Data: data, Callers: testCallers{announce: staticTokens(changesToken)}})
		assert.Equal(t, 404, h.announce(janeChanged).status)
		assert.NotContains(t, h.do("GET", "/metrics", "").body, "wardkeeper_announced_changes_total{")
	}
	h := start(t, Config{Decider: allow(), Changes: announcerReturning("1", nil), Callers: testCallers{announce: staticTokens(changesToken)}})
	got := h.do("GET", "/v1/membership/changes", "")
	assert.Contains(t, got.requireError(t, 405), "answers POST only")
}

func TestFailedAnnouncementIsReported(t *testing.T) {
	cause := errors.New("LOADING at redis://10.0.0.7")
	for name, c := range map[string]struct {
		err     error
		status  int
		message string
	}{
		"unavailable":           {&pdp.Error{Kind: pdp.Unavailable, Err: cause}, 503, "It is not known whether the changes have been announced: announce them again."},
		"unavailable, in words": {&pdp.Error{Kind: pdp.Unavailable, Message: "The stream is gone.", Err: cause}, 503, "The stream is gone."},
		"late":                  {context.DeadlineExceeded, 503, "It is not known whether the changes have been announced: announce them again."},
		"invalid":               {&pdp.Error{Kind: pdp.Invalid, Err: cause}, 400, "The changes cannot be announced as they are."},
		"invalid, in words":     {&pdp.Error{Kind: pdp.Invalid, Message: "The record of joe is malformed."}, 400, "The record of joe is malformed."},
		"anything":              {cause, 500, "It is not known whether the changes have been announced: announce them again."},
	} {
		h := start(t, Config{Decider: allow(), Changes: announcerReturning("token", c.err), Callers: testCallers{announce: staticTokens(changesToken)}})
		got := h.announce(janeChanged)
		assert.Equal(t, c.message, got.requireError(t, c.status), name)
		assert.Contains(t, h.do("GET", "/metrics", "").body, `wardkeeper_announced_changes_total{kind="user"} 0`+"\n", name)
		if c.status >= 500 && c.err != context.DeadlineExceeded {
			assert.Contains(t, h.log.String(), cause.Error(), name)
		}
	}
}

// A late announcement must not count as successful, even if the announcer returns a token.
func TestLateAnnouncementIsReportedAsUnknown(t *testing.T) {
	slow := &announcer{answer: func(ctx context.Context) (string, error) { <-ctx.Done(); return "token", nil }}
	h := start(t, Config{Decider: allow(), Changes: slow, Callers: testCallers{announce: staticTokens(changesToken)}, Timeout: 10 * time.Millisecond})
	assert.Contains(t, h.announce(janeChanged).requireError(t, 503), "announce them again")
}

func TestAnnouncementBodyLimit(t *testing.T) {
	t.Parallel()
	h := start(t, Config{Decider: allow(), Changes: announcerReturning("1", nil), Callers: testCallers{announce: staticTokens(changesToken)}})
	padded := func(n int) string { return janeChanged + strings.Repeat(" ", n-len(janeChanged)) }
	assert.Equal(t, 200, h.announce(padded(4<<20)).status)
	assert.Equal(t, "The body is too large: send at most 4 MiB.", h.announce(padded(4<<20+1)).requireError(t, 400))
	assert.Contains(t, h.announce(janeChanged, "Content-Type", "text/plain").requireError(t, 400), "application/json")

	s, err := New(Config{Decider: allow(), BaseURL: "https://x", Changes: announcerReturning("1", nil), Callers: testCallers{announce: staticTokens(changesToken)}, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	// Without a Content-Length the server finds the excess by reading.
	r := httptest.NewRequest(http.MethodPost, "/v1/membership/changes", struct{ *strings.Reader }{strings.NewReader(padded(4<<20 + 1))})
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+changesToken)
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	assert.Equal(t, `{"error":"The body is too large: send at most 4 MiB."}`, w.Body.String())
}

func TestChangesAreCountedWithoutNames(t *testing.T) {
	h := start(t, Config{Decider: allow(), Changes: announcerReturning("secret0", nil), Callers: testCallers{announce: staticTokens(changesToken)}})
	h.announce(`{"users":[{"id":"secret1"},{"id":"secret2","record":{"username":"secret3"}}],"locations":[{"id":"secret4","organization":"secret5"}]}`)
	h.announce(`{"users":[{"id":"secret6"}]}`)
	h.announce(`{"users":[{"id":"secret7","secret8":1}]}`)
	body := h.do("GET", "/metrics", "").body
	assert.Contains(t, body, `wardkeeper_announced_changes_total{kind="user"} 3`+"\n")
	assert.Contains(t, body, `wardkeeper_announced_changes_total{kind="location"} 1`+"\n")
	assert.Contains(t, body, `wardkeeper_http_requests_total{method="POST",path="/v1/membership/changes",status="200"} 2`+"\n")
	log := h.log.String()
	assert.NotContains(t, log, "secret")
	lines := strings.Split(log, "\n")
	assert.Contains(t, lines[0], `"level":"INFO"`)
	assert.Contains(t, lines[0], `"users":2,"locations":1`)
	assert.Contains(t, lines[2], `"status":400`)
}
