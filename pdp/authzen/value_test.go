package authzen

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseValue(t *testing.T) {
	for body, want := range map[string]any{
		`null`: nil, ` true `: true, `"ä"`: "ä", `1.50`: json.Number("1.50"), `[]`: []any{}, `[1,[null]]`: []any{json.Number("1"), []any{nil}},
		`{"\u0066acts":{}}`: map[string]any{"facts": map[string]any{}},
	} {
		v, err := ParseValue([]byte(body))
		require.NoError(t, err, body)
		assert.Equal(t, want, v, body)
	}
	for body, want := range map[string]string{
		``: "The body is empty", `tru`: "JSON", `1 2`: "The body continues after its JSON value: send one JSON value and nothing else.", `[1],`: "continues",
		`{"a":1,"\u0061":2}`: "A member appears twice", `[{"a":{"b":1,"b":1}}]`: "A member appears twice", `1e999`: "A number is out of range",
		`["\ud800"]`: "invalid escape", strings.Repeat("[", 65) + strings.Repeat("]", 65): "too deep",
	} {
		_, err := ParseValue([]byte(body))
		require.ErrorContains(t, err, want, body)
	}
	_, err := ParseValue([]byte(strings.Repeat("[", 64) + strings.Repeat("]", 64)))
	require.NoError(t, err)
}

func TestEvaluationOfAgreesWithDecodeEvaluation(t *testing.T) {
	with := func(members string) string { return `{` + members + `,` + aliceReads[1:] }
	for body, is := range map[string]bool{
		aliceReads: true, with(`"context":{"n":1.50,"facts":null}`): true, with(`"more":[1]`): true, with(`"context":null`): true,
		with(`"context":[]`): false, `{}`: false, `null`: false, `"subject"`: false, `[` + aliceReads + `]`: false,
		strings.Replace(aliceReads, `"alice"`, `7`, 1): false, strings.Replace(aliceReads, `"alice"`, `"a\u0000"`, 1): false,
		strings.Replace(aliceReads, `"can_read"`, `""`, 1): false, strings.Replace(aliceReads, `{"name":"can_read"}`, `null`, 1): false,
		strings.Replace(aliceReads, `"alice"`, `"`+strings.Repeat("x", MaxName+1)+`"`, 1):                      false,
		strings.Replace(aliceReads, `"alice"`, `"al\u0069ce","properties":{"a/b":"\ud83d\ude00<&>\u2028"}`, 1): true,
	} {
		v, err := ParseValue([]byte(body))
		require.NoError(t, err, body)
		e, err := EvaluationOf(v)
		direct, directErr := DecodeEvaluation([]byte(body))
		require.Equal(t, direct, e, body)
		require.Equal(t, is, err == nil, body)
		require.Equal(t, is, directErr == nil, body)
		if !is {
			checkSentence(t, err)
		}
	}
	_, err := EvaluationOf(map[string]any{"subject": func() {}})
	require.Error(t, err, "a value that cannot be JSON")
}
