package authzen

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDecodeEvaluations(t *testing.T) {
	// The defaults come last on purpose: the order of members does not matter.
	b, err := DecodeEvaluations([]byte(`{
		"evaluations": [
			{},
			{"resource": {"type": "doc", "id": "2"}, "context": {"b": 2}},
			{"subject": {"type": "user", "id": "bob"}, "action": {"name": "write"}, "subject_": 1},
			{"subject": null, "resource": null, "context": null},
			{"subject": {"type": "user"}},
			7, null, [], "x"],
		"options": {"evaluations_semantic": "deny_on_first_deny", "other": {"x": 1}},
		"subject": {"type": "user", "id": "alice", "properties": {"p": 1}},
		"action": {"name": "read"}, "resource": {"type": "doc", "id": "1"}, "context": {"a": 1}}`))
	require.NoError(t, err)
	alice := Entity{Type: "user", ID: "alice", Properties: map[string]any{"p": json.Number("1")}}
	one, a := Entity{Type: "doc", ID: "1"}, map[string]any{"a": json.Number("1")}
	first := Evaluation{Subject: alice, Action: Action{Name: "read"}, Resource: one, Context: a}
	assert.Equal(t, DenyOnFirstDeny, b.Semantic)
	assert.False(t, b.Single)
	require.Len(t, b.Items, 9)
	assert.Equal(t, first, b.Items[0].Evaluation)
	assert.Equal(t, Evaluation{Subject: alice, Action: Action{Name: "read"}, Resource: Entity{Type: "doc", ID: "2"},
		Context: map[string]any{"b": json.Number("2")}}, b.Items[1].Evaluation, "a member replaces the whole default")
	assert.Equal(t, Evaluation{Subject: Entity{Type: "user", ID: "bob"}, Action: Action{Name: "write"}, Resource: one, Context: a},
		b.Items[2].Evaluation, "the default's properties are not merged in")
	assert.Equal(t, first, b.Items[3].Evaluation, "null counts as absent")
	assert.EqualError(t, b.Items[4].Err, `The member "id" is missing at /evaluations/4/subject: send a non-empty string.`)
	for i := 5; i < 9; i++ {
		assert.EqualError(t, b.Items[i].Err, fmt.Sprintf("The evaluation is not an object at /evaluations/%d: send an object.", i))
		assert.Zero(t, b.Items[i].Evaluation)
	}
}

func TestIncompleteDefaultsFailOnlyItemsThatNeedThem(t *testing.T) {
	for name, defaults := range map[string]string{
		"absent":     ``,
		"incomplete": `"subject":{"type":"user"},"action":{},"resource":{"id":"x"},`,
		"malformed":  `"subject":7,"action":{"name":""},"resource":{"type":[],"id":{}},`,
	} {
		b, err := DecodeEvaluations([]byte(`{` + defaults + `"evaluations":[` + aliceReads + `]}`))
		require.NoError(t, err, name)
		assert.NoError(t, b.Items[0].Err, name)
		assert.Equal(t, "alice", b.Items[0].Evaluation.Subject.ID)
	}
	// An item's own part replaces the default even if it is malformed.
	b, err := DecodeEvaluations([]byte(`{"context":{"a":1},"evaluations":[{"context":7},{"subject":7},{}],` + aliceReads[1:]))
	require.NoError(t, err)
	assert.ErrorContains(t, b.Items[0].Err, `The member "context" is not an object at /evaluations/0`)
	assert.ErrorContains(t, b.Items[1].Err, `The member "subject" is not an object at /evaluations/1`)
	assert.NoError(t, b.Items[2].Err)
	// An item that needs a malformed default fails, with the location of the default.
	b, err = DecodeEvaluations([]byte(`{"subject":{"type":"user"},"context":7,"evaluations":[
		{"action":{"name":"a"},"resource":{"type":"t","id":"i"},"context":{}},
		{"subject":{"type":"user","id":"x"},"action":{"name":"a"},"resource":{"type":"t","id":"i"}},
		{"subject":{"type":"user","id":"x"},"resource":{"type":"t","id":"i"}},
		{"subject":{"type":"user","id":"x"},"action":{"name":"a"},"resource":{"type":"t","id":"i"},"context":{}}]}`))
	require.NoError(t, err)
	assert.EqualError(t, b.Items[0].Err, `The member "id" is missing at /subject: send a non-empty string.`)
	assert.EqualError(t, b.Items[1].Err, `The member "context" is not an object at the top level: send an object, or leave it out.`)
	assert.EqualError(t, b.Items[2].Err, `The member "action" is missing at /evaluations/2: send an object.`)
	assert.NoError(t, b.Items[3].Err)
}

func TestBatchWithoutEvaluationsIsSingle(t *testing.T) {
	for _, none := range []string{``, `"evaluations":[],`, `"evaluations":null,`} {
		b, err := DecodeEvaluations([]byte(`{` + none + aliceReads[1:]))
		require.NoError(t, err, none)
		assert.True(t, b.Single)
		assert.Equal(t, ExecuteAll, b.Semantic)
		require.Len(t, b.Items, 1)
		assert.Equal(t, "alice", b.Items[0].Evaluation.Subject.ID)
		_, err = DecodeEvaluations([]byte(`{` + none + `"subject":{"type":"user","id":"alice"}}`))
		assert.EqualError(t, err, `The member "action" is missing at the top level: send an object.`, "the error is about the request")
	}
}

func TestMalformedBatchIsRejected(t *testing.T) {
	items := func(n int) string { return `[` + strings.TrimSuffix(strings.Repeat(`{},`, n), ",") + `]` }
	for body, want := range map[string]string{
		`"evaluations":{}`:                                          `The member "evaluations" is not an array at the top level: send an array of objects.`,
		`"evaluations":"x"`:                                         `The member "evaluations" is not an array`,
		`"evaluations":` + items(1001):                              `The member "evaluations" has too many items at the top level: send at most 1000 in a request.`,
		`"evaluations":[{},]`:                                       `not valid JSON`,
		`"evaluations":[{}`:                                         `is not valid JSON`,
		`"evaluations":[{"x":{"a":1,"a":1}}]`:                       `A member appears twice at /evaluations/0/x/a`,
		`"evaluations":[{"subject":{"id":"","id":"x"}}]`:            `A member appears twice at /evaluations/0/subject/id`,
		`"evaluations":[` + nested(MaxDepth-1) + `]`:                `The JSON is nested too deeply at /evaluations/0/a`,
		`"evaluations":[{"context":{"n":1e400}}]`:                   `A number is out of range at /evaluations/0/context/n`,
		`"options":[]`:                                              `The member "options" is not an object at the top level`,
		`"options":{"evaluations_semantic":"all"}`:                  `The member "evaluations_semantic" has an unknown value at /options: send "execute_all"`,
		`"options":{"evaluations_semantic":""}`:                     `has an unknown value`,
		`"options":{"evaluations_semantic":1}`:                      `has an unknown value`,
		`"options":{"evaluations_semantic":"x"},"evaluations":[{}]`: `has an unknown value`,
	} {
		_, err := DecodeEvaluations([]byte(`{` + body + `,` + aliceReads[1:]))
		var e *Error
		if assert.ErrorAs(t, err, &e, body[:min(len(body), 60)]) {
			assert.Contains(t, e.Message, want)
			assertSentence(t, e.Message)
		}
	}
	b, err := DecodeEvaluations([]byte(`{"evaluations":` + items(1000) + `,"options":{"evaluations_semantic":null},` + aliceReads[1:]))
	require.NoError(t, err)
	assert.Len(t, b.Items, 1000)
	_, err = DecodeEvaluations([]byte(`{"options":null,` + aliceReads[1:]))
	assert.NoError(t, err)
}

func TestBatchMarshalJSON(t *testing.T) {
	e, err := DecodeEvaluation([]byte(aliceReads))
	require.NoError(t, err)
	out, err := json.Marshal(Batch{Semantic: PermitOnFirstPermit, Items: []Item{{Evaluation: e}}})
	require.NoError(t, err)
	assert.Equal(t, `{"options":{"evaluations_semantic":"permit_on_first_permit"},"evaluations":[`+aliceReads+`]}`, string(out))
	out, err = json.Marshal(Batch{Single: true, Items: []Item{{Evaluation: e}}})
	require.NoError(t, err)
	assert.Equal(t, aliceReads, string(out))
	_, err = json.Marshal(Batch{Single: true})
	assert.Error(t, err)
	_, err = json.Marshal(Batch{Items: []Item{{Err: &Error{Message: "no"}}}})
	assert.Error(t, err)
}
