package explore_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/proof/diagram"
	"github.com/wardkeeper/wardkeeper/pdp/proof/explore"
	"github.com/wardkeeper/wardkeeper/pdp/proof/world"
	"github.com/wardkeeper/wardkeeper/policies"
)

var (
	cases  = flag.Int("cases", 150, "how many random questions are asked of each world")
	every  = flag.Bool("every", false, "explore every world instead of some")
	report = flag.Bool("report", false, "print how large each world is")
)

// open returns the built-in policy, with files replaced.
func open(t *testing.T, prepare func(context.Context, *bundles.Revision) (*pdp.Policy, error), replaced map[string]string) *pdp.Policy {
	t.Helper()
	files := fstest.MapFS{}
	require.NoError(t, fs.WalkDir(policies.Files(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(policies.Files(), path)
		files[path] = &fstest.MapFile{Data: data}
		return err
	}))
	for path, text := range replaced {
		files[path] = &fstest.MapFile{Data: []byte(text)}
	}
	schema, err := fs.ReadFile(policies.Files(), "schemas/input.json")
	require.NoError(t, err)
	r, err := bundles.Open(t.Context(), bundles.Config{Files: files, Entrypoint: "authz/decision", Schema: schema})
	require.NoError(t, err)
	p, err := prepare(t.Context(), r)
	require.NoError(t, err)
	return p
}

type fixed struct{ view facts.View }

func (f fixed) View(context.Context, facts.Requirement) (facts.View, error) { return f.view, nil }

// asked returns what an engine answers to a case, as JSON.
func asked(t *testing.T, p *pdp.Policy, c *world.Case) string {
	t.Helper()
	view, err := c.View()
	require.NoError(t, err)
	e := pdp.New(pdp.Config{Policy: p, Source: fixed{view}, Timeout: time.Minute, Logger: slog.New(slog.DiscardHandler)})
	d, err := e.Decide(t.Context(), c.Question)
	require.NoError(t, err)
	answer := map[string]any{"allow": d.Allow}
	for name, list := range map[string][]any{"reasons": d.Reasons, "advice": d.Advice} {
		if len(list) > 0 {
			answer[name] = list
		}
	}
	if len(d.Obligations) > 0 {
		answer["obligations"] = d.Obligations
	}
	return canonical(t, answer)
}

func canonical(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	var plain any
	require.NoError(t, json.Unmarshal(data, &plain))
	data, err = json.Marshal(plain)
	require.NoError(t, err)
	return string(data)
}

func answered(t *testing.T, answer *ast.Term) string {
	t.Helper()
	require.NotNil(t, answer)
	v, err := ast.JSON(answer.Value)
	require.NoError(t, err)
	return canonical(t, v)
}

// known returns what a part knows of an answer: of a coarse one, whether it has reasons.
func known(t *testing.T, part *explore.Part, answer string) string {
	t.Helper()
	if !part.Sides[0].Coarse {
		return answer
	}
	var all map[string]any
	require.NoError(t, json.Unmarshal([]byte(answer), &all))
	if all["reasons"] != nil {
		all["reasons"] = []any{nil}
	}
	return canonical(t, all)
}

// reasonsOf returns the reasons of an answer.
func reasonsOf(t *testing.T, answer string) []any {
	t.Helper()
	var all struct{ Reasons []any }
	require.NoError(t, json.Unmarshal([]byte(answer), &all))
	return all.Reasons
}

// reasonsAt returns the reasons that a part of coarse answers has of a case.
func reasonsAt(t *testing.T, part *explore.Part, reasons []explore.Class, values []int) (given []any) {
	t.Helper()
	for _, class := range reasons {
		if part.At(class.Condition, values) == diagram.False {
			continue
		}
		both := reasonsOf(t, answered(t, class.Answer))
		require.Len(t, both, 2)
		require.Nil(t, both[1], "the others")
		given = append(given, both[0])
	}
	return given
}

// questions returns those that are explored by default: every kind of fact is in one of them.
func questions(d *explore.Decision) []world.Question {
	if *every {
		return explore.Questions(d)
	}
	if fewerCases() {
		return []world.Question{{Tree: "vendor", Action: "entity.dissociate"}, {Tree: "practice_group", Action: "area.access"}}
	}
	var some []world.Question
	for tree, actions := range map[string][]string{
		"regional":                  {"assignment.add", "patient.view", "user.view_locations", "location.switch", ""},
		"health_system":             {"assignment.remove", "entity.associate", "user.edit"},
		"health_system, standalone": {"user.invite", "admin.revoke"},
		"practice_group":            {"area.access", "invitation.accept", "admin.grant", "user.invite"},
		"vendor":                    {"entity.create", "entity.associate", "entity.dissociate"},
	} {
		for _, action := range actions {
			some = append(some, world.Question{Tree: tree, Action: action})
		}
	}
	return some
}

// TestEachCaseHasTheAnswerOfItsClass asks OPA's interpreter about the smallest case of every class, and about random cases, each of
// which is in exactly one class.
func TestEachCaseHasTheAnswerOfItsClass(t *testing.T) {
	t.Parallel()
	compiled, interpreted := open(t, pdp.Prepare, nil), open(t, pdp.PrepareInterpreted, nil)
	d, err := explore.Open(t.Context(), compiled)
	require.NoError(t, err)
	for _, q := range questions(d) {
		t.Run(q.Tree+" "+q.Action, func(t *testing.T) {
			t.Parallel()
			left, err := explore.Explore(t.Context(), []*explore.Decision{d}, q, explore.MaxNodes, func(part *explore.Part) error {
				checkPart(t, part, compiled, interpreted)
				return nil
			})
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
}

func checkPart(t *testing.T, part *explore.Part, compiled, interpreted *pdp.Policy) {
	require.Empty(t, part.Sides[0].Failures)
	require.Empty(t, part.Sides[0].Undecided)
	require.Empty(t, part.Opaque())
	classes, err := part.Classes(&part.Sides[0])
	require.NoError(t, err)
	if *report {
		fmt.Println(part.Question, "classes", len(classes), "nodes", part.Len(), "cases", part.Count(part.Valid))
	}
	require.NotEmpty(t, classes)
	answers := map[string]bool{}
	for _, class := range classes {
		values := part.Smallest(class.Condition, part.Cost)
		require.Equal(t, answered(t, class.Answer), known(t, part, asked(t, interpreted, part.Case(values))), "%v", part.Case(values))
		answers[class.Answer.String()] = true
	}
	require.Len(t, answers, len(classes))
	reasons, err := part.Reasons(&part.Sides[0])
	require.NoError(t, err)
	require.Equal(t, part.Sides[0].Coarse, len(reasons) > 0)
	for _, class := range reasons {
		reason := reasonsOf(t, answered(t, class.Answer))[0]
		with := asked(t, interpreted, part.Case(part.Smallest(class.Condition, part.Cost)))
		require.Contains(t, reasonsOf(t, with), reason)
		for _, denied := range classes {
			if known(t, part, answered(t, class.Answer)) != answered(t, denied.Answer) {
				continue
			}
			if without := part.Except(denied.Condition, class.Condition); without != diagram.False {
				require.NotContains(t, reasonsOf(t, asked(t, interpreted, part.Case(part.Smallest(without, part.Cost)))), reason)
			}
		}
	}
	rng := rand.New(rand.NewPCG(1, uint64(len(classes))))
	asking := *cases
	if fewerCases() {
		asking = 20
	}
	for asking > 0 {
		values := make([]int, len(part.Variables))
		for i, v := range part.Variables {
			if rng.IntN(2) == 0 {
				values[i] = rng.IntN(len(v.Values))
			}
		}
		if part.At(part.Valid, values) == diagram.False {
			continue
		}
		asking--
		in := 0
		for _, class := range classes {
			if part.At(class.Condition, values) == diagram.False {
				continue
			}
			in++
			answer := asked(t, compiled, part.Case(values))
			require.Equal(t, answered(t, class.Answer), known(t, part, answer), "%v", part.Case(values))
			if len(reasons) > 0 {
				require.ElementsMatch(t, reasonsOf(t, answer), reasonsAt(t, part, reasons, values), "%v", part.Case(values))
			}
		}
		require.Equal(t, 1, in)
	}
}

// TestPlantedFaultsAreFound compares the built-in policy with others that decide something else. Every change is one that the engine
// makes, and nothing else changes.
func TestPlantedFaultsAreFound(t *testing.T) {
	t.Parallel()
	was := open(t, pdp.Prepare, nil)
	for name, c := range map[string]struct {
		file, from, to string
		tree, action   string
		others         string // an action that does not change
	}{
		"a cell":                     {"authz/regional/data.yaml", `region_in_division: {place: here, user: any},                 division: "no"}`, `region_in_division: {place: here, user: any}, division: {place: here, user: any}}`, "regional", "assignment.remove", "user.view"},
		"a role that reaches down":   {"authz/practice_group/data.yaml", "reaches_down: false, owns: false, registration: required", "reaches_down: true, owns: false, registration: required", "practice_group", "location.switch", "admin.grant"},
		"a negation that is missing": {"authz/health_system/membership.rego", `met("not_a_user_here", _, place) if not input`, `met("not_a_user_here", _, place) if input`, "health_system, standalone", "user.invite", "user.edit"},
		"a status that is not asked": {"authz/regional/membership.rego", `met("active_account", _, _) if input.facts.user.status == "active"`, `met("active_account", _, _) if input.facts.user.status`, "regional", "user.edit", "user.view"},
		"a level":                    {"authz/practice_group/data.yaml", "limited:  {patient_records: false, calendars: true", "limited:  {patient_records: true, calendars: true", "practice_group", "area.access", "location.switch"},
	} {
		if fewerCases() && name != "a level" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source, err := fs.ReadFile(policies.Files(), c.file)
			require.NoError(t, err)
			require.Contains(t, string(source), c.from)
			is := open(t, pdp.Prepare, map[string]string{c.file: strings.Replace(string(source), c.from, c.to, 1)})
			require.NotZero(t, changes(t, was, is, world.Question{Tree: c.tree, Action: c.action}))
			require.Zero(t, changes(t, was, is, world.Question{Tree: c.tree, Action: c.others}))
		})
	}
}

// changes returns how many classes change. Each smallest case is asked of both policies.
func changes(t *testing.T, was, is *pdp.Policy, q world.Question) (n int) {
	t.Helper()
	var both []*explore.Decision
	for _, p := range []*pdp.Policy{was, is} {
		d, err := explore.Open(t.Context(), p)
		require.NoError(t, err)
		both = append(both, d)
	}
	left, err := explore.Explore(t.Context(), both, q, explore.MaxNodes, func(part *explore.Part) error {
		all, err := part.Changes()
		for _, c := range all {
			example := part.Case(part.Smallest(c.Condition, part.Cost))
			require.Equal(t, answered(t, c.Was), asked(t, was, example))
			require.Equal(t, answered(t, c.Is), asked(t, is, example))
		}
		n += len(all)
		return err
	})
	require.NoError(t, err)
	require.Empty(t, left)
	return n
}
