package main

import (
	"errors"
	"fmt"
	"log/slog"
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

func TestReadTokens(t *testing.T) {
	const one, two = "0123456789abcdef", "0123456789ABCDEF"
	for text, want := range map[string][]string{
		"  " + one + "\r\n":                 {one},
		one + "\n" + two:                    {one, two},
		"\n" + one + "\r\n " + two + "\n\n": {one, two},
	} {
		tokens, err := readTokens(writeFile(t, "t", text))
		require.NoError(t, err)
		require.Equal(t, want, tokens)
	}
	var most []string
	for i := range mostTokens {
		most = append(most, fmt.Sprintf("%s-%d", one, i))
	}
	tokens, err := readTokens(writeFile(t, "t", strings.Join(most, "\n")))
	require.NoError(t, err)
	require.Equal(t, most, tokens)

	for text, want := range map[string]string{
		"":                                    "is empty",
		" \n\n":                               "is empty",
		"0123456789abcde\n":                   "too short",
		one + "\n0123456789abcde":             "line 2 is too short",
		one + "\n" + one + "\n":               "line 2 has the token of a line before",
		one + "\n\n" + two:                    "line 2 is empty",
		one + "\n#" + two:                     "line 2 begins with #",
		"0123456789 abcdef":                   "cannot be sent",
		"0123456789abcd\u00e9f":               "cannot be sent",
		one + "\r" + two:                      "cannot be sent",
		strings.Join(append(most, two), "\n"): "more than 16",
	} {
		_, err := readTokens(writeFile(t, "t", text))
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "0123", "a secret in a message")
	}
	_, err = readTokens(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)

	open := writeFile(t, "t", strings.Repeat("x", 40))
	require.False(t, exposed(open))
	require.NoError(t, os.Chmod(open, 0o644))
	require.True(t, exposed(open))
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

func TestBoundsOfWhatThereMayBeAtATime(t *testing.T) {
	for _, flag := range []string{"max-requests", "max-batches", "max-connections"} {
		for value, fault := range map[string]string{"1": "", "1000000": "", "1000001": "say a number", "-1": "say a number", "many": "say a whole number"} {
			s, err := loadSettings(nil, map[string]string{flag: value})
			err = errors.Join(err, s.validate())
			if fault == "" {
				require.NoError(t, err)
				continue
			}
			require.ErrorContains(t, err, "--"+flag+" is")
			require.ErrorContains(t, err, fault)
		}
	}
	s, err := loadSettings(nil, map[string]string{"max-requests": "0"})
	require.NoError(t, err)
	require.ErrorContains(t, s.validate(), "--max-requests is 0: say a number from 1 to 1000000")
}

// TestConnectionsLeaveRoom for what the process opens itself.
func TestConnectionsLeaveRoom(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	s := defaultSettings()
	require.Equal(t, mostConnections, s.connections(1<<20, log))
	require.Equal(t, 1024-32-64, s.connections(1024, log))
	require.Equal(t, 32, s.connections(64, log))
	s.Directory = "postgres://db/app"
	require.Equal(t, 1024-32-64-9, s.connections(1024, log))
	s.MaxConnections = 100
	require.Equal(t, 100, s.connections(1024, log))
	require.Equal(t, 32, s.connections(64, log))
}
