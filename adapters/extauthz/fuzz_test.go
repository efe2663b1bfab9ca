package extauthz_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/metadata"

	"github.com/wardkeeper/wardkeeper/adapters/check"
	"github.com/wardkeeper/wardkeeper/adapters/extauthz"
	"github.com/wardkeeper/wardkeeper/adapters/extauthz/envoytest"
	"github.com/wardkeeper/wardkeeper/adapters/routes"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// permissive allows everything and keeps the last question.
type permissive struct{ last *authzen.Evaluation }

func (d *permissive) Decide(_ context.Context, questions []authzen.Evaluation) ([]authzen.Response, error) {
	d.last = &questions[0]
	return []authzen.Response{{Decision: true}}, nil
}

// FuzzForwardedRequestIsTheOneJudged asks about any request as Envoy does. If the request may pass, an application behind
// Envoy, which gets the bytes that the client sent, must read it as the route file did.
func FuzzForwardedRequestIsTheOneJudged(f *testing.F) {
	for _, path := range []string{"/users/jane", "/users/j%61ne?x=/../", "/users/../open", "/users/jane\xff", "/users/jane!", "/users//jane", "/users/a%2fb", "/open", "http://h/open", "/open;x", "//open", "/users/%e4", "*", ""} {
		f.Add("GET", path, "clinic.example.org", "x-confirmed", "true", `{"id":"jane"}`, true)
		f.Add("POST", path, "h", "x_wardkeeper_subject", "admin\xff", ` {"id":1}`, false)
	}
	f.Add("POST", "/roles", "h", "content-length", "13", `{"id":"jane"}`, true)
	f.Add("POST", "/roles", "h", "content-length", "64", `{"id":"jane"}                                                   !`, true)
	table, err := routes.Parse([]byte(strings.Replace(file, "header: X-Remote-User", "header: X-Person", 1)))
	require.NoError(f, err)
	decider := &permissive{}
	logger := slog.New(slog.DiscardHandler)
	checker, err := check.New(check.Config{Routes: table, Decider: decider, Logger: logger})
	require.NoError(f, err)
	server, err := extauthz.New(extauthz.Config{Checker: func() *check.Checker { return checker }, Authenticate: byToken("token"), Logger: logger})
	require.NoError(f, err)
	ctx := metadata.NewIncomingContext(f.Context(), metadata.Pairs("authorization", "Bearer token"))
	f.Fuzz(func(t *testing.T, method, path, host, name, value, body string, raw bool) {
		name = strings.ToLower(name)
		if strings.HasPrefix(name, ":") || name == "x-person" {
			return // Envoy sets these itself
		}
		decider.last = nil
		d := envoytest.Request{Method: method, Path: path, Host: host, Body: body,
			Header: [][2]string{{"x-person", "alice"}, {"content-type", "application/json"}, {name, value}}}
		response, err := server.Check(ctx, envoytest.Filter{Raw: raw, BodyLimit: 64}.CheckRequest(d))
		require.NoError(t, err)
		if statusOf(t, response) != http.StatusOK {
			return
		}
		require.Equal(t, envoytest.Sanitized(path), path, "bytes that the answer was not about")
		u, err := url.ParseRequestURI(path)
		require.NoError(t, err)
		require.Empty(t, u.Host)
		switch segments := strings.Split(u.Path, "/"); {
		case decider.last == nil:
			require.Contains(t, []string{"/open", "/clinic"}, u.Path)
		case decider.last.Action.Name == "user.view":
			require.Equal(t, []string{"", "users", decider.last.Resource.ID}, segments)
		case decider.last.Action.Name == "note.delete":
			require.Equal(t, []string{"", "notes", decider.last.Resource.ID}, segments)
		default:
			require.Equal(t, "/roles", u.Path)
			require.LessOrEqual(t, len(body), 64, "only the beginning was judged")
		}
		header := headerOf(t, response.GetOkResponse().GetHeaders())
		if decider.last != nil {
			require.Equal(t, "alice", header["x-wardkeeper-subject"])
		}
		removed := response.GetOkResponse().GetHeadersToRemove()
		for _, gone := range removed {
			require.NotContains(t, header, gone)
		}
		require.False(t, routes.IsReserved(name))
	})
}
