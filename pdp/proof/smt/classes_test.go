package smt_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/proof/diagram"
	"github.com/wardkeeper/wardkeeper/pdp/proof/explore"
)

// What an answer says of stages 1 and 2, if it names no reason of theirs.
const (
	passes = "passes"
	denial = "a denial" // of a part that is coarse: nothing more is known
	none   = "no answer"
)

// outcomeOf returns what an answer says of stages 1 and 2: the reason among those that the tables know, or that it passes both. The
// answers of a coarse part say only whether there is a reason.
func outcomeOf(t *testing.T, answer *ast.Term, outcomes []string, coarse bool) string {
	t.Helper()
	if answer == nil {
		return none
	}
	var said struct {
		Allow   *bool                          `json:"allow"`
		Reasons []*struct{ Code, Rule string } `json:"reasons"`
	}
	v, err := ast.JSON(answer.Value)
	require.NoError(t, err)
	data, err := json.Marshal(v)
	require.NoError(t, err)
	if err := json.Unmarshal(data, &said); err != nil || said.Allow == nil || *said.Allow == (len(said.Reasons) > 0) {
		return none
	}
	switch {
	case *said.Allow:
		return passes
	case coarse:
		return denial
	}
	for _, r := range said.Reasons {
		if known := r.Code + " " + r.Rule; slices.Contains(outcomes, known) {
			return known
		}
	}
	return passes
}

// written writes conditions for z3, each node of a diagram once.
type written struct {
	solver *solver
	part   *explore.Part
	nodes  map[diagram.Node]string
}

// condition returns the constant of a condition, after those that it is made of.
func (w *written) condition(n diagram.Node) string {
	switch {
	case n == diagram.True:
		return "true"
	case n == diagram.False:
		return "false"
	}
	if name, ok := w.nodes[n]; ok {
		return name
	}
	v, children := w.part.Branches(n)
	variable := w.part.Variables[v]
	var parts strings.Builder
	for i, child := range children {
		if child == diagram.False || slices.Contains(children[:i], child) {
			continue
		}
		var values strings.Builder
		for j := range children {
			if children[j] == child {
				fmt.Fprintf(&values, " (= %s %s)", symbol(variable.Name), symbol(variable.Values[j]))
			}
		}
		fmt.Fprintf(&parts, " (and %s (or%s))", w.condition(child), values.String())
	}
	w.nodes[n] = w.solver.name("(or" + parts.String() + ")")
	return w.nodes[n]
}

// group has the classes that say the same of stages 1 and 2. Whatever holds in no case of the group does in none of a class.
type group struct {
	outcome   string
	condition diagram.Node
	classes   []explore.Class
}

func groupsOf(t *testing.T, part *explore.Part, outcomes []string) (all []group) {
	t.Helper()
	side := &part.Sides[0]
	require.Empty(t, side.Undecided)
	classes, err := part.Classes(side)
	require.NoError(t, err)
	for _, c := range classes {
		outcome := outcomeOf(t, c.Answer, outcomes, side.Coarse)
		i := slices.IndexFunc(all, func(g group) bool { return g.outcome == outcome })
		if i < 0 {
			i = len(all)
			all = append(all, group{outcome: outcome, condition: diagram.False})
		}
		all[i].condition = part.Or(all[i].condition, c.Condition)
		all[i].classes = append(all[i].classes, c)
	}
	for _, f := range side.Failures {
		all = append(all, group{outcome: none, condition: f.When})
	}
	return all
}

// example returns the case that the solver's last question found possible, with the answer of its class, and what the tables say.
func example(t *testing.T, s *solver, part *explore.Part, small *small, classes []explore.Class) string {
	t.Helper()
	names := make([]string, len(part.Variables))
	for i, v := range part.Variables {
		names[i] = symbol(v.Name)
	}
	values := make([]int, len(part.Variables))
	for i, text := range s.values(names, small.sorts["Text"]) {
		values[i] = slices.Index(part.Variables[i].Values, text)
		require.GreaterOrEqual(t, values[i], 0)
	}
	answer := "no class has the case"
	for _, c := range classes {
		if part.At(c.Condition, values) == diagram.True {
			answer = fmt.Sprint(c.Answer)
		}
	}
	c := part.Case(values)
	directory, err := c.Directory()
	require.NoError(t, err)
	question, err := json.Marshal(c.Question)
	require.NoError(t, err)
	return fmt.Sprintf("%s\n%s\nthe policy: %s\nthe tables: %s", directory, question, answer, s.values([]string{"outcome"}, small.sorts["Outcome"])[0])
}
