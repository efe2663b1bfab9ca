package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
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

// Each way to break the configuration is said in a sentence.
func TestDoctorSaysWhatIsWrongWithNginx(t *testing.T) {
	t.Parallel()
	skipIfShort(t)
	whole, err := os.ReadFile(nginxAdapter)
	require.NoError(t, err)
	for name, c := range map[string]struct{ old, new, sentence string }{
		"auth_request aimed at a decision endpoint": {"/adapters/forward-auth?as=nginx", "/access/v1/evaluation", "where a denial has status 200: everybody passes"},
		"the same, seen from outside":               {"/adapters/forward-auth?as=nginx", "/access/v1/evaluation", "lets everybody through: it asks the sidecar at another path than /adapters/forward-auth"},
		"statuses that nginx does not know":         {"?as=nginx", "", "nginx turns the sidecar's 400 and 503 into 500"},
		"a location without auth_request":           {"location / {", "location /users/ { proxy_pass http://application; auth_request off; }\n location / {", "nobody is asked about requests to location /users/"},
		"the same, in effect":                       {"location / {", "location /users/ { proxy_pass http://application; auth_request off; }\n location / {", "lets requests through that are denied"},
		"nothing is asked":                          {"auth_request /_wardkeeper;", "", "lets everybody through: it does not ask the sidecar"},
		"the person says what the path is":          {"proxy_set_header X-Forwarded-Uri $request_uri;", "", "the sidecar takes X-Forwarded-Uri from the person"},
		"the normalized path is judged":             {"$request_uri;", "$uri;", "X-Forwarded-Uri is $uri, which need not be what the application gets"},
		"another path is passed on":                 {"proxy_pass http://application;", "proxy_pass http://application/app/;", "the application gets another path than the one that was judged"},
		"the same, from what arrives":               {"proxy_pass http://application;", "proxy_pass http://application/app/;", "The application got a request that no route matches."},
		"the person names another person":           {"proxy_set_header X-Wardkeeper-Subject $wardkeeper_subject;", "", "The application was not told who the person is"},
		"anybody may ask":                           {"internal;", "", "people can ask the sidecar themselves"},
		"either check suffices":                     {"listen 80;", "listen 80; satisfy any;", "\"satisfy any\" lets requests through"},
		"failures look like denials":                {"return 503 $wardkeeper_body;", "return 403 $wardkeeper_body;", "about which the sidecar cannot decide with status 403 instead of 503"},
		"a down sidecar looks like a fault":         {"return 503 $wardkeeper_away;", "return 500 $wardkeeper_away;", "while the sidecar is down with status 500 instead of 503"},
		"the host is another":                       {"proxy_set_header Host $http_host;", "proxy_set_header Host admin.example.org;", `"action":{"name":"admin.view"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, string(whole), c.old)
			broken := strings.Replace(string(whole), c.old, c.new, 1)
			got := run(t, nil, "doctor", "--nginx", writeFile(t, "nginx.conf", broken))
			require.Equal(t, statusNo, got.status, "%s%s", got.out, got.err)
			require.Contains(t, got.out, c.sentence)
		})
	}
}

func TestDoctorSaysWhatItCannotExamine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ conf, message string }{
		"no file to examine":    {"", "say what to examine"},
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
