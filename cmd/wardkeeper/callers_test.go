package main

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
)

const (
	firstToken  = "the-first-token-of-the-tests"
	secondToken = "the-second-token-of-the-tests"
	thirdToken  = "the-third-token-of-the-tests"
)

// answersTo is the status of a question with a token.
func (d *daemon) answersTo(t *testing.T, token string) int {
	t.Helper()
	w, _ := post(t, d.url, token, viewJane)
	return w.StatusCode
}

// TestATokenIsRotatedWhileServing: the new one is valid beside the old one, and the old one no longer than it is in the
// file. A file at fault changes nothing.
func TestATokenIsRotatedWhileServing(t *testing.T) {
	file := writeFile(t, "token", firstToken+"\n")
	d := serving(t, "--directory", testDirectory, "--token-file", file)
	require.Equal(t, http.StatusOK, d.answersTo(t, firstToken))
	require.Equal(t, http.StatusUnauthorized, d.answersTo(t, secondToken))

	replaceFile(t, file, []byte(firstToken+"\n"+secondToken+"\n"))
	until(t, "the second token is valid", func() bool { return d.answersTo(t, secondToken) == http.StatusOK })
	require.Equal(t, http.StatusOK, d.answersTo(t, firstToken))
	got := run(t, nil, "ask", "alice", "user.view", "jane", "--server", d.url, "--token-file", file)
	require.Equal(t, statusOK, got.status, got)

	replaceFile(t, file, []byte(secondToken+"\n"))
	until(t, "the first token is refused", func() bool { return d.answersTo(t, firstToken) == http.StatusUnauthorized })
	require.Equal(t, http.StatusOK, d.answersTo(t, secondToken))

	replaceFile(t, file, []byte(thirdToken+"\n# "+secondToken+"\n"))
	d.signal(t, syscall.SIGHUP)
	replaceFile(t, file, nil)
	d.signal(t, syscall.SIGHUP)
	require.NoError(t, os.Remove(file))
	d.signal(t, syscall.SIGHUP)
	for range 3 {
		require.Equal(t, http.StatusOK, d.answersTo(t, secondToken), "the last good one")
		require.Equal(t, http.StatusUnauthorized, d.answersTo(t, thirdToken))
	}
	require.NoError(t, os.WriteFile(file, []byte(thirdToken), 0o644))
	until(t, "the third token is valid", func() bool { return d.answersTo(t, thirdToken) == http.StatusOK })
	require.Equal(t, http.StatusUnauthorized, d.answersTo(t, secondToken))

	d.signal(t, syscall.SIGTERM)
	status, logs := d.end()
	require.Equal(t, statusOK, status, logs)
	require.Contains(t, logs, "the token file cannot be used, the last good content stays in force")
	require.Contains(t, logs, "the token file can be used again")
	require.Contains(t, logs, "can read the token file", "the new one is for all to read")
	require.NotContains(t, logs, "-token-of-the-tests")
}

// TestWhoAsksNeverAnnounces: a token that comes into both files is taken from none of them into the other set.
func TestWhoAsksNeverAnnounces(t *testing.T) {
	asking, announcing := writeFile(t, "asking", firstToken), writeFile(t, "announcing", secondToken)
	s := config.Default()
	s.TokenFile, s.ChangesTokenFile = asking, announcing
	var log bytes.Buffer
	c, err := openCallers(s, slog.New(slog.NewTextHandler(&log, nil)))
	require.NoError(t, err)
	for _, step := range []struct {
		asking, announcing string
		want               tokenSets
		warned             int
	}{
		{firstToken, secondToken, tokenSets{[]string{firstToken}, []string{secondToken}}, 0},
		{firstToken, firstToken, tokenSets{[]string{firstToken}, []string{secondToken}}, 1},
		{thirdToken, firstToken, tokenSets{[]string{thirdToken}, []string{firstToken}}, 1},
		{thirdToken + "\n" + firstToken, firstToken, tokenSets{[]string{thirdToken}, []string{firstToken}}, 2},
		{firstToken, thirdToken, tokenSets{[]string{firstToken}, []string{thirdToken}}, 2}, // in one step
		{secondToken, secondToken, tokenSets{[]string{secondToken}, []string{thirdToken}}, 3},
		{secondToken, secondToken + "\n" + thirdToken, tokenSets{[]string{secondToken}, []string{thirdToken}}, 3},
		{secondToken, firstToken, tokenSets{[]string{secondToken}, []string{firstToken}}, 3},
	} {
		replaceFile(t, asking, []byte(step.asking))
		replaceFile(t, announcing, []byte(step.announcing))
		for range 2 {
			c.refresh()
			require.Equal(t, step.want.asking, c.askers()())
			require.Equal(t, step.want.announcing, c.announcers()())
		}
		require.Equal(t, step.warned, strings.Count(log.String(), "a token is in both token files"), log.String())
	}
	require.NotContains(t, log.String(), "-token-of-the-tests")
	replaceFile(t, asking, []byte(firstToken+"\n"+secondToken))
	_, err = openCallers(s, slog.New(slog.DiscardHandler))
	require.EqualError(t, err, "--changes-token-file has a token of --token-file: who announces changes needs one of their own")
}

// TestSIGHUPReadsEverythingAgain, and ends nothing: not before the server listens, and not when it comes often.
func TestSIGHUPReadsEverythingAgain(t *testing.T) {
	by := newSigner(t, "ES256")
	var bundle atomic.Value
	bundle.Store(numbered(1).signed(t, by))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bundle.Load().([]byte)) }))
	defer server.Close()
	dir := t.TempDir()
	key := filepath.Join(dir, "public.pem")
	putFile(t, key, by.public)
	config := filepath.Join(dir, "wardkeeper.yaml")
	putFile(t, config, `
decision: app/decision
state_dir: `+filepath.Join(dir, "state")+`
policy:
  bundle:
    service: {url: "`+server.URL+`"}
    resource: authz.tar.gz
    key_file: `+key+`
    polling: {min_delay_seconds: 86400, max_delay_seconds: 86400}
`)
	directory := filepath.Join(dir, "directory.yaml")
	putFile(t, directory, readFile(t, testDirectory))
	d := serving(t, "--config", config, "--directory", directory)
	d.untilRelease(t, 1)
	bundle.Store(numbered(2).signed(t, by))
	for range 20 {
		d.signal(t, syscall.SIGHUP)
	}
	d.untilRelease(t, 2)

	putFile(t, directory, "locations: []\nusers: [{id: s3cret-faulty, assignments: [{}]}]\n")
	d.signal(t, syscall.SIGHUP)
	until(t, "the directory has been read", func() bool { return d.metric(t, "wardkeeper_directory_reload_failures_total") > 0 })
	d.signal(t, syscall.SIGTERM)
	d.signal(t, syscall.SIGHUP)
	status, logs := d.end()
	require.Equal(t, statusOK, status, logs)
	require.Contains(t, logs, `"msg":"everything is read again","signal":"hangup"`)
}
