package authzen

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDecodeResponse(t *testing.T) {
	r, err := DecodeResponse([]byte(`{"decision":true,"x":1}`))
	require.NoError(t, err)
	assert.Equal(t, Response{Decision: true}, r)
	r, err = DecodeResponse([]byte(`{"context":{"reasons":["no"]},"decision":false}`))
	require.NoError(t, err)
	assert.Equal(t, Response{Context: map[string]any{"reasons": []any{"no"}}}, r)

	for _, body := range []string{
		``, `true`, `{}`, `{"decision":null}`, `{"decision":"true"}`, `{"decision":1}`, `{"Decision":true}`,
		`{"decision":false,"decision":true}`, `{"decision":true}{"decision":true}`, `{"decision":true,"context":[]}`, `{"decision":true`,
	} {
		r, err := DecodeResponse([]byte(body))
		assert.Error(t, err, body)
		assert.False(t, r.Decision, body)
	}
}

func TestDecodeResponses(t *testing.T) {
	all, err := DecodeResponses([]byte(`{"evaluations":[{"decision":true},{"decision":false,"context":{}}]}`))
	require.NoError(t, err)
	assert.Equal(t, []Response{{Decision: true}, {Context: map[string]any{}}}, all)

	for _, body := range []string{
		`{}`, `{"decision":true}`, `{"evaluations":{}}`, `{"evaluations":[true]}`, `{"evaluations":[{"decision":true},{}]}`, `{"evaluations":[{"decision":true}]`,
	} {
		all, err := DecodeResponses([]byte(body))
		assert.Error(t, err, body)
		assert.Empty(t, all, body)
	}
}

// The values are equal, and so is the text except for characters that are special in HTML.
func TestAppendValueAgreesWithEncodingJSON(t *testing.T) {
	type object struct {
		A string `json:"a"`
	}
	for _, v := range []any{
		nil, true, false, "", "plain", "ä\u2028\t\"\\\x00\x7f", -7, 12.5, int64(1 << 60), json.Number("1.50"), json.Number(""),
		[]any{}, []any(nil), []any{1, "x", nil}, map[string]any{}, map[string]any(nil), map[string]any{"b": []any{map[string]any{"c": 1}}, "a": "x"},
		map[string]string{"k": "v"}, object{"x"}, []string{"a", "b"},
	} {
		want, err := json.Marshal(v)
		require.NoError(t, err)
		got, err := AppendValue([]byte("+"), v)
		require.NoError(t, err)
		assert.JSONEq(t, string(want), string(got[1:]))
	}
	got, err := AppendValue(nil, map[string]any{"b": "<&>", "a": object{"<&>"}})
	require.NoError(t, err)
	assert.Equal(t, `{"a":{"a":"<&>"},"b":"<&>"}`, string(got))
	assert.Equal(t, "\"a\ufffdb\"", string(AppendString(nil, "a\xffb")))
}

func TestAppendValueRejectsUnencodableValues(t *testing.T) {
	loop := map[string]any{}
	loop["a"] = []any{loop}
	for _, v := range []any{json.Number(`1,"x":2`), json.Number("abc"), math.NaN(), func() {}, loop, map[string]any{"a": []any{math.Inf(1)}}} {
		_, err := AppendValue(nil, v)
		assert.Error(t, err)
	}
}
