package pdp_test

import (
	"context"
	"encoding/json"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/policies"
)

// Malformed decisions are logged as faults of the policy.
func TestMalformedDecisionsDeny(t *testing.T) {
	t.Parallel()
	for _, decision := range []string{
		`decision := 1`,
		`decision := 0.5`,
		`decision := "true"`,
		`decision := "allow"`,
		`decision := null`,
		`decision := [true]`,
		`decision := []`,
		`decision := {true}`,
		`decision contains "allow"`,
		`decision := {}`,
		`decision := {"Allow": true}`,
		`decision := {"allowed": true}`,
		`decision := {"result": true}`,
		`decision := {"reasons": []}`,
		`decision := {"allow": "true"}`,
		`decision := {"allow": 1}`,
		`decision := {"allow": null}`,
		`decision := {"allow": [true]}`,
		`decision := {"allow": {"allow": true}}`,
		`decision := {"allow": true, "because": "I say so"}`,
		`decision := {"allow": true, 1: 2}`,
		`decision := {"allow": true, true: true}`,
		`decision := {"allow": true, "reasons": "none"}`,
		`decision := {"allow": true, "reasons": {"code": "x"}}`,
		`decision := {"allow": true, "advice": 1}`,
		`decision := {"allow": true, "context": []}`,
		`decision := {"allow": true, "context": "x"}`,
		`decision := {"allow": true, "obligations": {}}`,
		`decision := {"allow": true, "obligations": null}`,
		`decision := {"allow": true, "obligations": [{}]}`,
		`decision := {"allow": true, "obligations": ["log"]}`,
		`decision := {"allow": true, "obligations": [{"id": "a"}]}`,
		`decision := {"allow": true, "obligations": [{"type": "custom"}]}`,
		`decision := {"allow": true, "obligations": [{"id": "", "type": "custom"}]}`,
		`decision := {"allow": true, "obligations": [{"id": 1, "type": "custom"}]}`,
		`decision := {"allow": true, "obligations": [{"id": "a", "type": ["custom"]}]}`,
		`decision := {"allow": true, "obligations": [{"id": "a", "type": "custom", "properties": "p"}]}`,
		`decision := {"allow": true, "obligations": [{"id": "a", "type": "custom"}, 1]}`,
		`decision if false`,
		`decision := true if input.facts.subject`,
	} {
		engine, log := generalLogged(t, decision+"\n\ncandidates := {\"subject\": {\"user\": {\"a\"}}}\n", time.Minute)
		d := decide(t, engine, ask("a", "read", "doc", "1", "", "", nil))
		require.Equal(t, pdp.Decision{Revision: d.Revision, Fault: true}, d, decision)
		require.NotEmpty(t, d.Revision)
		require.Contains(t, log.String(), "policy fault", decision)
		require.Contains(t, log.String(), "level=ERROR", decision)
		found := search(t, engine.SearchSubjects, searchOf(ask("", "read", "doc", "1", "", "", nil), nil))
		require.Empty(t, found.Hits, decision)
	}
}

// No fault is logged.
func TestWellFormedDecisionsAreReturned(t *testing.T) {
	for decision, wanted := range map[string]pdp.Decision{
		`decision := true`:            {Allow: true},
		`decision := false`:           {},
		"default decision := false":   {},
		`decision := {"allow": true}`: {Allow: true},
		`decision := {"allow": false, "reasons": ["closed", {"code": "x", "n": 1}]}`: {Reasons: []any{"closed", map[string]any{"code": "x", "n": json.Number("1")}}},
		`decision := {"allow": true, "advice": {"b", "a"}}`:                          {Allow: true, Advice: []any{"a", "b"}},
		`decision := {"allow": true, "context": {"a": {"b": [null]}}}`:               {Allow: true, Context: map[string]any{"a": map[string]any{"b": []any{nil}}}},
		`decision := {"allow": true, "obligations": [{"id": "a", "type": "custom", "properties": {"p": 1.5}, "more": 1}]}`: {
			Allow: true, Obligations: []pdp.Obligation{{ID: "a", Type: "custom", Properties: map[string]any{"p": json.Number("1.5")}}}},
	} {
		engine, log := generalLogged(t, decision, time.Minute)
		d := decide(t, engine, ask("a", "read", "doc", "1", "", "", nil))
		wanted.Revision = d.Revision
		for _, o := range d.Obligations {
			require.NotEmpty(t, o.ID)
		}
		assert.JSONEq(t, show(wanted), show(d), decision)
		assert.Empty(t, log.String(), decision)
	}
}

func TestFaultsInTablesRefuseThePolicy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ rego, wanted string }{
		"a set":        {`faults contains "REG-1: odd cell" if true`, "REG-1: odd cell"},
		"several":      {`faults := ["first", "second"]`, "second"},
		"a conflict":   {"faults := x if some x in [[], [1]]", "cannot be checked"},
		"no catalogue": {"catalogue := {}", "needs the rules"},
		"odd entries":  {"catalogue := {\"a\": 1}\n\ndefault allow := false\n\ndefault possible := false\n\nscope := \"x\"", "action a is not an object"},
		"odd members":  {"catalogue := {\"a\": {\"resource\": \"doc\", \"using\": true}}\n\ndefault allow := false\n\ndefault possible := false\n\nscope := \"x\"", "action a has the member using"},
	} {
		files := fstest.MapFS{"app.rego": {Data: []byte("package app\n\ndecision := true\n\n" + c.rego + "\n")}}
		policy, err := pdp.Prepare(t.Context(), open(t, files, "app/decision"))
		require.Error(t, err, name)
		require.Nil(t, policy, name)
		require.ErrorContains(t, err, c.wanted, name)
		require.ErrorContains(t, err, "policy test", name)
	}
}

// An action counts as a change, which requires fresher facts, unless the catalogue marks it with true.
func TestReadOnlyActionsComeFromTheTables(t *testing.T) {
	const catalogue = `{
	"says": {"resource": "doc", "read_only": true}, "denies": {"resource": "doc", "read_only": false},
	"silent": {"resource": "doc"}, "text": {"resource": "doc", "read_only": "true"}, "null": {"resource": "doc", "read_only": null},
}`
	policy := prepared(t, open(t, fstest.MapFS{"app.rego": {Data: []byte("package app\n\ndefault decision := false\n\n" +
		"default allow := false\n\ndefault possible := false\n\nscope := \"x\"\n\ncatalogue := " + catalogue + "\n")}}, "app/decision"))
	require.ElementsMatch(t, []string{"says", "denies", "silent", "text", "null"}, policy.Actions())
	require.True(t, policy.ReadOnly("says"))
	for _, action := range []string{"denies", "silent", "text", "null", "unheard of"} {
		require.False(t, policy.ReadOnly(action), action)
	}

	for _, action := range allActions() {
		require.Equal(t, entryOf(action).ReadOnly, builtInPolicy().ReadOnly(action), "%s: read_only in policies/authz/*/data.yaml", action)
	}
}

func TestPolicyIsProbedBeforeItDecides(t *testing.T) {
	t.Parallel()
	for rego, wanted := range map[string]string{
		"decision := false if input.never":                     "the decision is undefined (write a default for app/decision)",
		"decision if input.action.name == \"read\"":            "the decision is undefined",
		`decision := "yes"`:                                    "the decision is a string",
		`decision := {"allow": "yes"}`:                         "allow is not a boolean",
		"decision := x if some x in [true, false]":             "cannot be evaluated",
		"decision if input.action.name == \"nothing\"":         "",
		"default decision := false\n\ndecision if input.never": "",
	} {
		files := fstest.MapFS{"app.rego": {Data: []byte("package app\n\n" + rego + "\n")}}
		_, err := pdp.Prepare(t.Context(), open(t, files, "app/decision"))
		if wanted == "" {
			require.NoError(t, err, rego)
			continue
		}
		require.ErrorContains(t, err, wanted, rego)
	}
	_, err := pdp.Prepare(t.Context(), open(t, overlay(t, map[string]string{
		"authz/more.rego": "package authz\n\nallow if input.action.name == \"nothing\"\n",
	}), "authz/decision"))
	require.ErrorContains(t, err, "is allowed: deny by default")
}

// The policy is missing or stale.
func TestEngineWithoutCurrentPolicyDecidesNothing(t *testing.T) {
	var stale atomic.Bool
	engine := pdp.New(pdp.Config{Stale: stale.Load})
	refuses := func() {
		t.Helper()
		_, err := engine.Decide(t.Context(), ask("a", "read", "doc", "1", "", "", nil))
		require.Equal(t, pdp.Unavailable, pdp.KindOf(err))
		_, err = engine.SearchActions(t.Context(), pdp.SearchRequest{})
		require.Equal(t, pdp.Unavailable, pdp.KindOf(err))
		require.Error(t, engine.CheckPolicy(t.Context()))
	}
	refuses()
	engine.Activate(prepared(t, open(t, fstest.MapFS{"app.rego": {Data: []byte("package app\n\ndecision := true\n")}}, "app/decision")))
	require.True(t, decide(t, engine, ask("a", "read", "doc", "1", "", "", nil)).Allow)
	require.NoError(t, engine.CheckPolicy(t.Context()))
	stale.Store(true)
	refuses()
}

// The unmodified tables have no faults.
func TestBrokenCellOfBuiltInTablesIsAFault(t *testing.T) {
	t.Parallel()
	require.Equal(t, allActions(), builtInPolicy().Actions(), "actions in policies/authz/*/data.yaml")

	const table = "authz/regional/data.yaml"
	good, err := fs.ReadFile(policies.Files(), table)
	require.NoError(t, err)
	for from, to := range map[string]string{
		`place: covered`: `place: anywhere`, `edit: both`: `edit: true`, `user: covered`: `user: ""`,
		`[facility]`: `[hospital]`, `{region: region,`: `{region: realm,`,
	} {
		bad := strings.Replace(string(good), from, to, 1)
		require.NotEqual(t, string(good), bad, from)
		_, err := pdp.Prepare(t.Context(), open(t, overlay(t, map[string]string{table: bad}), "authz/decision"))
		assert.ErrorContains(t, err, "policy test", "%s in the place of %s", to, from)
	}
}

// A question that could not be read counts as denied.
func TestBatchStopsByItsSemantic(t *testing.T) {
	engine := general(t, `decision := input.resource.id == "open"`)
	item := func(id string) pdp.Item { return pdp.Item{Request: ask("a", "read", "doc", id, "", "", nil)} }
	unreadable := pdp.Item{Err: &pdp.Error{Kind: pdp.Invalid, Message: "unreadable"}}
	items := []pdp.Item{item("open"), unreadable, item("shut"), item("open")}
	for semantic, wanted := range map[authzen.Semantic][]bool{
		authzen.ExecuteAll: {true, false, false, true}, authzen.DenyOnFirstDeny: {true, false}, authzen.PermitOnFirstPermit: {true},
	} {
		outcomes, err := engine.DecideAll(context.Background(), items, semantic)
		require.NoError(t, err)
		var allowed []bool
		for i, outcome := range outcomes {
			allowed = append(allowed, outcome.Decision.Allow)
			require.Equal(t, items[i].Err, outcome.Err)
		}
		require.Equal(t, wanted, allowed, semantic)
	}
}

func TestSameFilesGiveTheSameRevision(t *testing.T) {
	t.Parallel()
	var revision *bundles.Revision
	for range 2 {
		revision = open(t, fstest.MapFS{"app.rego": {Data: []byte("package app\n\ndecision := true\n")}}, "/app/decision/")
		engine := pdp.New(pdp.Config{Timeout: time.Minute, Policy: prepared(t, revision)})
		require.Equal(t, revision.ID, decide(t, engine, ask("a", "read", "doc", "1", "", "", nil)).Revision)
	}
}
