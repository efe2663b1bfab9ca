package authzen

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"testing"
)

// FuzzDecode checks every decoder: it does not panic, its errors are sentences, what it accepts is valid for encoding/json
// and has no duplicate names, and an accepted message is unchanged by a round trip.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		``, `{}`, `null`, aliceReads, `{"context":{"a":[1,2.5e3,null,true,{"b":"\ud83d\ude00"}]},` + aliceReads[1:],
		`{"evaluations":[{},{"subject":{"type":"user","id":"bob"}},7],"options":{"evaluations_semantic":"deny_on_first_deny"},` + aliceReads[1:],
		`{` + subjectAlice + `,` + actionRead + `,` + resourceDoc + `,"page":{"token":"t","limit":10,"properties":{"sort":"name"}}}`,
		`{"decision":true,"context":{"reasons":["x"]}}`, `{"evaluations":[{"decision":false}]}`,
		`{"a":1,"a":2}`, `{"a":"\ud800"}`, "{\"a\":\"\xff\"}", `{"a":1e999}`, nested(65), `{"\u0061":1,"a":1}`, `{"page":{"limit":-1}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		roundTrip(t, body, DecodeEvaluation)
		roundTrip(t, body, DecodeSubjectSearch)
		roundTrip(t, body, DecodeResourceSearch)
		roundTrip(t, body, DecodeActionSearch)
		roundTrip(t, body, ParseObject)
		roundTrip(t, body, ParseValue)
		checkEvaluationOf(t, body)
		roundTrip(t, body, func(b []byte) (Batch, error) {
			batch, err := DecodeEvaluations(b)
			for _, item := range batch.Items {
				if item.Err != nil {
					checkSentence(t, item.Err)
					return batch, item.Err // such a batch cannot be marshaled
				}
			}
			return batch, err
		})
		if r, err := DecodeResponse(body); err != nil && r.Decision {
			t.Fatal("an error together with an allow")
		}
		if r, err := DecodeResponses(body); err != nil && r != nil {
			t.Fatal("an error together with responses")
		}
	})
}

// checkEvaluationOf checks that EvaluationOf and DecodeEvaluation agree on body.
func checkEvaluationOf(t *testing.T, body []byte) {
	t.Helper()
	value, err := ParseValue(body)
	if err != nil {
		return
	}
	direct, directErr := DecodeEvaluation(body)
	parsed, err := EvaluationOf(value)
	if (err == nil) != (directErr == nil) || !reflect.DeepEqual(direct, parsed) {
		t.Fatalf("%s: %#v, %v became %#v, %v", body, direct, directErr, parsed, err)
	}
}

// roundTrip decodes, encodes and decodes again.
func roundTrip[T any](t *testing.T, body []byte, decode func([]byte) (T, error)) {
	t.Helper()
	sent := bytes.Clone(body)
	first, err := decode(body)
	if !bytes.Equal(sent, body) {
		t.Fatal("the body was changed")
	}
	if err != nil {
		checkSentence(t, err)
		return
	}
	checkWithEncodingJSON(t, body)
	out, err := json.Marshal(first)
	if err != nil {
		t.Fatalf("cannot be marshaled: %v", err)
	}
	second, err := decode(out)
	if err != nil {
		t.Fatalf("%s: its encoding %s is rejected: %v", body, out, err)
	}
	if !reflect.DeepEqual(first, second) {
		t.Fatalf("%s: %#v became %#v", body, first, second)
	}
	appended, err := AppendValue(nil, map[string]any{"v": first})
	if err != nil || !json.Valid(appended) {
		t.Fatalf("%s: %v", appended, err)
	}
}

func checkSentence(t *testing.T, err error) {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("not an *Error: %v", err)
	}
	if e.Message == "" || e.Message[len(e.Message)-1] != '.' || len(e.Message) > 400 {
		t.Fatalf("not a sentence: %q", e.Message)
	}
}

// checkWithEncodingJSON reads the body with encoding/json, token by token.
func checkWithEncodingJSON(t *testing.T, body []byte) {
	t.Helper()
	if !json.Valid(body) {
		t.Fatalf("%q was accepted but is not valid JSON", body)
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	readTokens(t, dec)
	if _, err := dec.Token(); err != io.EOF {
		t.Fatalf("%q was accepted despite trailing data", body)
	}
}

func readTokens(t *testing.T, dec *json.Decoder) {
	t.Helper()
	tok, err := dec.Token()
	if err != nil {
		t.Fatal(err)
	}
	switch tok {
	case json.Delim('{'):
		seen := make(map[string]bool)
		for dec.More() {
			name, err := dec.Token()
			if err != nil {
				t.Fatal(err)
			}
			if seen[name.(string)] {
				t.Fatalf("%q is there twice", name)
			}
			seen[name.(string)] = true
			readTokens(t, dec)
		}
	case json.Delim('['):
		for dec.More() {
			readTokens(t, dec)
		}
	default:
		return
	}
	if _, err := dec.Token(); err != nil {
		t.Fatal(err)
	}
}
