package main

import (
	"context"
	"encoding/pem"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/adapters/check"
	"github.com/wardkeeper/wardkeeper/adapters/hostile"
	"github.com/wardkeeper/wardkeeper/adapters/nethttp"
	"github.com/wardkeeper/wardkeeper/adapters/routes"
)

const nginxAdapter = "../../adapters/nginx/nginx.conf"

func TestDoctorFindsNothingWrongWithTheNginxOfTheDocuments(t *testing.T) {
	t.Parallel()
	skipIfShort(t)
	got := run(t, nil, "doctor", "--nginx", nginxAdapter)
	require.Equal(t, statusOK, got.status, "%s%s", got.out, got.err)
	require.Contains(t, got.out, "connections with hostile requests")
	require.Contains(t, got.out, "0 of them in a way that is wrong")
	require.Contains(t, got.out, "Nothing is wrong.")
}

func TestDoctorExaminesCaddy(t *testing.T) {
	t.Parallel()
	skipIfShort(t)
	const caddyAdapter = "../../adapters/caddy/Caddyfile"
	got := run(t, nil, "doctor", "--caddy", caddyAdapter)
	require.Equal(t, statusOK, got.status, "%s%s", got.out, got.err)
	require.Contains(t, got.out, "0 of them in a way that is wrong")

	whole, err := os.ReadFile(caddyAdapter)
	require.NoError(t, err)
	for sentence, change := range map[string][2]string{
		"lets everybody through: it asks the sidecar at another path": {"/adapters/forward-auth", "/access/v1/evaluation"},
		"The application was not told who the person is":              {"respond @named 400", ""},
	} {
		require.Contains(t, string(whole), change[0])
		got := run(t, nil, "doctor", "--caddy", writeFile(t, "Caddyfile", strings.Replace(string(whole), change[0], change[1], 1)))
		require.Equal(t, statusNo, got.status, "%s%s", got.out, got.err)
		require.Contains(t, got.out, sentence)
	}
	got = run(t, nil, "doctor", "--caddy", writeFile(t, "Caddyfile", ":80 {\n\tno_such_directive\n}\n"))
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.err, "caddy refuses the configuration")
}

// withTLS returns the lines of a configuration of nginx in which the server has TLS and HTTP/2. The files do not exist here.
func withTLS(t *testing.T, conf string) string {
	t.Helper()
	return replaceIn(t, conf, "listen 80;", `listen 443 ssl http2;
	ssl_certificate /etc/ssl/clinic.pem;
	ssl_certificate_key /etc/ssl/clinic.key;
	server_name clinic.example.org;`)
}

func TestDoctorExaminesTLSAndHTTP2(t *testing.T) {
	t.Parallel()
	skipIfShort(t)
	caddy := replaceIn(t, readFile(t, "../../adapters/caddy/Caddyfile"), ":80 {", "clinic.example.org {")
	for name, c := range map[string]struct {
		flag, conf string
		status     int
		sentences  []string
	}{
		"nginx": {"--nginx", withTLS(t, readFile(t, nginxAdapter)), statusOK, []string{" over HTTP/2: ", "Nothing is wrong."}},
		"nginx that asks about nothing": {
			"--nginx", withTLS(t, replaceIn(t, readFile(t, nginxAdapter), "auth_request /_wardkeeper;", "")), statusNo,
			[]string{" over HTTP/2 lets everybody through: it does not ask the sidecar"},
		},
		"Caddy": {"--caddy", caddy, statusOK, []string{" over HTTP/2: ", "over HTTP/2 passes on trailers", "Nothing is wrong."}},
		"Caddy that asks elsewhere": {
			"--caddy", replaceIn(t, caddy, "/adapters/forward-auth", "/access/v1/evaluation"), statusNo,
			[]string{" over HTTP/2 lets everybody through: it asks the sidecar at another path"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := run(t, nil, "doctor", c.flag, writeFile(t, "conf", c.conf))
			require.Equal(t, c.status, got.status, "%s%s", got.out, got.err)
			for _, sentence := range c.sentences {
				require.Contains(t, got.out, sentence)
			}
		})
	}
}

func TestDoctorExaminesProxiesThatSignPeopleIn(t *testing.T) {
	t.Parallel()
	skipIfShort(t)
	for name, proxy := range clinicProxies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := map[string]string{"nginx": nginxAdapter, "caddy": "../../adapters/caddy/Caddyfile"}[name]
			conf := writeFile(t, "conf", replaceIn(t, readFile(t, file), proxy.people(t)...))
			for _, args := range [][]string{{"--routes", clinicFolder + "routes-header.yaml"}, nil} {
				got := run(t, nil, append([]string{"doctor", "--" + name, conf}, args...)...)
				require.Equal(t, statusOK, got.status, "%s%s", got.out, got.err)
				require.Contains(t, got.out, "0 of them in a way that is wrong")
			}
		})
	}
}

// nobody implements [routes.Verifier].
type nobody struct{}

func (nobody) Verify(context.Context, string) (map[string]any, error) {
	return nil, errors.New("no token is valid")
}

func TestDoctorExaminesARunningDeployment(t *testing.T) {
	t.Parallel()
	skipIfShort(t)
	table, err := routes.Parse(hostile.RouteFile)
	require.NoError(t, err)
	checker, err := check.New(check.Config{Routes: table, Verifier: nobody{}, Decider: hostile.Decider{}, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	protect := nethttp.Middleware(nethttp.Config{Checker: checker, Logger: slog.New(slog.DiscardHandler)})
	protected := httptest.NewServer(protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	t.Cleanup(protected.Close)
	got := run(t, nil, "doctor", "--url", protected.URL)
	require.Equal(t, statusOK, got.status, "%s%s", got.out, got.err)
	require.Contains(t, got.out, "From outside it is not to be seen what the application gets")

	secure := httptest.NewUnstartedServer(protected.Config.Handler)
	secure.EnableHTTP2, secure.Config.ErrorLog = true, slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	authority := writeFile(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})))
	got = run(t, nil, "doctor", "--url", secure.URL, "--ca", authority)
	require.Equal(t, statusOK, got.status, "%s%s", got.out, got.err)
	require.Contains(t, got.out, " over HTTP/2: ")
	got = run(t, nil, "doctor", "--url", secure.URL)
	require.Equal(t, statusFailed, got.status, got.out)
	require.Contains(t, got.err, "is not to be trusted: x509: certificate signed by unknown authority; if an authority of your own has signed it, name its file with --ca")
	for message, args := range map[string][]string{
		"use http://":              {"--url", strings.Replace(protected.URL, "http:", "https:", 1)},
		"has no certificate":       {"--url", secure.URL, "--ca", writeFile(t, "empty.pem", "")},
		"no such file":             {"--url", secure.URL, "--ca", "/nonexistent"},
		"--ca is for --url":        {"--nginx", nginxAdapter, "--ca", authority},
		"connect: connection refu": {"--url", "http://127.0.0.1:1"},
	} {
		got := run(t, nil, append([]string{"doctor"}, args...)...)
		require.Equal(t, statusFailed, got.status, message)
		require.Contains(t, got.err, message)
	}

	open := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			t.Errorf("%s changes something", r.Method)
		}
	}))
	t.Cleanup(open.Close)
	got = run(t, nil, "doctor", "--url", open.URL)
	require.Equal(t, statusNo, got.status, "%s%s", got.out, got.err)
	require.True(t, strings.HasPrefix(got.out, "WRONG  Nobody has signed in, and is answered with status 200 instead of 401 to a request for /users/wkcase"), got.out)
	require.Contains(t, got.out, ": nothing that asks stands before the application, or that path is public.")
	require.Regexp(t, `(?m)^WRONG  \d{3,} requests of nobody that should be refused have an answer of the application\.$`, got.out)

	// Only hostile requests get through.
	leaky := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.RequestURI, "%2") {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(leaky.Close)
	got = run(t, nil, "doctor", "--url", leaky.URL)
	require.Equal(t, statusNo, got.status, "%s%s", got.out, got.err)
	require.Contains(t, got.out, "Nobody has signed in, and is answered with status 200 to a request that should be refused.")
	for status, sentence := range map[int]string{http.StatusForbidden: "Name that file with --routes.", http.StatusServiceUnavailable: "the proxy may not reach the sidecar."} {
		always := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(status) }))
		t.Cleanup(always.Close)
		got = run(t, nil, "doctor", "--url", always.URL)
		require.Equal(t, statusNo, got.status, "%s%s", got.out, got.err)
		require.Contains(t, got.out, sentence)
	}

	for _, url := range []string{"clinic.example.org", "http://", "ftp://clinic.example.org", "http://clinic.example.org/users", "http://me@clinic.example.org"} {
		got := run(t, nil, "doctor", "--url", url)
		require.Equal(t, statusFailed, got.status, url)
		require.Contains(t, got.err, "the URL must be http://HOST or https://HOST")
	}
}

// The doctor describes each mistake in the configuration in a sentence.
func TestDoctorSaysWhatIsWrongWithNginx(t *testing.T) {
	t.Parallel()
	skipIfShort(t)
	whole, err := os.ReadFile(nginxAdapter)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		changes   []string // old, new, old, new ...
		sentences []string
	}{
		"auth_request aimed at a decision endpoint": {
			[]string{"/adapters/forward-auth?as=nginx", "/access/v1/evaluation"},
			[]string{"where a denial has status 200: everybody passes", "lets everybody through: it asks the sidecar at another path than /adapters/forward-auth"},
		},
		"a location without auth_request": {
			[]string{"location / {", "location /users/ { proxy_pass http://application; auth_request off; }\n location / {"},
			[]string{"nobody is asked about requests to location /users/", "lets requests through that are denied"},
		},
		"nothing is asked": {[]string{"auth_request /_wardkeeper;", ""}, []string{"lets everybody through: it does not ask the sidecar"}},
		"statuses": {
			[]string{"?as=nginx", "", "internal;", "", "satisfy all;", "satisfy any;", "return 503 $wardkeeper_away;", "return 500 $wardkeeper_away;"},
			[]string{
				"nginx turns the sidecar's 400 and 503 into 500", "people can ask the sidecar themselves", "\"satisfy any\" lets requests through",
				"while the sidecar is down with status 500 instead of 503",
			},
		},
		"failures look like denials, and another path is passed on": {
			[]string{"return 503 $wardkeeper_body;", "return 403 $wardkeeper_body;", "proxy_pass http://application;", "proxy_pass http://application/app/;"},
			[]string{"about which the sidecar cannot decide with status 403 instead of 503", "The application got a request that no route matches."},
		},
		"the person says what the request is": {
			[]string{"proxy_set_header X-Forwarded-Uri $request_uri;", "", "proxy_set_header X-Wardkeeper-Subject $wardkeeper_subject;", ""},
			[]string{"the sidecar takes X-Forwarded-Uri from the person", "the application is not told X-Wardkeeper-Subject"},
		},
		"another request is passed on": {
			[]string{"$request_uri;", "$uri;", "proxy_pass http://application;", "proxy_pass http://application/app/;"},
			[]string{
				"X-Forwarded-Uri is $uri, which need not be what the application gets", "the application gets another path than the one that was judged",
			},
		},
		"another host and no person": {
			[]string{"proxy_set_header Host $http_host;", "proxy_set_header Host admin.example.org;", "proxy_set_header X-Wardkeeper-Subject $wardkeeper_subject;", ""},
			[]string{`"action":{"name":"admin.view"}`, "The application was not told who the person is"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			broken := string(whole)
			for i := 0; i < len(c.changes); i += 2 {
				require.Contains(t, broken, c.changes[i])
				broken = strings.Replace(broken, c.changes[i], c.changes[i+1], 1)
			}
			got := run(t, nil, "doctor", "--nginx", writeFile(t, "nginx.conf", broken))
			require.Equal(t, statusNo, got.status, "%s%s", got.out, got.err)
			for _, sentence := range c.sentences {
				require.Contains(t, got.out, sentence)
			}
		})
	}
}

func TestDoctorSaysWhatItCannotExamine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ conf, message string }{
		"no file to examine":    {"", "say what to examine, by one of"},
		"a program of PHP":      {"server { listen 80; location / { fastcgi_pass unix:/run/php.sock; } }", "not behind fastcgi_pass"},
		"a variable as address": {"server { listen 80; location / { proxy_pass http://$backend; } }", "cannot tell where http://$backend leads"},
		"no application":        {"server { listen 80; return 301 https://$host$request_uri; }", "there is nothing to examine"},
		"no server":             {"events {}", "the configuration has no server"},
		"not a configuration":   {"server {", "a block has no closing brace"},
		"an unknown directive":  {"server { listen 80; auth_jwt on; location / { proxy_pass http://a; } }", `unknown directive "auth_jwt"`},
	} {
		args := []string{"doctor"}
		if c.conf != "" {
			args = append(args, "--nginx", writeFile(t, "nginx.conf", c.conf))
		}
		got := run(t, nil, args...)
		require.Equal(t, statusFailed, got.status, name)
		require.Contains(t, got.err, c.message, name)
	}
}
