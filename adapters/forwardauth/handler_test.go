package forwardauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/adapters/check"
	"github.com/wardkeeper/wardkeeper/adapters/forwardauth"
	"github.com/wardkeeper/wardkeeper/adapters/routes"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// byResource answers by the id of the resource.
type byResource struct{ questions []authzen.Evaluation }

func (d *byResource) Decide(ctx context.Context, questions []authzen.Evaluation) ([]authzen.Response, error) {
	d.questions = append(d.questions, questions...)
	switch questions[0].Resource.ID {
	case "allow":
		return []authzen.Response{{Decision: true}}, nil
	case "mail":
		return []authzen.Response{{Decision: true, Context: map[string]any{"obligations": []any{map[string]any{"id": "N", "type": "notification"}}}}}, nil
	case "long":
		locations := slices.Repeat([]any{"north"}, 500)
		return []authzen.Response{{Context: map[string]any{"advice": []any{map[string]any{"code": "switch", "message": "Stand elsewhere.", "locations": locations}}}}}, nil
	case "away":
		return nil, errors.New("away")
	case "never":
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return []authzen.Response{{Context: map[string]any{"reasons": []any{strings.Repeat("Not yours. ", 300)}}}}, nil
}

const file = `
version: 1
subject: {header: X-Remote-User}
supported_obligations: [notification]
routes:
  - {path: /open, methods: [GET], public: true}
  - {path: "/users/{id}", methods: [GET], action: user.view, resource: {id: {path: id}}}
`

func newHandler(t *testing.T, decider *byResource) *forwardauth.Handler {
	t.Helper()
	table, err := routes.Parse([]byte(file))
	require.NoError(t, err)
	logger := slog.New(slog.DiscardHandler)
	c, err := check.New(check.Config{Routes: table, Decider: decider, Logger: logger})
	require.NoError(t, err)
	h, err := forwardauth.New(forwardauth.Config{Checker: func() *check.Checker { return c }, Logger: logger})
	require.NoError(t, err)
	return h
}

// asked returns the subrequest of a proxy over a Unix socket.
func asked(query, method, target string, header map[string]string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/adapters/forward-auth"+query, nil)
	r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.UnixAddr{Name: "/run/pdp.sock", Net: "unix"}))
	for name, value := range map[string]string{"X-Forwarded-Method": method, "X-Forwarded-Uri": target, "X-Forwarded-Host": "clinic.example.org", "X-Remote-User": "alice"} {
		r.Header.Set(name, value)
	}
	for name, value := range header {
		if value == "" {
			r.Header.Del(name)
			continue
		}
		r.Header[name] = append(r.Header[name], value)
	}
	return r
}

func TestAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		query, method, target string
		header                map[string]string
		status                int
		realStatus            string // X-Wardkeeper-Status
		want                  map[string]string
	}{
		"allowed":                {target: "/users/allow", status: 200, want: map[string]string{"X-Wardkeeper-Subject": "alice", "X-Wardkeeper-Obligations": "[]"}},
		"with an obligation":     {target: "/users/mail", status: 200, want: map[string]string{"X-Wardkeeper-Obligations": `[{"id":"N","type":"notification","properties":{}}]`}},
		"public":                 {target: "/open", header: map[string]string{"X-Remote-User": ""}, status: 200, want: map[string]string{"X-Wardkeeper-Subject": "", "X-Wardkeeper-Obligations": "[]"}},
		"odd person":             {target: "/users/allow", header: map[string]string{"X-Remote-User": ""}, status: 401, realStatus: "401", want: map[string]string{"Www-Authenticate": "Bearer"}},
		"denied":                 {target: "/users/deny", status: 403, realStatus: "403"},
		"away":                   {target: "/users/away", status: 503, realStatus: "503", want: map[string]string{"Retry-After": "1"}},
		"away, for nginx":        {query: "?as=nginx", target: "/users/away", status: 403, realStatus: "503"},
		"in no time":             {target: "/users/never", status: 503, realStatus: "503", want: map[string]string{"Retry-After": "1"}},
		"bad request":            {target: "/users/../open", status: 400, realStatus: "400"},
		"bad request, for nginx": {query: "?as=nginx", target: "/users/../open", status: 403, realStatus: "400"},
		"nobody, for nginx":      {query: "?as=nginx", target: "/users/allow", header: map[string]string{"X-Remote-User": ""}, status: 401, realStatus: "401"},
		"no route":               {method: "POST", target: "/open", status: 403, realStatus: "403"},
		"no target":              {target: "/open", header: map[string]string{"X-Forwarded-Uri": ""}, status: 503, realStatus: "503"},
		"no method":              {target: "/open", header: map[string]string{"X-Forwarded-Method": ""}, status: 503, realStatus: "503"},
		"no host":                {target: "/open", header: map[string]string{"X-Forwarded-Host": ""}, status: 503, realStatus: "503"},
		"two targets":            {target: "/users/deny", header: map[string]string{"X-Forwarded-Uri": "/open"}, status: 503, realStatus: "503"},
		"spoofed":                {target: "/open", header: map[string]string{"X-Wardkeeper-Subject": "admin"}, status: 400, realStatus: "400"},
		"spoofed for CGI":        {target: "/open", header: map[string]string{"X_wardkeeper_subject": "admin"}, status: 400, realStatus: "400"},
		"spoofed by other signs": {target: "/open", header: map[string]string{"X~wardkeeper!subject": "admin"}, status: 400, realStatus: "400"},
		"spoofed otherwise":      {target: "/open", header: map[string]string{"X.Wardkeeper-Obligations": "[]"}, status: 400, realStatus: "400"},
	} {
		t.Run(name, func(t *testing.T) {
			method := c.method
			if method == "" {
				method = http.MethodGet
			}
			status, header, body := newHandler(t, &byResource{}).Answer(t.Context(), asked(c.query, method, c.target, c.header), false, nil)
			assert.Equal(t, c.status, status, string(body))
			assert.Equal(t, c.realStatus, header.Get("X-Wardkeeper-Status"))
			for field, value := range c.want {
				require.Len(t, header[field], 1, field)
				assert.Equal(t, value, header.Get(field))
			}
			if status != http.StatusOK {
				assert.NotContains(t, header, "X-Wardkeeper-Subject")
				require.NotEmpty(t, header.Get("X-Request-Id"))
				assert.Contains(t, string(body), `"request_id":"`+header.Get("X-Request-Id")+`"`)
				assert.LessOrEqual(t, len(header.Get("X-Wardkeeper-Body")), 2<<10)
				assert.True(t, strings.HasPrefix(header.Get("X-Wardkeeper-Body"), `{"title":`))
				assert.NotContains(t, header.Get("X-Wardkeeper-Body"), "\n")
				assert.True(t, json.Valid([]byte(header.Get("X-Wardkeeper-Body"))), header.Get("X-Wardkeeper-Body"))
			}
		})
	}
}

// What is too long for a header field loses first what no sentence says.
func TestLongRefusalsLoseDetailsFirst(t *testing.T) {
	_, header, body := newHandler(t, &byResource{}).Answer(t.Context(), asked("?as=nginx", http.MethodGet, "/users/long", nil), false, nil)
	assert.Contains(t, string(body), `"advice":[{"code":"switch","locations":["north","north",`)
	assert.Contains(t, header.Get("X-Wardkeeper-Body"), `"advice":[{"code":"switch","message":"Stand elsewhere."}]`)
}

func TestPersonIsNamedOnlyByAProvenProxy(t *testing.T) {
	for name, c := range map[string]struct {
		tcp     bool
		proven  bool
		refused error
		status  int
	}{
		"over a Unix socket":            {status: 200},
		"over TCP":                      {tcp: true, status: 401},
		"over TCP with a token":         {tcp: true, proven: true, status: 200},
		"over TCP with another token":   {tcp: true, refused: errors.New("unknown"), status: 503},
		"over a socket without a token": {refused: errors.New("unknown"), status: 503},
		"without the role":              {proven: true, refused: errors.New("no role"), status: 503},
	} {
		t.Run(name, func(t *testing.T) {
			r := asked("", http.MethodGet, "/users/allow", map[string]string{"X-Wardkeeper-Token": "0123456789abcdef"})
			if c.tcp {
				r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.TCPAddr{}))
			}
			decider := &byResource{}
			status, header, _ := newHandler(t, decider).Answer(t.Context(), r, c.proven, c.refused)
			assert.Equal(t, c.status, status)
			assert.NotEmpty(t, header.Get("X-Request-Id"), "also for a proxy without a token")
			assert.NotContains(t, header, "X-Wardkeeper-Token")
			assert.Equal(t, c.status == http.StatusOK, len(decider.questions) == 1)
		})
	}
}
