package main

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/decisionlog"
	"github.com/wardkeeper/wardkeeper/pdp/decisionpart"
	"github.com/wardkeeper/wardkeeper/pdp/decisionrecord"
)

// logFolder writes a log of decisions with three records and returns its folder and the file of its public key.
func logFolder(t *testing.T) (dir, public string) {
	t.Helper()
	private := filepath.Join(t.TempDir(), "private.pem")
	made := run(t, nil, "log", "key", private)
	require.Equal(t, statusOK, made.status, made)
	info, err := os.Stat(private)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	key, err := decisionlog.ParseSigningKey([]byte(readFile(t, private)))
	require.NoError(t, err)

	dir = filepath.Join(t.TempDir(), "decisions")
	log, err := decisionlog.Open(decisionlog.Config{Dir: dir, Signer: func() ed25519.PrivateKey { return key }})
	require.NoError(t, err)
	for n := range 3 {
		require.NoError(t, log.Append(context.Background(), decisionpart.Record{JSON: fmt.Appendf(nil, `{"decision":%t}`, n > 0)}))
	}
	require.NoError(t, log.Close(context.Background()))
	return dir, writeFile(t, "public.pem", made.out)
}

func TestLogVerify(t *testing.T) {
	t.Parallel()
	dir, public := logFolder(t)
	_, other := logFolder(t)
	segment := filepath.Join(dir, "decisions-00000001.ndjson")
	intact := readFile(t, segment)

	got := run(t, nil, "log", "verify", dir, "--key", public)
	require.Equal(t, statusOK, got.status, got)
	require.Contains(t, got.out, dir+" is intact\n")
	require.Contains(t, got.out, "  records     3, from 1 (")
	require.Contains(t, got.out, "  signatures  ")
	require.NotContains(t, got.out, "server")
	checkpoint := regexp.MustCompile(`checkpoint  (3:[0-9a-f]{64}) `).FindStringSubmatch(got.out)[1]

	got = run(t, nil, "log", "verify", dir)
	require.Equal(t, statusOK, got.status, got)
	require.Contains(t, got.out, "not checked: name the public key (--key)")

	shorter := strings.Join(strings.SplitAfter(intact, "\n")[:2], "")
	for name, c := range map[string]struct {
		content string
		args    []string
		status  int
		want    string
	}{
		"a known checkpoint":  {intact, []string{"--key", public, "--checkpoint", checkpoint}, statusOK, "is intact"},
		"a changed record":    {strings.Replace(intact, "false", "true", 1), []string{"--key", public}, statusNo, "decisions-00000001.ndjson, line 2, record 1: "},
		"another key":         {intact, []string{"--key", other}, statusNo, "decisions-00000001.ndjson, line 1, record 1: it is signed by the unknown key "},
		"a removed end":       {shorter, []string{"--key", public}, statusOK, "the server is running, or did not stop in order"},
		"a removed end, seen": {shorter, []string{"--key", public, "--checkpoint", checkpoint}, statusNo, "its end was removed"},
		"a torn end":          {shorter + `{"se`, []string{"--key", public}, statusOK, "incomplete  4 bytes"},
		"no checkpoint":       {intact, []string{"--checkpoint", "3"}, statusFailed, "write it as SEQ:HASH"},
		"no such key":         {intact, []string{"--key", "testdata/none.pem"}, statusFailed, "the key file cannot be read"},
		"no key in the file":  {intact, []string{"--key", segment}, statusFailed, "it holds no public key"},
	} {
		putFile(t, segment, c.content)
		got := run(t, nil, append([]string{"log", "verify", dir}, c.args...)...)
		require.Equal(t, c.status, got.status, "%s: %v", name, got)
		require.Contains(t, got.out+got.err, c.want, name)
	}
	got = run(t, nil, "log", "verify", t.TempDir(), "--key", public)
	require.Equal(t, statusFailed, got.status, got)
	require.Contains(t, got.err, "holds no segment of a decision log")
}

func TestLogKeyReplacesNothing(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "private.pem", "precious")
	got := run(t, nil, "log", "key", path)
	require.Equal(t, statusFailed, got.status, got)
	require.Contains(t, got.err, "exists: name another file")
	require.Equal(t, "precious", readFile(t, path))
}

func TestLogExport(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "decisions")
	log, err := decisionlog.Open(decisionlog.Config{Dir: dir})
	require.NoError(t, err)
	for _, subject := range []string{"alice", "bob", decisionrecord.Pseudonym([]byte("old key"), "carol"), decisionrecord.Pseudonym([]byte("new key"), "carol")} {
		record := fmt.Appendf(nil, `{"id":"1","time":"2026-01-02T00:00:00Z","outcome":"denied","question":{"subject":{"type":"user","id":%q},"action":{"name":"user.view"}},"answer":{"allow":false},"door":%s}`, subject, "\"\u009b31m\"")
		require.NoError(t, log.Append(context.Background(), decisionpart.Record{JSON: record}))
	}
	require.NoError(t, log.Close(context.Background()))
	before, after := writeFile(t, "old", "old key"), writeFile(t, "new", "new key")
	for name, c := range map[string]struct {
		args   []string
		status int
		lines  int
		want   string
	}{
		"all":                {nil, statusOK, 4, `{"id":"1","time":`},
		"one person":         {[]string{"--subject", "alice"}, statusOK, 1, `"alice"`},
		"a replaced key":     {[]string{"--subject", "carol", "--pseudonym-key-file", before, "--pseudonym-key-file", after}, statusOK, 2, `"~`},
		"later":              {[]string{"--since", "2026-01-03"}, statusOK, 0, ""},
		"OPA's events":       {[]string{"--format", "opa", "--subject", "bob", "--instance", "pdp-1"}, statusOK, 1, `"id":"pdp-1"`},
		"AuditEvents":        {[]string{"--format", "fhir"}, statusOK, 4, `{"resourceType":"AuditEvent"`},
		"a typo":             {[]string{"--format", "fihr"}, statusFailed, 0, "did you mean fhir?"},
		"not a line":         {[]string{"--format", "otlp"}, statusFailed, 0, "choose from json, opa, fhir"},
		"a missing key file": {[]string{"--key", "none"}, statusFailed, 0, "the key file cannot be read"},
	} {
		got := run(t, nil, append([]string{"log", "export", dir}, c.args...)...)
		require.Equal(t, c.status, got.status, "%s: %v", name, got)
		require.Equal(t, c.lines, strings.Count(got.out, "\n"), name)
		require.Contains(t, got.out+got.err, c.want, name)
		require.NotContains(t, got.out, "\u009b", "it would control a terminal")
	}

	segment := filepath.Join(dir, "decisions-00000001.ndjson")
	putFile(t, segment, strings.Replace(readFile(t, segment), `"bob"`, `"eve"`, 1))
	got := run(t, nil, "log", "export", dir)
	require.Equal(t, statusNo, got.status, got)
	require.Empty(t, got.out)
	require.Contains(t, got.err, "is broken, so nothing is exported: decisions-00000001.ndjson, line 3, record 2")
	got = run(t, nil, "log", "export", dir, "--unverified")
	require.Equal(t, statusNo, got.status, got)
	require.Equal(t, 1, strings.Count(got.out, "\n"))
}
