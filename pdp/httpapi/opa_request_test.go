package httpapi

import (
	"bytes"
	"compress/gzip"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// unreachableData returns a Data that fails the test if it is called.
func unreachableData(t *testing.T) *fakeData {
	return dataFunc(func(pdp.DataInput) pdp.DataAnswer {
		t.Error("the policy was evaluated")
		return pdp.DataAnswer{}
	})
}

// Bodies that two parsers could read differently are rejected, and everything has a limit.
func TestOPABodiesAreParsedStrictly(t *testing.T) {
	h := start(t, Config{Decider: &fakeDecider{}, Data: unreachableData(t)})
	for input, want := range map[string]string{
		`{"a":1,"a":2}`: "twice", `{"facts":1,"\u0066acts":2}`: "twice", `[{"a":{"b":1,"b":2}}]`: "twice", `1e999`: "out of range",
		`"\ud800"`: "escape", "\"\xff\"": "UTF-8", `{'a':1}`: "JSON", strings.Repeat("[", 65) + strings.Repeat("]", 65): "too deep", `1,`: "",
	} {
		for path, body := range map[string]string{"/v1/data/x": `{"input":` + input + `}`, "/": input, "/v1/batch/data/x": `{"inputs":{"k":` + input + `}}`} {
			assert.Contains(t, h.post(path, body).requireOPAError(t, 400, "invalid_parameter"), want, body)
		}
		h.do("GET", "/v1/data/x?input="+url.QueryEscape(input), "").requireOPAError(t, 400, "invalid_parameter")
	}
	for path, bodies := range map[string][]string{
		"/v1/data/x":       {`[]`, `"input"`, `null`, `{"input":1}{"input":2}`, `{"input":1,"input":2}`},
		"/":                {`{}{}`, `1 2`},
		"/v1/batch/data/x": {`[]`, `{"inputs":{}}x`},
	} {
		for _, body := range bodies {
			h.post(path, body).requireOPAError(t, 400, "invalid_parameter")
		}
	}
	for _, query := range []string{"?input=", "?input", "?input={", "?input=1&input=1", "?input=%zz", "?%zz", "?input=1;x", "?input=yes"} {
		h.do("GET", "/v1/data/x"+query, "").requireOPAError(t, 400, "invalid_parameter")
	}
	for _, path := range opaPaths {
		text := h.post(path, strings.Repeat(" ", authzen.MaxBody+1)).requireOPAError(t, 400, "invalid_parameter")
		assert.Equal(t, "The body is too large: send at most 1 MiB.", text)
	}
	text := h.do("GET", "/v1/data/"+strings.Repeat("x/", 1024), "").requireOPAError(t, 400, "invalid_parameter")
	assert.Contains(t, text, "path")
}

func TestOPAAcceptsAnyContentType(t *testing.T) {
	h := start(t, Config{Decider: &fakeDecider{}, Data: dataFunc(echoInput)})
	bodies := map[string]string{"/v1/data/x": `{"input":1}`, "/": `1`, "/v1/batch/data/x": `{"inputs":{"a":1}}`}
	for path, body := range bodies {
		want := h.post(path, body).body
		for _, any := range []string{"", "application/json", "application/json; charset=utf-8", "text/plain", "application/x-www-form-urlencoded",
			"application/json; charset=utf-16", "nonsense", "application/yaml", "application/x-yaml", "text/yaml; charset=utf-8", "APPLICATION/YAML"} {
			a := h.post(path, body, "Content-Type", any)
			assert.Equal(t, 200, a.status, any)
			assert.Equal(t, want, a.body, any)
		}
		for _, strict := range []string{"text/plain", "application/yaml"} {
			h.post(path, `{"a":1,"a":2}`, "Content-Type", strict).requireOPAError(t, 400, "invalid_parameter")
			h.post(path, `{"input":{"a":1,"a":2},"inputs":{"k":{"a":1,"a":2}}}`, "Content-Type", strict).requireOPAError(t, 400, "invalid_parameter")
		}
	}
}

// gzipped returns a body compressed with gzip.
func gzipped(t *testing.T, body string) string {
	t.Helper()
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	require.NoError(t, err)
	_, err = w.Write([]byte(body))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.String()
}

func TestOPACompressedBodies(t *testing.T) {
	t.Parallel()
	h := start(t, Config{Decider: &fakeDecider{}, Data: dataFunc(echoInput)})
	assert.Equal(t, `{"result":{"a":1}}`, h.post("/v1/data/x", gzipped(t, `{"input":{"a":1}}`), "Content-Encoding", "gzip").body)
	assert.Equal(t, `[1]`, h.post("/", gzipped(t, `[1]`), "Content-Encoding", "gzip").body)
	assert.Equal(t, `[1]`, h.post("/", `[1]`, "Content-Encoding", "identity").body)
	fits := `"` + strings.Repeat("x", authzen.MaxBody-2) + `"`
	assert.Equal(t, 200, h.post("/", gzipped(t, fits), "Content-Encoding", "gzip").status)
	for _, c := range []struct{ body, encoding, want string }{
		{gzipped(t, fits+" "), "gzip", "too large"},
		{gzipped(t, strings.Repeat(" ", 16<<20)), "gzip", "too large"},
		{gzipped(t, `{}`)[:15], "gzip", "gzip"},
		{`{}`, "gzip", "gzip"},
		{``, "gzip", "gzip"},
		{`{}`, "br", "Content-Encoding"},
		{gzipped(t, gzipped(t, `{}`)), "gzip, gzip", "Content-Encoding"},
		{gzipped(t, `{"a":1,"a":1}`), "gzip", "twice"},
	} {
		assert.Contains(t, h.post("/", c.body, "Content-Encoding", c.encoding).requireOPAError(t, 400, "invalid_parameter"), c.want)
	}
}
