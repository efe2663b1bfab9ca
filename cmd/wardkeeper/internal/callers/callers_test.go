package callers

import (
	"bytes"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/httpapi"
)

const firstToken, secondToken, thirdToken = "the-first-token-of-the-tests", "the-second-token-of-the-tests", "the-third-token-of-the-tests"

func bearer(token string) httpapi.Credentials {
	return httpapi.Credentials{Authorization: []string{"Bearer " + token}}
}

func basic(id, secret string) httpapi.Credentials {
	r := &http.Request{Header: http.Header{}}
	r.SetBasicAuth(id, secret)
	return httpapi.Credentials{Authorization: r.Header["Authorization"]}
}

// nameOf returns the name of the caller with the credentials, or "" if there is none.
func nameOf(t *testing.T, c *Callers, sent httpapi.Credentials) string {
	t.Helper()
	caller, err := c.Authenticate(t.Context(), sent)
	if err != nil {
		require.Nil(t, caller)
		return ""
	}
	return caller.Name
}

// twoCallers returns the configuration of one caller that asks and one that announces, and the buffer of their log.
func twoCallers(t *testing.T) (Config, *bytes.Buffer) {
	t.Helper()
	log := &bytes.Buffer{}
	return Config{Logger: slog.New(slog.NewTextHandler(log, nil)), Callers: []Caller{
		{Name: "asker", Roles: []httpapi.Role{httpapi.RoleAsk}, TokenFile: writeFile(t, firstToken), Setting: "--token-file"},
		{Name: "announcer", Roles: []httpapi.Role{httpapi.RoleAnnounce}, TokenFile: writeFile(t, secondToken), Setting: "--changes-token-file"},
	}}, log
}

func TestSecretOfTwoCallersNeverMovesBetweenThem(t *testing.T) {
	cfg, log := twoCallers(t)
	clients, err := Open(cfg)
	require.NoError(t, err)
	for i, step := range []struct {
		ask, announce   string
		asks, announce2 []string
		warned          int
	}{
		{firstToken, secondToken, []string{firstToken}, []string{secondToken}, 0},
		{firstToken, firstToken, []string{firstToken}, []string{secondToken}, 1},
		{thirdToken, firstToken, []string{thirdToken}, []string{firstToken}, 1},
		{thirdToken + "\n" + firstToken, firstToken, []string{thirdToken}, []string{firstToken}, 2},
		{firstToken, thirdToken, []string{firstToken}, []string{thirdToken}, 2}, // in one step
		{secondToken, secondToken, []string{secondToken}, []string{thirdToken}, 3},
		{secondToken, secondToken + "\n" + thirdToken, []string{secondToken}, []string{thirdToken}, 3},
		{secondToken, firstToken, []string{secondToken}, []string{firstToken}, 3},
		{firstToken, firstToken + "\n" + thirdToken, []string{secondToken}, []string{firstToken, thirdToken}, 4},
	} {
		replaceFile(t, cfg.Callers[0].TokenFile, step.ask)
		replaceFile(t, cfg.Callers[1].TokenFile, step.announce)
		for range 2 {
			clients.Reload()
			var asks, announces []string
			for _, token := range []string{firstToken, secondToken, thirdToken} {
				switch nameOf(t, clients, bearer(token)) {
				case "asker":
					asks = append(asks, token)
				case "announcer":
					announces = append(announces, token)
				}
			}
			require.Equal(t, step.asks, asks, i)
			require.Equal(t, step.announce2, announces, i)
		}
		require.Equal(t, step.warned, strings.Count(log.String(), "two callers have the same secret; one of them"), log.String())
	}
	require.NotContains(t, log.String(), "-token-of-the-tests")
	replaceFile(t, cfg.Callers[0].TokenFile, firstToken+"\n"+secondToken)
	_, err = Open(cfg)
	require.EqualError(t, err, "--changes-token-file contains a token of --token-file: each caller needs its own")
}

func TestBasicCredentials(t *testing.T) {
	clients, err := Open(Config{Logger: slog.New(slog.DiscardHandler), Callers: []Caller{
		{Name: "one", ClientID: "one", ClientSecretFile: writeFile(t, "a-secret:with:colons\nanother-secret-of-one")},
		{Name: "umlaut", ClientID: "k\u00fcche", ClientSecretFile: writeFile(t, "a-secret-of-the-kitchen")},
		{Name: "bearer", TokenFile: writeFile(t, "one:another-secret-of-two")},
	}})
	require.NoError(t, err)
	for _, c := range []struct{ id, secret, name string }{
		{"one", "a-secret:with:colons", "one"}, {"one", "another-secret-of-one", "one"}, {"k\u00fcche", "a-secret-of-the-kitchen", "umlaut"},
		{"one", "a-secret-of-the-kitchen", ""}, {"One", "another-secret-of-one", ""}, {"one:a-secret", "with:colons", "one"},
		{"one", "", ""}, {"", "another-secret-of-one", ""}, {"", "", ""}, {"one", "another-secret-of-one\x00", ""}, {"one", "\xff", ""},
		{"k\xfcche", "a-secret-of-the-kitchen", ""}, {"one", "another-secret-of-two", ""},
	} {
		assert.Equal(t, c.name, nameOf(t, clients, basic(c.id, c.secret)), "%q %q", c.id, c.secret)
	}
	for _, fields := range [][]string{
		nil, {""}, {"Basic"}, {"Basic "}, {"Basic b25l"}, {"Basic ?"}, {"Basic b25lOmFub3RoZXItc2VjcmV0LW9mLW9uZQ"}, {"Digest x"},
		{basic("one", "another-secret-of-one").Authorization[0], basic("one", "another-secret-of-one").Authorization[0]},
	} {
		assert.Empty(t, nameOf(t, clients, httpapi.Credentials{Authorization: fields}), fields)
	}
	field := basic("one", "another-secret-of-one").Authorization[0]
	assert.Equal(t, "one", nameOf(t, clients, httpapi.Credentials{Authorization: []string{"basic" + strings.TrimPrefix(field, "Basic")}}))
	assert.Equal(t, httpapi.Methods{Bearer: true, Basic: true}, clients.Methods())
}

func TestRolesThatNobodyHasBeenGiven(t *testing.T) {
	cfg, _ := twoCallers(t)
	for _, c := range []struct {
		callers       []Caller
		ask, announce bool
	}{{nil, false, false}, {cfg.Callers[1:], false, true}, {cfg.Callers[:1], true, false}, {cfg.Callers, true, true}} {
		clients, err := Open(Config{Callers: c.callers, Logger: cfg.Logger})
		require.NoError(t, err)
		for _, role := range httpapi.Roles() {
			want := c.ask
			if role == httpapi.RoleAnnounce {
				want = c.announce
			}
			assert.Equal(t, want, clients.Requires(role), "%v %s", c, role)
		}
	}
}

func TestFaultsOfAllFilesAreReported(t *testing.T) {
	_, err := Open(Config{Logger: slog.New(slog.DiscardHandler), Callers: []Caller{
		{Name: "a", TokenFile: "/none/a"}, {Name: "b", ClientID: "b", ClientSecretFile: writeFile(t, "short")}, {Name: "c", TokenFile: "/none/c"},
	}})
	for _, want := range []string{"/none/a", "too short", "/none/c"} {
		require.ErrorContains(t, err, want)
	}
}

func TestLimit(t *testing.T) {
	clients, err := Open(Config{Logger: slog.New(slog.DiscardHandler), Callers: []Caller{
		{Name: "limited", TokenFile: writeFile(t, firstToken), Rate: 1, Burst: 3}, {Name: "free", TokenFile: writeFile(t, secondToken)},
	}})
	require.NoError(t, err)
	var limited *httpapi.LimitedError
	for i := range 100 {
		_, err := clients.Authenticate(t.Context(), bearer(firstToken))
		if i < 3 {
			require.NoError(t, err)
		}
		_, free := clients.Authenticate(t.Context(), bearer(secondToken))
		require.NoError(t, free)
		if err != nil {
			require.ErrorAs(t, err, &limited)
		}
	}
	require.NotNil(t, limited)
	assert.Equal(t, "limited", limited.Caller)
	assert.Positive(t, limited.RetryAfter)
	assert.LessOrEqual(t, limited.RetryAfter.Seconds(), 1.0)
}

func replaceFile(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path+".new", []byte(text), 0o600))
	require.NoError(t, os.Rename(path+".new", path))
}

// A proof that is accepted is exactly what the field says.
func FuzzParseAuthorization(f *testing.F) {
	for _, seed := range []string{"Bearer x", "bearer  x", "Basic b25lOnR3bw==", "Basic OnR3bw==", "Basic b25lOg==", "Basic /zp4", "Basic YToA", "Basic b25l", "Negotiate x", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, field string) {
		p, ok := parseAuthorization([]string{field})
		if !ok {
			require.Equal(t, proof{}, p)
			return
		}
		if p.token != "" {
			require.True(t, strings.EqualFold(field, "Bearer "+p.token))
			require.True(t, strings.HasSuffix(field, p.token))
			require.Empty(t, p.id+p.secret)
			return
		}
		r := &http.Request{Header: http.Header{"Authorization": {field}}}
		id, secret, ok := r.BasicAuth()
		require.True(t, ok)
		require.Equal(t, proof{id: id, secret: secret}, p)
		require.NotEmpty(t, id)
		require.NotEmpty(t, secret)
		require.True(t, utf8.ValidString(id+secret))
		require.False(t, strings.ContainsFunc(id+secret, unicode.IsControl))
	})
}
