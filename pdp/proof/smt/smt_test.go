package smt_test

import (
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/mutant"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/proof/diagram"
	"github.com/wardkeeper/wardkeeper/pdp/proof/explore"
	"github.com/wardkeeper/wardkeeper/pdp/proof/world"
	"github.com/wardkeeper/wardkeeper/policies"
)

var (
	report = flag.Bool("report", false, "print how many classes were asked about")
	tried  = flag.Int("mutants", 16, "how many mutants of the policy are tried")
)

// prepare prepares the decision of a policy to be explored.
func prepare(t *testing.T, files fs.FS) (*explore.Decision, error) {
	t.Helper()
	r, err := bundles.Open(t.Context(), bundles.Config{Files: files, Entrypoint: "authz/decision"})
	if err != nil {
		return nil, err
	}
	p, err := pdp.Prepare(t.Context(), r)
	if err != nil {
		return nil, err
	}
	return explore.Open(t.Context(), p)
}

func builtIn(t *testing.T) *explore.Decision {
	t.Helper()
	d, err := prepare(t, policies.Files())
	require.NoError(t, err)
	return d
}

// TestTheTablesAgreeWithThePolicy asks z3 about every class of the built-in policy: whether the tables have another outcome in a case
// of it, and whether the classes have all cases of the worlds and only those whose directory has no fault.
func TestTheTablesAgreeWithThePolicy(t *testing.T) {
	t.Parallel()
	d := builtIn(t)
	tables := tables(t)
	for _, q := range questions(d) {
		t.Run(q.Tree+" "+q.Action, func(t *testing.T) {
			for _, disagreement := range disagreements(t, d, q, tables) {
				t.Error(disagreement)
			}
		})
	}
}

// disagreements asks z3 about the classes of a policy in the world of a question, and returns the cases in which the tables
// disagree. Where a world has too many answers to be told apart, it asks about them in a smaller one too, where the question says nothing
// that only later stages read.
func disagreements(t *testing.T, d *explore.Decision, q world.Question, tables string) (found []string) {
	t.Helper()
	began := time.Now()
	var smaller []world.Question
	classes := 0
	left, err := explore.Explore(t.Context(), []*explore.Decision{d}, q, explore.MaxNodes, func(part *explore.Part) error {
		groups := groupsOf(t, part, outcomes(tables))
		small, s := newSmall(t, part, tables), start(t)
		s.say("%s\n%s\n%s", small.text.String(), tables, bound(t, d, part))
		w := &written{s, part, map[diagram.Node]string{}}
		disagree := func(what string, classes []explore.Class, conditions ...string) {
			if s.possible(conditions...) {
				found = append(found, what+"\n"+example(t, s, part, small, classes))
			}
		}
		var all []string
		for _, g := range groups {
			condition := w.condition(g.condition)
			all = append(all, condition)
			switch {
			case !s.possible(condition):
				found = append(found, "no case has the outcome "+g.outcome)
			case g.outcome == none:
				disagree("the policy has no answer", g.classes, condition)
			case g.outcome != denial:
				disagree("the tables disagree", g.classes, condition, "(not "+s.name("(= outcome "+symbol(g.outcome)+")")+")")
			}
			classes += len(g.classes)
		}
		bound, any := s.name("within-bound"), s.name("(or false "+strings.Join(all, " ")+")")
		disagree("no class has the case", nil, bound, "(not "+any+")")
		disagree("the directory has a fault, or is not in the bound", nil, "(not "+bound+")", any)
		if part.Sides[0].Coarse {
			smaller = append(smaller, plainer(t, part)...)
		}
		if *report {
			fmt.Printf("%v: %d classes, %d outcomes, %d nodes, coarse: %v, %v\n", part.Question, classes, len(groups), len(w.nodes), part.Sides[0].Coarse, time.Since(began))
		}
		return nil
	})
	require.NoError(t, err)
	require.Empty(t, left)
	for _, q := range smaller {
		found = append(found, disagreements(t, d, q, tables)...)
	}
	return found
}

// plainer restricts the properties of an invitation that the tables do not read to their plainest values, and new to one value
// after another.
func plainer(t *testing.T, part *explore.Part) (smaller []world.Question) {
	t.Helper()
	require.Equal(t, "user.invite", part.Question.Action)
	require.Nil(t, part.Question.Only, "this is as small as it gets")
	only := map[string][]string{}
	var values []string
	for _, v := range part.Variables {
		switch {
		case v.Name == "set new":
			values = v.Values
		case strings.HasPrefix(v.Name, "set ") && v.Name != "set role" && !strings.HasPrefix(v.Name, "set areas"):
			only[v.Name] = v.Values[:1]
		}
	}
	for _, value := range values {
		q := world.Question{Tree: part.Question.Tree, Action: part.Question.Action, Only: maps.Clone(only)}
		q.Only["set new"] = []string{value}
		smaller = append(smaller, q)
	}
	return smaller
}

// questions returns those that are asked: every one, or under the race detector some.
func questions(d *explore.Decision) []world.Question {
	if fewerCases() {
		return []world.Question{{Tree: "regional", Action: "location.switch"}, {Tree: "vendor", Action: "entity.create"}}
	}
	return explore.Questions(d)
}

// A cell of the tables that is another one is found, with a case.
func TestTablesThatDifferAreFound(t *testing.T) {
	t.Parallel()
	tables := tables(t)
	const cell = "(holding public_health_admin)\n" // of the roles that reach down
	require.Equal(t, 1, strings.Count(tables, cell))
	found := disagreements(t, builtIn(t), world.Question{Tree: "regional", Action: "location.switch"}, strings.Replace(tables, cell, "\n", 1))
	require.NotEmpty(t, found)
	require.Contains(t, found[0], "not_assigned REG-20")
	require.Contains(t, found[0], `"role":"public_health_admin"`)
}

// TestMutantsAreFound changes the policy of one model, in many places. Whenever that changes what an answer says of stages 1 and 2, the
// tables disagree, and otherwise they do not.
func TestMutantsAreFound(t *testing.T) {
	t.Parallel()
	if fewerCases() {
		t.Log("only TestTablesThatDifferAreFound plants a fault here")
		return
	}
	tables := tables(t)
	archive, err := bundles.ReadTree(policies.Files(), bundles.Limits{})
	require.NoError(t, err)
	mutants, err := mutant.Of(archive.Files)
	require.NoError(t, err)
	mutants = slices.DeleteFunc(mutants, func(m mutant.Mutant) bool { return !strings.HasPrefix(m.Name, "authz/regional/") })
	was, q := builtIn(t), world.Question{Tree: "regional", Action: "assignment.remove"}
	rng := rand.New(rand.NewPCG(16, 0))
	changed, same := 0, 0
	for n := 0; n < *tried || changed == 0 || same == 0; n++ {
		require.Less(t, n, 20*(*tried), "some mutants change answers, and some do not")
		m := mutants[rng.IntN(len(mutants))]
		file, err := m.File()
		require.NoError(t, err)
		files := fstest.MapFS{}
		for _, f := range archive.Files {
			files[f.Name] = &fstest.MapFile{Data: f.Data}
		}
		files[file.Name] = &fstest.MapFile{Data: file.Data}
		is, err := prepare(t, files)
		if err != nil {
			continue // it is no policy that the engine takes
		}
		name := fmt.Sprintf("%s:%d: %s", m.Name, m.Line, m.Change)
		found := disagreements(t, is, q, tables)
		if changes(t, was, is, q, outcomes(tables)) {
			require.NotEmpty(t, found, name)
			changed++
		} else {
			require.Empty(t, found, name)
			same++
		}
	}
	if *report {
		fmt.Println(changed, "mutants found,", same, "that change nothing here")
	}
}

// changes reports whether two policies differ in what their answers say of stages 1 and 2.
func changes(t *testing.T, was, is *explore.Decision, q world.Question, outcomes []string) (some bool) {
	t.Helper()
	left, err := explore.Explore(t.Context(), []*explore.Decision{was, is}, q, explore.MaxNodes, func(part *explore.Part) error {
		all, err := part.Changes()
		for _, c := range all {
			before, after := outcomeOf(t, c.Was, outcomes, false), outcomeOf(t, c.Is, outcomes, false)
			some = some || before != after
		}
		return err
	})
	require.NoError(t, err)
	require.Empty(t, left)
	return some
}
