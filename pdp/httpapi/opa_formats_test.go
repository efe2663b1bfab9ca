package httpapi

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// Objects are merged at every level, and inputs take precedence.
func TestCommonInputIsMerged(t *testing.T) {
	h := start(t, Config{Decider: &fakeDecider{}, Data: dataFunc(echoInput)})
	for body, want := range map[string]string{
		`{"inputs":{"a":{"x":1},"b":{"y":{"p":2}},"c":{"y":3}},"common_input":{"x":0,"y":{"p":0,"q":0}}}`: `{"responses":{` +
			`"a":{"result":{"x":1,"y":{"p":0,"q":0}}},"b":{"result":{"x":0,"y":{"p":2,"q":0}}},"c":{"result":{"x":0,"y":3}}}}`,
		`{"inputs":{"a":{"x":null,"y":[1]}},"common_input":{"x":{"z":1},"y":[2,3]}}`:          `{"responses":{"a":{"result":{"x":null,"y":[1]}}}}`,
		`{"inputs":{"a":1,"b":null,"c":[],"d":{}},"common_input":{"x":1}}`:                    `{"responses":{"a":{"result":1},"b":{},"c":{"result":[]},"d":{"result":{"x":1}}}}`,
		`{"inputs":{"a":{"x":1}},"common_input":null}`:                                        `{"responses":{"a":{"result":{"x":1}}}}`,
		`{"inputs":{"a":{"x":1}},"common_input":{}}`:                                          `{"responses":{"a":{"result":{"x":1}}}}`,
		`{"inputs":{},"common_input":{"x":1}}`:                                                `{"responses":{}}`,
		`{"inputs":{"a":{"y":{"z":{}}}},"common_input":{"y":{"z":{"deep":{"er":1}}, "w":2}}}`: `{"responses":{"a":{"result":{"y":{"w":2,"z":{"deep":{"er":1}}}}}}}`,
	} {
		a := h.post("/v1/batch/data/x", body)
		assert.Equal(t, 200, a.status)
		assert.Equal(t, want, a.body, body)
	}
	for _, other := range []string{`1`, `"x"`, `[]`, `true`} {
		assert.Contains(t, h.post("/v1/batch/data/x", `{"inputs":{"a":{}},"common_input":`+other+`}`).requireOPAError(t, 400, "invalid_parameter"), "common_input")
	}
	h.post("/v1/batch/data/x", `{"inputs":{"a":{}},"common_input":{"a":1,"a":1}}`).requireOPAError(t, 400, "invalid_parameter")
	large := `{"inputs":{` + strings.TrimSuffix(strings.Repeat(`"#":{},`, 20), ",") + `},"common_input":{"x":"` + strings.Repeat("x", 900<<10) + `"}}`
	for i := range 20 {
		large = strings.Replace(large, "#", string(rune('a'+i)), 1)
	}
	assert.Contains(t, h.post("/v1/batch/data/x", large).requireOPAError(t, 400, "invalid_parameter"), "too large for so many inputs")
}

// The engine rejects facts in the common input as it does facts in an input.
func TestFactsInCommonInputReachTheEngine(t *testing.T) {
	var got pdp.DataRequest
	f := dataFunc(echoInput)
	h := start(t, Config{Decider: &fakeDecider{}, Data: &fakeData{answer: func(ctx context.Context, r pdp.DataRequest) (pdp.DataResult, error) {
		got = r
		return f.answer(ctx, r)
	}}})
	h.post("/v1/batch/data/x", `{"inputs":{"a":{"x":1}},"common_input":{"facts":{"model":"regional"}}}`)
	assert.Contains(t, got.Inputs[0].Value, "facts", "the engine sees them and rejects them")
}

func TestUnsupportedParametersAreRejected(t *testing.T) {
	h := start(t, Config{Decider: &fakeDecider{}, Data: dataFunc(echoInput)})
	bodies := map[string]string{"/v1/data/x": `{"input":1}`, "/v1/batch/data/x": `{"inputs":{"a":1}}`, "/v0/data/x": `1`, "/": `1`}
	for path, body := range bodies {
		for _, query := range []string{"explain=full", "explain=notes", "explain=fails", "explain=debug", "explain=off&explain=full", "instrument", "instrument=true",
			"strict-builtin-errors", "strict-builtin-errors=TRUE", "rule_labels=true"} {
			name, _, _ := strings.Cut(query, "=")
			assert.Contains(t, h.post(path+"?"+query, body).requireOPAError(t, 400, "invalid_parameter"), `"`+name+`" is not supported`, path)
		}
		for _, query := range []string{"explain=off", "explain", "explain=nonsense", "instrument=false", "metrics=false", "rule_labels=0", "nonsense=1"} {
			assert.Equal(t, 200, h.post(path+"?"+query, body).status, "%s?%s has no effect, in OPA neither", path, query)
		}
	}
	for _, path := range []string{"/v0/data/x", "/"} {
		for _, query := range []string{"metrics", "provenance=true"} {
			h.post(path+"?"+query, `1`).requireOPAError(t, 400, "invalid_parameter")
		}
	}
	h.do("GET", "/v1/data/x?explain=full", "").requireOPAError(t, 400, "invalid_parameter")
}

func TestDocumentMetrics(t *testing.T) {
	h := start(t, Config{Decider: &fakeDecider{}, Data: dataFunc(echoInput)})
	for _, a := range []response{h.post("/v1/data/x?metrics", `{"input":1}`), h.do("GET", "/v1/data/x?metrics=true&input=1", ""),
		h.post("/v1/batch/data/x?metrics=true&provenance", `{"inputs":{"a":1}}`)} {
		var body struct{ Metrics map[string]int64 }
		require.NoError(t, json.Unmarshal([]byte(a.body), &body), a.body)
		require.Len(t, body.Metrics, 3)
		for _, name := range []string{"timer_rego_input_parse_ns", "timer_rego_query_eval_ns", "timer_server_handler_ns"} {
			assert.Positive(t, body.Metrics[name], name)
		}
	}
	assert.NotContains(t, h.post("/v1/data/x", `{"input":1}`).body, "metrics")
}

func TestYAMLBodies(t *testing.T) {
	h := start(t, Config{Decider: &fakeDecider{}, Data: dataFunc(echoInput)})
	ask := func(path, body string) response { return h.post(path, body, "Content-Type", "application/yaml") }
	assert.Equal(t, `{"result":{"a":[1,"x",true,null,1.5e+3],"b":"yes","c":"l1\nl2\n"}}`,
		ask("/v1/data/x", "# a comment\ninput:\n  a: [1, x, true, null, 1.5e+3]\n  'b': \"yes\"\n  c: |\n    l1\n    l2\n").body)
	assert.Equal(t, `["a",{"b":-0.5}]`, ask("/", "- a\n- b: -0.5\n").body)
	assert.Equal(t, `"plain text"`, ask("/v0/data/x", "plain text\n").body)
	assert.Equal(t, `{"responses":{"k":{"result":{"x":1,"z":2}}}}`, ask("/v1/batch/data/x", "inputs: {k: {x: 1}}\ncommon_input: {z: 2}\n").body)
	assert.Equal(t, `null`, ask("/", "# nothing\n").body)
	assert.Equal(t, `{"a!":"!","b":"! 1","c":"x ! y","d":"`+"\u2028"+`"}`, ask("/", "a!: '!' # !\nb: \"! 1\"\nc: x ! y\nd: \"\\u2028\"\n").body)
	assert.Equal(t, `"a"`, h.post("/", gzipped(t, "--- a\n"), "Content-Type", "text/x-yaml", "Content-Encoding", "gzip").body)
	for _, odd := range []string{
		"a: 1\na: 2", "a: &x 1\nb: *x", "a: &x 1", "a: !!str 1", "a: !x y", "a: ! 1", "é: [x, ! true]\r\n", "\ufeffa: !\r  1", "! a: 1", "a:\n- !\n  - 1", "!", "a: !<!> 1",
		"a: \"x\u2028y\"", "a: x\u2029y", "a: 'x\u0085y'", "<<: {a: 1}\n", "1: a", "true: a", "? [a]\n: b", "a: yes", "a: Off", "y: 1",
		"a: 010", "a: 0x10", "a: 0o10", "a: 1_000", "a: 1:30", "a: 2001-12-14", "a: .5", "a: 5.", "a: +1", "a: .inf", "a: .NaN", "a: 1e999", "a: 1e+999", "--- a\n--- b", "a: [",
		"\"\\ud800\"", "a: \xff", "\xff\xfea\x00", strings.Repeat("[", 70) + strings.Repeat("]", 70), strings.Repeat("- ", 20_000), "a: \x01", "a: =", "a: <<",
		"a: \"" + strings.Repeat("x", 64<<10) + "\"",
	} {
		for _, path := range []string{"/", "/v1/data/x"} {
			text := ask(path, odd).requireOPAError(t, 400, "invalid_parameter")
			assert.NotContains(t, text, "yaml:", odd)
		}
	}
	assert.Contains(t, ask("/", "a: 1\nb: yes\n").requireOPAError(t, 400, "invalid_parameter"), "in line 2")
}

func TestOPAResponsesAreCompressed(t *testing.T) {
	h := start(t, Config{Decider: &fakeDecider{}, Data: dataFunc(echoInput)})
	long, short := `"`+strings.Repeat("x", 2000)+`"`, `"x"`
	get := func(path, body, accept string) (*http.Response, string) {
		r, err := http.NewRequest(http.MethodPost, h.url+path, strings.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("Accept-Encoding", accept)
		resp, err := http.DefaultTransport.RoundTrip(r)
		require.NoError(t, err)
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		assert.Equal(t, "Accept-Encoding", resp.Header.Get("Vary"))
		assert.EqualValues(t, len(text), resp.ContentLength)
		return resp, string(text)
	}
	for path, wrap := range map[string][2]string{"/v1/data/x": {`{"input":`, `}`}, "/v0/data/x": {``, ``}, "/": {``, ``}, "/v1/batch/data/x": {`{"inputs":{"a":`, `}}`}} {
		plainResp, plain := get(path, wrap[0]+long+wrap[1], "identity")
		assert.Empty(t, plainResp.Header.Get("Content-Encoding"))
		for _, accept := range []string{"gzip", "GZIP", "br, gzip", "gzip;q=0.5", "deflate, x-gzip ; q=1"} {
			resp, text := get(path, wrap[0]+long+wrap[1], accept)
			assert.Equal(t, "gzip", resp.Header.Get("Content-Encoding"), accept)
			r, err := gzip.NewReader(bytes.NewReader([]byte(text)))
			require.NoError(t, err)
			unpacked, err := io.ReadAll(r)
			require.NoError(t, err)
			assert.Equal(t, plain, string(unpacked), path)
		}
		for _, accept := range []string{"br", "gzip;q=0", "gzip; q=0.0", "*;q=0", "x"} {
			resp, text := get(path, wrap[0]+long+wrap[1], accept)
			assert.Empty(t, resp.Header.Get("Content-Encoding"), accept)
			assert.Equal(t, plain, text)
		}
		resp, _ := get(path, wrap[0]+short+wrap[1], "gzip")
		assert.Empty(t, resp.Header.Get("Content-Encoding"), "too short to compress")
	}
}
