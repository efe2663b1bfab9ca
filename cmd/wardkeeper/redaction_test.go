package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// No message shows a password in a URL, whether it comes from the command line, the environment or the settings.
func TestMessagesNeverShowPasswords(t *testing.T) {
	skipIfShort(t)
	t.Parallel()
	const secret = "s3cret-of-the-tests"
	addresses := []string{
		"http://jane:" + secret + "@127.0.0.1:1", "http://jane:" + secret, "https://" + secret + "@127.0.0.1:1/x.tar.gz", "jane:" + secret + "@127.0.0.1",
		"http://127.0.0.1:1/?token=" + secret, "http://jane:pass word/" + secret + "@127.0.0.1:1", "http://jane:" + secret + "@127.0.0.1:x/%zz",
		"postgres://jane:" + secret + "@127.0.0.1:1/db", "postgres://jane:" + secret + "@127.0.0.1:x/%zz", "postgres://127.0.0.1:1/db?password=" + secret,
		"redis://:" + secret + "@127.0.0.1:1", "rediss://:" + secret + "@127.0.0.1:x", "https//jane:" + secret + "@127.0.0.1",
	}
	if fewerQuestions(t) {
		addresses = addresses[:2]
	}
	missing := filepath.Join(t.TempDir(), "none.yaml")
	for _, address := range addresses {
		t.Run(strings.ReplaceAll(address, secret, "…"), func(t *testing.T) {
			t.Parallel()
			config := writeFile(t, "c.yaml", "base_url: '"+address+"'\nredis: '"+address+"'\ndirectory: '"+address+"'\nlease: '"+address+"'\n")
			for _, c := range []struct {
				environ []string
				args    []string
			}{
				{nil, []string{"ask", "alice", "user.view", "jane", "--server", address}},
				{[]string{"WARDKEEPER_SERVER=" + address}, []string{"ask", "alice", "user.view", "jane"}},
				{nil, []string{"ask", "alice", "user.view", "jane", "--directory", address}},
				{nil, []string{"ask", "alice", "user.view", "jane", "--bundle", address}},
				{nil, []string{address}},
				{nil, []string{"serve", address}},
				{nil, []string{"serve", "--" + address}},
				{nil, []string{"serve", "--check", "--directory", address}},
				{[]string{"WARDKEEPER_DIRECTORY=" + address}, []string{"serve", "--check"}},
				{nil, []string{"serve", "--check", "--directory", "https://127.0.0.1:1/x", "--base-url", address}},
				{nil, []string{"serve", "--check", "--directory", "https://127.0.0.1:1/x", "--bundle", address}},
				{nil, []string{"serve", "--check", "--directory", "https://127.0.0.1:1/x", "--lease", address}},
				{nil, []string{"serve", "--check", "--directory", "https://127.0.0.1:1/x", "--log-level", address}},
				{nil, []string{"serve", "--check", "--directory", testDirectory, "--redis", address}},
				{nil, []string{"serve", "--check", "--directory", "https://127.0.0.1:1/x", "--redis", address}},
				{nil, []string{"serve", "--check", "--config", config}},
				{nil, []string{"directory", "check", address}},
				{nil, []string{"directory", "import", missing, "--to", address}},
				{nil, []string{"directory", "import", testDirectory, "--to", address}},
				{nil, []string{"bundle", "verify", address}},
				{nil, []string{"bundle", "build", address}},
			} {
				var output bytes.Buffer
				status := process{stdout: &output, stderr: &output, environ: c.environ}.run(t.Context(), c.args)
				require.NotEqual(t, statusOK, status, c.args)
				require.NotEmpty(t, output.String(), c.args)
				assert.NotContains(t, output.String(), secret, "%v %v", c.environ, c.args)
			}
		})
	}
	for _, proxy := range []string{"http://jane:" + secret + "@127.0.0.1:1", "http://jane:" + secret + "@127.0.0.1:x", "http://jane:" + secret} {
		for _, args := range [][]string{
			{"ask", "alice", "user.view", "jane", "--server", "http://pdp.invalid"},
			{"serve", "--check", "--directory", "https://app.invalid/x"},
		} {
			got := run(t, []string{"HTTP_PROXY=" + proxy, "HTTPS_PROXY=" + proxy}, args...)
			require.Equal(t, statusFailed, got.status, args)
			assert.NotContains(t, got.out+got.err, secret, "%v %v", proxy, args)
		}
	}
}

func TestYAMLErrorsDoNotQuoteValues(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"redis: *s3cret", "policy: {bundle: {service: {credentials: {bearer: {token: *s3cret}}}}}",
		"policy: {bundle: {service: {credentials: {bearer: {token: !!int s3cret}}}}}", "membership: {redis: {username: !!float s3cret}}",
	} {
		got := run(t, nil, "serve", "--check", "--config", writeFile(t, "c.yaml", text))
		require.Equal(t, statusFailed, got.status, text)
		require.NotContains(t, got.err, "s3cret", text)
	}
}
