package proof_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
	"github.com/wardkeeper/wardkeeper/pdp/proof"
	"github.com/wardkeeper/wardkeeper/policies"
)

// saying is a policy that decides by the name of the action, and uses everything that an answer can have.
const saying = `package app

default decision := {"allow": false, "reasons": ["no such action", {"code": 7}]}

decision := {"allow": true} if input.action.name == "read"

decision := {
	"allow": true,
	"obligations": [{"id": "o1", "type": "custom", "properties": {"n": 1}}],
	"advice": ["call back"],
	"context": {"until": 12, "deep": {"b": 1, "a": [2]}},
} if input.action.name == "write"
`

func policy(t *testing.T, files fs.FS, decision string) *pdp.Policy {
	t.Helper()
	r, err := bundles.Open(t.Context(), bundles.Config{Files: files, Source: "test", Entrypoint: decision})
	require.NoError(t, err)
	p, err := pdp.Prepare(t.Context(), r)
	require.NoError(t, err)
	return p
}

func general(t *testing.T) *pdp.Policy {
	return policy(t, fstest.MapFS{"app.rego": {Data: []byte(saying)}}, "app/decision")
}

func members(data []byte, v pdp.Vocabulary) (facts.View, error) { return directory.Parse(data, v) }

// question returns a golden decision on an action; rest is the rest of it as JSON.
func question(name, action, rest string) string {
	return fmt.Sprintf(`{"name": %q, "question": {"subject": {"type": "user", "id": "a"}, "action": {"name": %q},
		"resource": {"type": "doc", "id": "1"}}, %s}`, name, action, rest)
}

func golden(t *testing.T, decisions ...string) *proof.Golden {
	t.Helper()
	g, err := proof.DecodeGolden([]byte(`{"decisions": [` + strings.Join(decisions, ",") + `]}`))
	require.NoError(t, err)
	return g
}

const (
	denied  = `"decision": false, "reasons": ["no such action", {"code": 7}]`
	written = `"decision": true, "obligations": [{"type": "custom", "id": "o1", "properties": {"n": 1}}], "advice": ["call back"],
		"context": {"deep": {"a": [2], "b": 1}, "until": 12}`
)

func TestGoldenDecisionsHold(t *testing.T) {
	g := golden(t, question("read", "read", `"decision": true`), question("else", "else", denied), question("write", "write", written))
	require.NoError(t, g.Check(t.Context(), general(t), members))
	require.NoError(t, golden(t).Check(t.Context(), general(t), nil), "none at all")
}

// The error says what was expected and what was decided.
func TestFailedGoldenDecisionIsNamed(t *testing.T) {
	const whole = `"question": {"subject": {"type": "user", "id": "a"}, "action": {"name": "read"}, "resource": {"type": "doc", "id": "1"}}`
	for name, c := range map[string]struct {
		decision string
		says     []string
	}{
		"allowed instead of denied":    {question("d", "read", `"decision": false`), []string{`expected {"decision":false}`, `got {"decision":true}`}},
		"denied instead of allowed":    {question("d", "else", `"decision": true`), []string{`expected {"decision":true}`, "no such action"}},
		"unexpected reasons":           {question("d", "else", `"decision": false`), []string{"no such action"}},
		"one reason of two":            {question("d", "else", `"decision": false, "reasons": ["no such action"]`), []string{"code"}},
		"reasons in another order":     {question("d", "else", `"decision": false, "reasons": [{"code": 7}, "no such action"]`), []string{"code"}},
		"another number in a reason":   {question("d", "else", `"decision": false, "reasons": ["no such action", {"code": 8}]`), []string{`"code":8`, `"code":7`}},
		"missing reasons":              {question("d", "read", `"decision": true, "reasons": ["x"]`), []string{`"reasons":["x"]`}},
		"another obligation":           {question("d", "write", strings.Replace(written, "o1", "o2", 1)), []string{"o2", "o1"}},
		"no obligation":                {question("d", "write", strings.Replace(written, `"obligations"`, `"reasons"`, 1)), []string{"o1"}},
		"another property of one":      {question("d", "write", strings.Replace(written, `"n": 1`, `"n": 2`, 1)), []string{`"n":2`}},
		"other advice":                 {question("d", "write", strings.Replace(written, "call back", "wait", 1)), []string{"wait", "call back"}},
		"another context":              {question("d", "write", strings.Replace(written, "12", "13", 1)), []string{"13", "12"}},
		"part of a context":            {question("d", "write", strings.Replace(written, `, "until": 12`, "", 1)), []string{"until"}},
		"missing context":              {question("d", "read", `"decision": true, "context": {"x": 1}`), []string{`"x":1`}},
		"no decision":                  {question("d", "read", `"reasons": []`), []string{"decision is missing"}},
		"null for the decision":        {question("d", "read", `"decision": null`), []string{"decision is missing"}},
		"no question":                  {`{"name": "d", "decision": true}`, nil},
		"an empty question":            {`{"name": "d", "decision": true, "question": {}}`, nil},
		"a question with a part twice": {strings.Replace(question("d", "read", `"decision": true`), `"subject"`, `"subject": {"type": "user", "id": "b"}, "subject"`, 1), nil},
		"an unknown directory":         {`{"name": "d", "decision": true, "directory": "metro", ` + whole + `}`, []string{`no directory "metro"`}},
	} {
		err := golden(t, c.decision).Check(t.Context(), general(t), members)
		for _, says := range append(c.says, "d: ") {
			require.ErrorContains(t, err, says, name)
		}
	}
}

func TestOnlyTheFirstFailuresAreReportedInFull(t *testing.T) {
	var all []string
	for i := range 12 {
		all = append(all, question(fmt.Sprintf("number %d", i), "read", fmt.Sprintf(`"decision": %t`, i%4 == 0)))
	}
	err := golden(t, all...).Check(t.Context(), general(t), members)
	require.ErrorContains(t, err, "number 1: ")
	require.ErrorContains(t, err, "number 6: ")
	require.NotContains(t, err.Error(), "number 7: ")
	require.NotContains(t, err.Error(), "number 4: ", "which holds")
	require.ErrorContains(t, err, "and 4 more of 12 golden decisions")

	stopped, stop := context.WithCancel(t.Context())
	stop()
	require.ErrorIs(t, golden(t, all...).Check(stopped, general(t), members), context.Canceled)
}

// small is a directory with an administrator of a region and a user in it.
const small = `{"locations": [{"id": "metro", "name": "Metro", "kind": "region", "model": "regional"},
	{"id": "north", "name": "North", "kind": "division", "parent": "metro"}],
	"users": [{"id": "alice", "username": "alice@example.org", "name": {"given": "Alice", "family": "Morgan"},
	"default_location": "metro", "assignments": [{"location": "metro", "role": "regional_admin"}]}]}`

// Each decision is made over its own directory, validated against the policy's tables.
func TestGoldenDecisionsOverADirectory(t *testing.T) {
	builtIn := policy(t, policies.Files(), "authz/decision")
	over := func(directories map[string]string, dir string, decision bool) error {
		raw := map[string]json.RawMessage{}
		for name, text := range directories {
			raw[name] = json.RawMessage(text)
		}
		g := proof.Golden{Directories: raw, Decisions: []proof.GoldenDecision{{
			Name: "d", Directory: dir, Decision: &decision,
			Question: json.RawMessage(`{"subject": {"type": "user", "id": "nobody"}, "action": {"name": "nothing"}, "resource": {"type": "user", "id": "alice"}}`),
		}}}
		return g.Check(t.Context(), builtIn, func(data []byte, v pdp.Vocabulary) (facts.View, error) {
			if strings.Contains(string(data), "fails") {
				return nil, errors.New("it fails")
			}
			require.NotEmpty(t, v.Roles)
			return directory.Parse(data, v)
		})
	}
	require.ErrorContains(t, over(map[string]string{"metro": small}, "metro", true), `expected {"decision":true}, got {`)
	require.ErrorContains(t, over(map[string]string{"metro": small}, "else", false), `there is no directory "else"`)
	require.ErrorContains(t, over(map[string]string{"metro": `"fails"`}, "metro", false), "the directory metro of the golden decisions: it fails")
	require.ErrorContains(t, over(map[string]string{"a": small, "b": `{"locations": [{"id": "x", "kind": "galaxy"}]}`}, "a", false), "the directory b of the golden decisions")
	require.ErrorContains(t, over(map[string]string{"metro": `{`}, "metro", false), "the directory metro")

	g := golden(t)
	g.Directories = map[string]json.RawMessage{"metro": json.RawMessage(small)}
	require.ErrorContains(t, g.Check(t.Context(), general(t), members), "over the directory metro, but the policy has no vocabulary")
}

// A misspelt member would prove nothing.
func TestGoldenDecisionsAreReadStrictly(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":                         ``,
		"not an object":                   `[]`,
		"an unknown member":               `{"decisions": [], "golden": 1}`,
		"an unknown member of a decision": `{"decisions": [{"name": "d", "decison": true}]}`,
		"a decision of text":              `{"decisions": [{"name": "d", "decision": "true"}]}`,
		"reasons that are not a list":     `{"decisions": [{"name": "d", "decision": true, "reasons": "x"}]}`,
		"data after it":                   `{"decisions": []} {"decisions": []}`,
		"no decisions":                    `{}`,
		"null for decisions":              `{"decisions": null}`,
		"null":                            `null`,
		"too many":                        `{"decisions": [` + strings.Repeat(`{},`, 20_000) + `{}]}`,
		"an object instead of a list":     `{"decisions": {}}`,
	} {
		_, err := proof.DecodeGolden([]byte(text))
		require.ErrorContains(t, err, "golden decisions", name)
	}
}
