package decisionrecord_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/decisionrecord"
)

func TestPoliciesMaskRecords(t *testing.T) {
	t.Parallel()
	always := []string{"id", "outcome", "revision", "time"}
	for name, c := range map[string]struct {
		rules   string
		check   func(t *testing.T, record map[string]any)
		minimal bool
	}{
		"erase": {rules: `mask contains "/question/resource/id" if input.question.action.name == "user.edit"
mask contains "/facts/user"
mask contains "/answer/obligations/0/properties"
mask contains "/not/there"`, check: func(t *testing.T, record map[string]any) {
			require.NotContains(t, record["question"].(map[string]any)["resource"], "id")
			require.NotContains(t, record["facts"], "user")
			require.Contains(t, record["facts"], "subject")
			require.NotContains(t, record["answer"].(map[string]any)["obligations"].([]any)[0], "properties")
			require.ElementsMatch(t, []any{"/question/resource/id", "/facts/user", "/answer/obligations/0/properties"}, record["erased"])
		}},
		"replace": {rules: `mask contains {"op": "upsert", "path": "/question/subject/id", "value": concat("", ["u-", data.app.word])} if input.outcome == "allowed"`,
			check: func(t *testing.T, record map[string]any) {
				require.Regexp(t, "^u-.+", record["question"].(map[string]any)["subject"].(map[string]any)["id"])
				require.Equal(t, []any{"/question/subject/id"}, record["masked"])
			}},
		"nothing to mask":      {rules: `mask contains "/facts" if input.outcome == "denied"`, check: func(t *testing.T, record map[string]any) { require.Contains(t, record, "facts") }},
		"a conflict":           {rules: "mask := {\"/facts\"} if true\nmask := {\"/question\"} if true", minimal: true},
		"no path":              {rules: `mask contains {"op": "remove"}`, minimal: true},
		"an unknown operation": {rules: `mask contains {"op": "move", "path": "/facts"}`, minimal: true},
		"no pointer":           {rules: `mask contains "facts"`, minimal: true},
		"no list":              {rules: `mask := "/facts"`, minimal: true},
		"the outcome":          {rules: `mask contains "/outcome"`, minimal: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s sink
			files := map[string]string{"mask.rego": "package system.log\n\n" + c.rules + "\n"}
			p := policyWith(t, files)
			_, err := engine(t, p, bench(t), decisionrecord.Config{Sink: &s}).Decide(t.Context(), question(t, edit))
			require.NoError(t, err)
			text, entry := s.last(t)
			var record map[string]any
			require.NoError(t, json.Unmarshal([]byte(text), &record))
			for _, member := range always {
				require.NotEmpty(t, record[member], member)
			}
			if c.minimal {
				require.Len(t, record, len(always)+1, text)
				require.Equal(t, true, record["mask_failed"])
			} else {
				c.check(t, record)
			}
			if c.minimal || record["erased"] != nil || record["masked"] != nil {
				_, _, err := entry.Replay(t.Context(), p)
				require.ErrorIs(t, err, decisionrecord.ErrCannotReplay)
			}
		})
	}
}

// The schema of questions is not that of records, and what a mask reads of a record, the decision does not read of a question.
func TestBuiltInPolicyWithMask(t *testing.T) {
	t.Parallel()
	var s sink
	p := builtInWith(t, map[string]string{"mask.rego": `package system.log

mask contains "/facts" if data.authz.catalogue[input.question.action.name].resource == "user"
mask contains "/question/context/comment" if input.context.comment
`})
	require.Equal(t, pdp.Compiled, p.Evaluator().Name)
	_, err := engine(t, p, bench(t), decisionrecord.Config{Sink: &s}).Decide(t.Context(), question(t, edit))
	require.NoError(t, err)
	text, _ := s.last(t)
	require.Contains(t, text, `"erased":["/facts"]`)
	names, all := p.Revision().InputMembers("context")
	require.False(t, all)
	require.NotContains(t, names, "comment")
}
