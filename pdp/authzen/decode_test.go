package authzen

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const aliceReads = `{"subject":{"type":"user","id":"alice"},"action":{"name":"can_read"},"resource":{"type":"account","id":"123"}}`

func TestDecodeEvaluation(t *testing.T) {
	e, err := DecodeEvaluation([]byte(` {"extra": [1, {"a": null}], "context": {"n": 1.50, "b": [true, false, null, {}], "s": "\u00e4\ud83d\ude00"},
		"resource": {"id": "123", "type": "account", "Type": "x", "properties": {}},
		"action": {"properties": {"big": 12345678901234567890}, "name": "can_read", "id": 7},
		"subject": {"type": "user", "id": "alice", "name": "ignored", "properties": null}, "Subject": 1} `))
	require.NoError(t, err)
	assert.Equal(t, Evaluation{
		Subject:  Entity{Type: "user", ID: "alice"},
		Action:   Action{Name: "can_read", Properties: map[string]any{"big": json.Number("12345678901234567890")}},
		Resource: Entity{Type: "account", ID: "123", Properties: map[string]any{}},
		Context:  map[string]any{"n": json.Number("1.50"), "b": []any{true, false, nil, map[string]any{}}, "s": "ä😀"},
	}, e)

	e, err = DecodeEvaluation([]byte(`{"context":null,` + aliceReads[1:]))
	require.NoError(t, err)
	assert.Nil(t, e.Context, "null counts as absent")
}

func TestMalformedEvaluationIsRejected(t *testing.T) {
	with := func(subject string) string {
		return strings.Replace(aliceReads, `{"type":"user","id":"alice"}`, subject, 1)
	}
	context := func(c string) string { return `{"context":` + c + `,` + aliceReads[1:] }
	long := strings.Repeat("x", MaxName+1)
	for name, c := range map[string]struct{ body, want string }{
		"empty body":      {"", "The body is empty: send one JSON object."},
		"only space":      {" \n", "The body ends before its JSON is complete: send the whole object."},
		"cut off":         {aliceReads[:40], "The body ends before its JSON is complete: send the whole object."},
		"broken":          {`{"subject":}`, "The body is not valid JSON near byte 11 at /subject: send one well-formed JSON object."},
		"single quotes":   {`{'subject':1}`, "near byte 1"},
		"trailing comma":  {aliceReads[:len(aliceReads)-1] + `,}`, "is not valid JSON near byte"},
		"comment":         {`{/**/}`, "is not valid JSON near byte 1"},
		"NaN":             {context(`{"n":NaN}`), "is not valid JSON near byte 16 at /context/n"},
		"leading zero":    {context(`{"n":01}`), "is not valid JSON"},
		"raw newline":     {context("{\"n\":\"\n\"}"), "is not valid JSON"},
		"number as name":  {`{1:2}`, "A member name is not a string"},
		"mark in front":   {"\ufeff" + aliceReads, "is not valid JSON near byte 0"},
		"array":           {`[` + aliceReads + `]`, "The body is not a JSON object: send one JSON object."},
		"null":            {`null`, "The body is not a JSON object"},
		"string":          {`"subject"`, "The body is not a JSON object"},
		"trailing brace":  {aliceReads + `}`, "The body continues after its JSON object"},
		"second object":   {aliceReads + aliceReads, "The body continues after its JSON object"},
		"invalid UTF-8":   {with("{\"type\":\"user\",\"id\":\"\xff\"}"), "The body is not valid UTF-8"},
		"UTF-8 surrogate": {with("{\"type\":\"user\",\"id\":\"\xed\xa0\x80\"}"), "The body is not valid UTF-8"},
		"overlong UTF-8":  {with("{\"type\":\"user\",\"id\":\"\xc0\xaf\"}"), "The body is not valid UTF-8"},

		"high surrogate":         {with(`{"type":"user","id":"a\ud800"}`), "A string has an invalid escape sequence at /subject/id"},
		"low surrogate":          {with(`{"type":"user","id":"a\udc00"}`), "A string has an invalid escape sequence"},
		"two high surrogates":    {with(`{"type":"user","id":"\ud800\ud800"}`), "A string has an invalid escape sequence"},
		"surrogate in an unused": {with(`{"type":"user","id":"a","x":["\ud800"]}`), "A string has an invalid escape sequence at /subject/x/0"},
		"surrogate in a name":    {context(`{"\ud800":1}`), "A string has an invalid escape sequence"},
		"unknown escape":         {context(`{"a":"\x41"}`), "A string has an invalid escape sequence"},

		"duplicate subject":     {`{"subject":{"type":"user","id":"root"},` + aliceReads[1:], "A member appears twice at /subject: send each member of an object once."},
		"duplicate id":          {with(`{"type":"user","id":"alice","id":"root"}`), "A member appears twice at /subject/id"},
		"duplicate, escaped":    {with(`{"type":"user","id":"alice","\u0069d":"root"}`), "A member appears twice at /subject/id"},
		"duplicate in context":  {context(`{"a":[{"b":{"c":1,"c":1}}]}`), "A member appears twice at /context/a/0/b/c"},
		"duplicate in unknown":  {`{"x":{"a":1,"a":1},` + aliceReads[1:], "A member appears twice at /x/a"},
		"duplicate unknown":     {`{"x":1,"x":1,` + aliceReads[1:], "A member appears twice at /x"},
		"duplicate null":        {`{"subject":null,` + aliceReads[1:], "A member appears twice at /subject"},
		"duplicate in a number": {with(`{"type":"user","id":{"a":1,"a":2}}`), "A member appears twice at /subject/id/a"},

		"no member":            {`{}`, `The member "subject" is missing at the top level: send an object.`},
		"null subject":         {with(`null`), `The member "subject" is missing at the top level`},
		"wrong case":           {strings.Replace(aliceReads, "subject", "Subject", 1), `The member "subject" is missing at the top level`},
		"wrong case of type":   {with(`{"Type":"user","id":"alice"}`), `The member "type" is missing at /subject: send a non-empty string.`},
		"no action":            {strings.Replace(aliceReads, "action", "x", 1), `The member "action" is missing at the top level`},
		"no resource":          {strings.Replace(aliceReads, "resource", "x", 1), `The member "resource" is missing at the top level`},
		"subject is a string":  {with(`"alice"`), `The member "subject" is not an object at the top level: send an object.`},
		"subject is an array":  {with(`[]`), `The member "subject" is not an object`},
		"no type":              {with(`{"id":"alice"}`), `The member "type" is missing at /subject`},
		"no id":                {with(`{"type":"user"}`), `The member "id" is missing at /subject`},
		"null id":              {with(`{"type":"user","id":null}`), `The member "id" is missing at /subject`},
		"empty id":             {with(`{"type":"user","id":""}`), `The member "id" is empty at /subject: send a non-empty string.`},
		"empty type":           {with(`{"type":"","id":"alice"}`), `The member "type" is empty at /subject`},
		"number as id":         {with(`{"type":"user","id":7}`), `The member "id" is not a string at /subject: send a non-empty string.`},
		"object as id":         {with(`{"type":"user","id":{}}`), `The member "id" is not a string at /subject`},
		"long id":              {with(`{"type":"user","id":"` + long + `"}`), `The member "id" is too long at /subject: send at most 1024 bytes.`},
		"C0 in id":             {with(`{"type":"user","id":"a\u0000"}`), `The member "id" has control characters at /subject: send printable text.`},
		"newline in id":        {with(`{"type":"user","id":"a\nb"}`), `The member "id" has control characters`},
		"DEL in id":            {with(`{"type":"user","id":"a` + "\x7f" + `"}`), `The member "id" has control characters`},
		"C1 in id":             {with(`{"type":"user","id":"a\u0085"}`), `The member "id" has control characters`},
		"last C1 in id":        {with("{\"type\":\"user\",\"id\":\"a\u009f\"}"), `The member "id" has control characters`},
		"control in type":      {with(`{"type":"us\ter","id":"a"}`), `The member "type" has control characters`},
		"properties an array":  {with(`{"type":"user","id":"a","properties":[]}`), `The member "properties" is not an object at /subject: send an object, or leave it out.`},
		"action name missing":  {strings.Replace(aliceReads, `"name"`, `"id"`, 1), `The member "name" is missing at /action`},
		"action name a bool":   {strings.Replace(aliceReads, `"can_read"`, `true`, 1), `The member "name" is not a string at /action`},
		"action name control":  {strings.Replace(aliceReads, `can_read`, `can\u001bread`, 1), `The member "name" has control characters at /action`},
		"action name too long": {strings.Replace(aliceReads, `can_read`, long, 1), `The member "name" is too long at /action`},
		"resource id missing":  {strings.Replace(aliceReads, `"id":"123"`, `"Id":"123"`, 1), `The member "id" is missing at /resource`},
		"context a string":     {context(`"x"`), `The member "context" is not an object at the top level`},
		"context an array":     {context(`[]`), `The member "context" is not an object`},

		"too deep":           {context(nested(MaxDepth)), "The JSON is nested too deeply at /context/a/a"},
		"too deep, unknown":  {`{"x":` + strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth) + `,` + aliceReads[1:], "The JSON is nested too deeply at /x/0"},
		"very deep":          {strings.Repeat(`{"a":`, 200_000), "The JSON is nested too deeply"},
		"very deep arrays":   {`{"context":` + strings.Repeat(`[`, 200_000), "The JSON is nested too deeply"},
		"huge number":        {context(`{"n":1e1000000000}`), "A number is out of range at /context/n: send numbers that a 64-bit float can hold."},
		"tiny number":        {context(`{"n":1e-1000000000}`), "A number is out of range at /context/n"},
		"number of a MB":     {context(`{"n":0.` + strings.Repeat("1", 1<<19) + `}`), "A number is out of range at /context/n"},
		"a name with escape": {context(`{"a\nb":{"c":1,"c":2}}`), "A member appears twice at /context/a\ufffdb/c"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := DecodeEvaluation([]byte(c.body))
			var e *Error
			require.ErrorAs(t, err, &e)
			assert.Contains(t, e.Message, c.want)
			assertSentence(t, e.Message)
		})
	}
}

// assertSentence checks that an error message is a sentence fit for clients, without terms of Go or its libraries.
func assertSentence(t *testing.T, s string) {
	t.Helper()
	assert.True(t, strings.HasSuffix(s, "."), s)
	assert.Less(t, len(s), 400)
	for _, inner := range []string{"json:", "jsontext", "EOF", "Go ", "strconv", "rune", "\n", "nil"} {
		assert.NotContains(t, s, inner)
	}
}

// nested returns an object with n levels of nesting.
func nested(n int) string {
	return strings.Repeat(`{"a":`, n-1) + `{}` + strings.Repeat(`}`, n-1)
}

func TestValuesAtTheLimitsAreAccepted(t *testing.T) {
	with := func(c string) string { return `{"context":` + c + `,` + aliceReads[1:] }
	for name, body := range map[string]string{
		"64 levels":        with(nested(MaxDepth - 1)),
		"64 unknown":       `{"x":` + nested(MaxDepth-1) + `,` + aliceReads[1:],
		"1 KiB":            strings.Replace(aliceReads, "alice", strings.Repeat("x", MaxName), 1),
		"U+00A0":           strings.Replace(aliceReads, "alice", "a\u00a0b", 1),
		"control in value": with(`{"a":"\u0000\n"}`),
		"zero":             with(`{"a":[0, -0, 0.000, 0e5, 1e308, 5e-324]}`),
		"escaped slash":    strings.Replace(aliceReads, "alice", `a\/b`, 1),
		"escaped name":     strings.Replace(aliceReads, `"id":"alice"`, `"\u0069d":"alice"`, 1),
		"surrogate pair":   strings.Replace(aliceReads, "alice", `\ud83d\ude00`, 1),
	} {
		_, err := DecodeEvaluation([]byte(body))
		assert.NoError(t, err, name)
	}
}

// The server reuses the buffers of bodies.
func TestDecodedValuesDoNotReferToBody(t *testing.T) {
	body := []byte(`{"context":{"key":"value","n":12,"a":["x"]},` + aliceReads[1:])
	e, err := DecodeEvaluation(body)
	require.NoError(t, err)
	for i := range body {
		body[i] = '#'
	}
	assert.Equal(t, map[string]any{"key": "value", "n": json.Number("12"), "a": []any{"x"}}, e.Context)
	assert.Equal(t, "alice", e.Subject.ID)
}

func TestParseObject(t *testing.T) {
	m, err := ParseObject([]byte(`{"input":{"a":[1]},"x":null}`))
	require.NoError(t, err)
	assert.Equal(t, map[string]any{"input": map[string]any{"a": []any{json.Number("1")}}, "x": nil}, m)
	_, err = ParseObject([]byte(`{"input":{"a":1,"a":2}}`))
	assert.ErrorContains(t, err, "A member appears twice at /input/a")
}

func BenchmarkDecodeEvaluation(b *testing.B) {
	body := []byte(`{"subject":{"type":"user","id":"alice"},"action":{"name":"user.view"},"resource":{"type":"user","id":"jane","properties":{"location":"ghi"}},"context":{"current_location":"metro"}}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeEvaluation(body); err != nil {
			b.Fatal(err)
		}
	}
}

// The limit holds for all values of a request together. Skipped values do not count.
func TestNumberOfValuesIsLimited(t *testing.T) {
	many := "[" + strings.Repeat("0,", MaxValues) + "0]"
	const want = "The body has too many values: send at most 100000 in a request."
	_, err := DecodeEvaluation([]byte(`{"context":{"x":` + many + `},` + aliceReads[1:]))
	require.EqualError(t, err, want)
	_, err = DecodeEvaluations([]byte(`{"evaluations":[` + aliceReads + `],"context":{"x":` + many + `}}`))
	require.EqualError(t, err, want)
	_, err = ParseValue([]byte(many))
	require.EqualError(t, err, want)
	_, err = ParseObject([]byte(`{"x":` + many + `}`))
	require.EqualError(t, err, want)
	_, err = DecodeEvaluation([]byte(`{"other":` + many + `,` + aliceReads[1:]))
	require.NoError(t, err)
	_, err = ParseValue([]byte(many[:MaxValues] + "]"))
	require.NoError(t, err, "half as many are not too many")
}
