package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// edgePolicy returns its input, and has an undefined rule and one that fails.
const edgePolicy = `package app

default decision := false

decision if input.who == "reader"

echo := input

sometimes := 1 if input.who == "reader"

long := concat("", ["x" | some _ in numbers.range(1, 2000)])

torn := x if some x in [1, 2]
`

// Both servers answer the same requests with the same status, code and result, also over HTTP/2 without TLS.
func TestOPAsAPIBehavesLikeStockOPA(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "app.rego"), []byte(edgePolicy), 0o600))
	theirs := strings.TrimSuffix(runOPAServer(t, "--h2c", "--bundle", dir), "/")
	ours := startServer(t, "--bundle", dir, "--decision", "app/decision").url
	const jsonType, yamlType, form = "application/json", "application/x-yaml", "application/x-www-form-urlencoded"
	for _, c := range []struct {
		method, path, contentType, body string
		compressed                      bool
	}{
		{"POST", "/v1/data/app/echo", jsonType, `{"input":{"who":"reader","n":[1,2.5,null]}}`, false},
		{"POST", "/v1/data/app/echo", form, `{"input":{"who":"reader"}}`, false},
		{"POST", "/v1/data/app/echo", "", `{"input":"x"}`, false},
		{"POST", "/v1/data/app/echo", yamlType, "input:\n  who: reader\n  list: [1, two, true, null]\n  quoted: 'yes'\n", false},
		{"POST", "/v1/data/app/echo", yamlType, `{"input":{"who":"reader"}}`, false},
		{"POST", "/v1/data/app/echo", yamlType, "input: [", false},
		{"POST", "/v1/data/app/echo", jsonType, `{"input":{"who":"reader"}}`, true},
		{"POST", "/v1/data/app/echo", jsonType, `{"input":`, false},
		{"POST", "/v1/data/app/echo", jsonType, `[]`, false},
		{"POST", "/v1/data/app/echo", jsonType, ``, false},
		{"POST", "/v1/data/app/echo", jsonType, `{"input":null}`, false},
		{"POST", "/v1/data/app/decision", jsonType, `{"input":{"who":"reader"}}`, false},
		{"POST", "/v1/data/app/sometimes", jsonType, `{"input":{"who":"else"}}`, false},
		{"POST", "/v1/data/app/torn", jsonType, `{"input":{}}`, false},
		{"POST", "/v1/data/no/such", jsonType, `{"input":{}}`, false},
		{"POST", "/v1/data/app/echo?explain=off&metrics=false&instrument=false", jsonType, `{"input":1}`, false},
		{"GET", "/v1/data/app/echo?input=%7B%22a%22%3A1%7D", "", ``, false},
		{"GET", "/v1/data/app/echo?input=%7B", "", ``, false},
		{"POST", "/v0/data/app/echo", jsonType, `{"who":"reader"}`, false},
		{"POST", "/v0/data/app/echo", jsonType, `"text"`, false},
		{"POST", "/v0/data/app/echo", yamlType, "who: reader\n", false},
		{"POST", "/v0/data/app/echo", jsonType, `{"who":"reader"}`, true},
		{"POST", "/v0/data/app/echo", jsonType, ``, false},
		{"POST", "/v0/data/app/decision", jsonType, `{"who":"reader"}`, false},
		{"POST", "/v0/data/app/sometimes", jsonType, `{}`, false},
		{"POST", "/v0/data/app/torn", jsonType, `{}`, false},
		{"POST", "/v0/data/no/such", jsonType, `{}`, false},
		{"POST", "/v0/data/app/echo", jsonType, `{"a":`, false},
		{"GET", "/v0/data/app/echo", "", ``, false},
		{"PUT", "/v0/data/app/echo", jsonType, `1`, false},
	} {
		for name, client := range map[string]*http.Client{"HTTP/1.1": http.DefaultClient, "h2c": plainHTTP2Client(t)} {
			name = name + " " + c.method + " " + c.path + " " + c.contentType + " " + c.body
			body := c.body
			if c.compressed {
				var out bytes.Buffer
				w := gzip.NewWriter(&out)
				_, err := w.Write([]byte(body))
				require.NoError(t, err)
				require.NoError(t, w.Close())
				body = out.String()
			}
			ask := func(url string) (int, map[string]any) {
				r, err := http.NewRequest(c.method, url+c.path, strings.NewReader(body))
				require.NoError(t, err)
				if c.contentType != "" {
					r.Header.Set("Content-Type", c.contentType)
				}
				if c.compressed {
					r.Header.Set("Content-Encoding", "gzip")
				}
				w, err := client.Do(r)
				require.NoError(t, err, name)
				defer func() { require.NoError(t, w.Body.Close()) }()
				text, err := io.ReadAll(w.Body)
				require.NoError(t, err)
				return w.StatusCode, answerOrCode(t, text)
			}
			status, answer := ask(theirs)
			ours, same := ask(ours)
			require.Equal(t, status, ours, name)
			if status == http.StatusMethodNotAllowed {
				continue // OPA's answer has no body
			}
			require.Equal(t, answer, same, name)
		}
	}

	t.Run("provenance", func(t *testing.T) {
		var of [2]struct{ Provenance map[string]any }
		for i, url := range []string{theirs, ours} {
			w, err := http.Get(url + "/v1/data/app/long?provenance")
			require.NoError(t, err)
			text, err := io.ReadAll(w.Body)
			require.NoError(t, err)
			require.NoError(t, w.Body.Close())
			require.NoError(t, json.Unmarshal(text, &of[i]))
		}
		for name, value := range of[0].Provenance {
			if name == "build_timestamp" && of[1].Provenance[name] == nil {
				continue // a test binary has no build time, and "" is not a time to clients
			}
			require.IsType(t, value, of[1].Provenance[name], name)
		}
		require.Equal(t, of[0].Provenance["version"], of[1].Provenance["version"])
	})
	t.Run("compressed answers", func(t *testing.T) {
		for _, url := range []string{theirs, ours} {
			r, err := http.NewRequest(http.MethodGet, url+"/v1/data/app/long", nil)
			require.NoError(t, err)
			r.Header.Set("Accept-Encoding", "gzip")
			w, err := http.DefaultTransport.RoundTrip(r)
			require.NoError(t, err)
			require.Equal(t, "gzip", w.Header.Get("Content-Encoding"))
			unpacked, err := gzip.NewReader(w.Body)
			require.NoError(t, err)
			var body struct{ Result string }
			require.NoError(t, json.NewDecoder(unpacked).Decode(&body))
			require.Len(t, body.Result, 2000)
			require.NoError(t, w.Body.Close())
		}
	})
}

// answerOrCode returns what clients depend on: the answer, or the code of an error.
func answerOrCode(t *testing.T, text []byte) map[string]any {
	t.Helper()
	if len(text) == 0 {
		return nil
	}
	var value any
	require.NoError(t, json.Unmarshal(text, &value), "%s", text)
	if members, ok := value.(map[string]any); ok {
		if code, failed := members["code"]; failed {
			return map[string]any{"code": code}
		}
	}
	return map[string]any{"answer": value}
}

// plainHTTP2Client returns a client that speaks HTTP/2 without TLS.
func plainHTTP2Client(t *testing.T) *http.Client {
	t.Helper()
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}
