package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAddressesThatOthersReachNeedAToken(t *testing.T) {
	for addr, fault := range map[string]string{
		"127.0.0.1:0": "", "127.9.9.9:80": "", "[::1]:80": "", "localhost:80": "", "[::ffff:127.0.0.1]:80": "",
		":8181":                 "which others can reach",
		"0.0.0.0:8181":          "which others can reach",
		"[::]:8181":             "which others can reach",
		"10.1.2.3:8181":         "which others can reach",
		"pdp.example.org:8181":  "which others can reach",
		"localhost.example:1":   "which others can reach",
		"127.0.0.1":             "say HOST:PORT",
		"127.0.0.1:http":        "the port must be a number",
		"127.0.0.1:70000":       "the port must be a number",
		"http://127.0.0.1:8181": "say HOST:PORT",
	} {
		s := defaultSettings()
		s.Addr, s.Directory = addr, "d.yaml"
		if fault == "" {
			require.NoError(t, s.validate(), addr)
			continue
		}
		require.ErrorContains(t, s.validate(), fault, addr)
		if fault != "which others can reach" {
			continue
		}
		s.Insecure = true
		require.NoError(t, s.validate(), addr)
		s.Insecure, s.TokenFile = false, "token"
		require.NoError(t, s.validate(), addr)
	}
}

func TestBaseURLs(t *testing.T) {
	for _, good := range []string{"http://pdp", "https://pdp.example.org/base", "http://[::1]:8181/"} {
		_, err := parseBaseURL(good)
		require.NoError(t, err, good)
	}
	for _, bad := range []string{"pdp", "//pdp", "ftp://pdp", "http://", "http://a@pdp", "http://pdp?q", "http://pdp/?", "http://pdp#f", "http://%"} {
		_, err := parseBaseURL(bad)
		require.Error(t, err, bad)
	}
}

func TestReadToken(t *testing.T) {
	token, exposed, err := readToken(writeFile(t, "t", "  0123456789abcdef\r\n"))
	require.NoError(t, err)
	require.Equal(t, "0123456789abcdef", token)
	require.False(t, exposed)

	for text, want := range map[string]string{
		"":                                     "is empty",
		" \n\n":                                "is empty",
		"0123456789abcde\n":                    "too short",
		"0123456789abcdef\n0123456789abcdef\n": "several lines",
		"0123456789 abcdef":                    "cannot be sent",
		"0123456789abcdéf":                     "cannot be sent",
	} {
		_, _, err := readToken(writeFile(t, "t", text))
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "0123", "a secret in a message")
	}
	_, _, err = readToken(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)

	open := writeFile(t, "t", strings.Repeat("x", 40))
	require.NoError(t, os.Chmod(open, 0o644))
	_, exposed, err = readToken(open)
	require.NoError(t, err)
	require.True(t, exposed)
}

func TestNearest(t *testing.T) {
	commands := []string{"ask", "directory", "serve", "version"}
	for word, want := range map[string]string{"srve": "serve", "serv": "serve", "aks": "ask", "directroy": "directory", "zzz": "", "": ""} {
		require.Equal(t, want, nearest(word, commands), word)
	}
	require.Equal(t, 3, edits("kitten", "sitting"))
}

func TestPrintable(t *testing.T) {
	require.Equal(t, `a\u001b[31mé 漢\u202e\u0000\u009b`+"\uFFFD"+`\u000a\ue000\udb80\udc00`,
		printable("a\x1b[31mé 漢\u202e\x00\u009b\xff\n\ue000\U000F0000"))
}
