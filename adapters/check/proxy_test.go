package check_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/adapters/check"
	"github.com/wardkeeper/wardkeeper/adapters/pep"
)

func TestSetHeaderOverwritesEveryField(t *testing.T) {
	h := http.Header{"X-Wardkeeper-Subject": {"admin", "root"}, "X-Wardkeeper-Obligations": {"[1]"}}
	check.Result{Pass: true, Trace: pep.Trace{RequestID: "r1"}}.SetHeader(h)
	assert.Equal(t, http.Header{"X-Wardkeeper-Subject": {""}, "X-Wardkeeper-Obligations": {"[]"}, "X-Request-Id": {"r1"}}, h)
	obligation := pep.Obligation{ID: "N", Type: "notification", Properties: map[string]any{}}
	check.Result{Pass: true, Subject: "jane doe\r\n", Outcome: pep.Outcome{Obligations: []pep.Obligation{obligation}}}.SetHeader(h)
	assert.Equal(t, "jane%20doe%0D%0A", h.Get(check.SubjectHeader))
	assert.Equal(t, `[{"id":"N","type":"notification","properties":{}}]`, h.Get(check.ObligationsHeader))
}

func TestTokensOfProxies(t *testing.T) {
	valid := []string{"first", "second"}
	assert.True(t, check.AcceptsToken(valid, check.Bearer([]string{"Bearer second"})))
	assert.True(t, check.AcceptsToken(valid, check.Bearer([]string{"bearer first"})))
	for _, sent := range [][]string{nil, {""}, {"Bearer"}, {"Bearer third"}, {"Bearer firs"}, {"Basic first"}, {"first"}, {"Bearer first", "Bearer first"}} {
		assert.False(t, check.AcceptsToken(valid, check.Bearer(sent)), sent)
	}
	assert.False(t, check.AcceptsToken(nil, []string{""}))
}

func TestObligationsAreTheSameInASCII(t *testing.T) {
	want := []pep.Obligation{{ID: "N", Type: "notification", Properties: map[string]any{"body": "Łódź\u007f 😀\n\"x\""}}}
	h := http.Header{}
	check.Result{Pass: true, Outcome: pep.Outcome{Obligations: want}}.SetHeader(h)
	value := h.Get(check.ObligationsHeader)
	for _, c := range []byte(value) {
		assert.True(t, c >= ' ' && c < 0x7f, "%q", value)
	}
	var got []pep.Obligation
	require.NoError(t, json.Unmarshal([]byte(value), &got))
	assert.Equal(t, want, got)
}
