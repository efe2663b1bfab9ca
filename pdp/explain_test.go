package pdp_test

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/counterfactual"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
)

// Each change that the author is told of is made in the directory or in the question: the directory stays valid, and the answer is the
// opposite one.
func TestCounterfactualsFlipTheAnswer(t *testing.T) {
	facts, told := map[string]int{}, 0
	changed, source := administration(t)
	forEachQuestion(t, 8, 50, func(t require.TestingT, e *pdp.Engine, w *world, r pdp.Request) {
		x, err := e.Explain(context.Background(), r, pdp.ForAuthor)
		if _, decided := e.Decide(context.Background(), r); decided != nil {
			require.Equal(t, decided, err)
			return
		}
		require.NoError(t, err)
		require.Equal(t, decide(t, e, r), x.Decision)
		require.LessOrEqual(t, len(x.Counterfactuals), pdp.MaxCounterfactuals)
		require.NotEmpty(t, x.Rules)
		require.NotEmpty(t, x.Facts)
		for _, c := range x.Counterfactuals {
			require.False(t, c.Uncertain)
			otherWorld, question := made(t, w, r, &c.Change)
			source.set(otherWorld.directory(t))
			require.Equal(t, !x.Decision.Allow, decide(t, changed, question).Allow, "%s", show(c))
			facts[c.Of+"."+c.Fact]++
			told++
		}
	})
	t.Logf("%d changes: %v", told, facts)
	if !fewerQuestions() {
		for _, fact := range []string{"subject.status", "subject.assignment", "user.status", "user.assignment", "user.default_location",
			"subject.assignment_status", "subject.area", "question.current_location", "question.location", "question.property", "location.plan"} {
			require.NotZero(t, facts[fact], fact)
		}
	}
}

// made makes a change.
func made(t require.TestingT, w *world, r pdp.Request, c *counterfactual.Change) (*world, pdp.Request) {
	w = w.clone()
	text := func(v any) string { s, _ := v.(string); return s }
	to := text(c.To)
	switch c.Of {
	case counterfactual.Question:
		switch c.Fact {
		case counterfactual.CurrentLocation:
			return w, withContext(r, "current_location", to)
		case counterfactual.Obligations:
			return w, withContext(r, "supported_obligations", nil)
		case counterfactual.Place:
			r.Resource.Properties = with(r.Resource.Properties, map[string]any{"location": to})
			return w, r
		}
		require.Equal(t, counterfactual.Property, c.Fact)
		r.Action.Properties = with(r.Action.Properties, map[string]any{c.Name: c.To})
		if c.To == nil {
			delete(r.Action.Properties, c.Name)
		}
		return w, r
	case counterfactual.Location:
		at := w.byID(c.ID)
		if c.Fact == counterfactual.Plan {
			require.Equal(t, c.From, at.Plan)
			at.Plan = to
		} else {
			require.Equal(t, c.From, at.Parent)
			at.Parent = to
		}
		return w, r
	}
	u := w.user(c.ID)
	if c.Fact == counterfactual.Assignment && c.From == nil {
		require.Nil(t, u.at(c.At))
		u.Assignments = append(u.Assignments, assignment{Location: c.At, Role: to})
		if u.Default == "" && w.root(w.byID(c.At)).Model == "regional" {
			u.Default = c.At
		}
		return w, r
	}
	var kept []assignment
	for _, a := range u.Assignments {
		at := a.Location == c.At
		member := w.root(w.byID(a.Location)).Kind == "group" && w.root(w.byID(a.Location)).ID == c.At
		if c.Fact == counterfactual.Assignment && (at || member) {
			if a.Role = to; c.To == nil {
				continue
			}
		}
		if at && c.Fact == counterfactual.AssignmentStatus {
			a.Status = to
		}
		if at && (c.Fact == counterfactual.Level || c.Fact == counterfactual.Area) {
			if a.Access == nil {
				a.Access = &access{}
			}
			if c.Fact == counterfactual.Level {
				a.Access.Level = to
			} else {
				areas := map[string]bool{c.Name: c.To.(bool)}
				for area, is := range a.Access.Areas {
					if area != c.Name {
						areas[area] = is
					}
				}
				a.Access.Areas = areas
			}
		}
		kept = append(kept, a)
	}
	u.Assignments = kept
	switch c.Fact {
	case counterfactual.Status:
		u.Status = to
	case counterfactual.DefaultLocation:
		u.Default = to
	}
	return w, r
}

// Two directories differ only in the record of the user who is asked about, in what the policy does not let the subject see of it. Where
// they give the same answer, the administrator is told the same.
func TestExplanationsTellOnlyWhatTheSubjectMaySee(t *testing.T) {
	other, source := administration(t)
	compared, told := map[string]int{}, 0
	random := rand.New(rand.NewPCG(7, 7))
	forEachQuestion(t, 8, 100, func(t require.TestingT, e *pdp.Engine, w *world, r pdp.Request) {
		if r.Resource.Type != "user" || w.user(r.Resource.ID) == nil || r.Resource.ID == r.Subject.ID {
			return
		}
		v := w.clone()
		altered := alterUser(random, v, r.Resource.ID)
		d, err := directory.Parse(v.json(), vocabulary())
		if !altered || err != nil {
			return
		}
		source.set(d)
		sees := func(e *pdp.Engine, action string) bool {
			question := authzen.Evaluation{Subject: r.Subject, Action: authzen.Action{Name: action}, Resource: r.Resource, Context: r.Context}
			question.Context = with(question.Context, map[string]any{"supported_obligations": nil})
			d, err := e.Decide(context.Background(), question)
			return err == nil && d.Allow
		}
		if sees(e, "user.view") || sees(other, "user.view") {
			return
		}
		before, err := e.Explain(context.Background(), r, pdp.ForAdministrator)
		if err != nil {
			return
		}
		after, err := other.Explain(context.Background(), r, pdp.ForAdministrator)
		require.NoError(t, err)
		if before.Decision.Allow != after.Decision.Allow || show(before.Decision.Reasons) != show(after.Decision.Reasons) {
			return
		}
		require.Equal(t, marshal(t, before), marshal(t, after))
		require.Empty(t, before.Rules)
		require.Empty(t, before.Failed)
		require.Empty(t, before.Tables)
		for _, f := range before.Facts {
			require.False(t, strings.HasPrefix(f.Path, "input.facts.user"), "%v", f)
		}
		code := "allowed"
		if len(before.Decision.Reasons) > 0 {
			code = before.Decision.Reasons[0].(map[string]any)["code"].(string)
		}
		compared[code]++
		told += len(before.Counterfactuals)
	})
	t.Logf("%d changes told: %v", told, compared)
	if !fewerQuestions() {
		require.Greater(t, told, 50)
		require.Greater(t, compared["not_permitted"]+compared["owner_required"]+compared["area_required"], 20)
	}
}

func marshal(t require.TestingT, x *pdp.Explanation) string {
	data, err := json.Marshal(x)
	require.NoError(t, err)
	return string(data)
}

// alterUser changes something of a user's record; false if it is as it was.
func alterUser(r *rand.Rand, w *world, id string) bool {
	u := w.user(id)
	before := show(u)
	switch r.IntN(4) {
	case 0:
		u.Status = pick(r, "active", "deactivated")
	case 1:
		if len(u.Assignments) > 0 {
			a := &u.Assignments[r.IntN(len(u.Assignments))]
			a.Role = pick(r, offered[w.byID(a.Location).Kind]...)
		}
	case 2:
		if len(u.Assignments) > 0 {
			i := r.IntN(len(u.Assignments))
			u.Assignments = slices.Delete(u.Assignments, i, i+1)
		}
	default:
		l := pick(r, w.Locations...)
		if u.at(l.ID) == nil && len(offered[l.Kind]) > 0 {
			u.Assignments = append(u.Assignments, assignment{Location: l.ID, Role: pick(r, offered[l.Kind]...)})
			if u.Default == "" && w.root(l).Model == "regional" {
				u.Default = l.ID
			}
		}
	}
	return show(u) != before
}
