package counterfactual

import (
	"context"
	"maps"
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// ofQuestion returns the changes of the question: from where it is asked, about which place, and with which properties.
func (w *World) ofQuestion() []Change {
	var changes []Change
	add := func(c Change, change func(*authzen.Evaluation)) {
		q := w.Question
		change(&q)
		c.Of, c.cost, c.question = Question, costQuestion, &q
		changes = append(changes, c)
	}
	// set replaces a member, and keeps the caller's map as it is.
	set := func(members map[string]any, name string, to any) map[string]any {
		members = maps.Clone(members)
		if members == nil {
			members = map[string]any{}
		}
		members[name] = to
		if to == nil {
			delete(members, name)
		}
		return members
	}
	context, action := w.Question.Context, w.Question.Action.Properties
	if w.Terms.FromCurrentLocation && w.Subject != nil {
		for _, at := range w.Subject.HeldIn(facts.AnyOrganization) {
			if w.Current == nil || at.ID() != w.Current.ID() {
				add(Change{Fact: CurrentLocation, From: context["current_location"], To: at.ID()}, func(q *authzen.Evaluation) {
					q.Context = set(context, "current_location", at.ID())
				})
			}
		}
	}
	if w.User != nil && !w.MadeUp {
		for _, a := range w.User.Assignments() {
			if w.inScope(a.At) && (w.Place == nil || a.Location != w.Place.ID()) {
				add(Change{Fact: Place, From: w.Question.Resource.Properties["location"], To: a.Location}, func(q *authzen.Evaluation) {
					q.Resource.Properties = set(q.Resource.Properties, "location", a.Location)
				})
			}
		}
	}
	if said := context["supported_obligations"]; said != nil {
		add(Change{Fact: Obligations, From: said}, func(q *authzen.Evaluation) {
			q.Context = set(context, "supported_obligations", nil)
		})
	}
	for _, name := range w.Terms.Properties {
		for _, to := range w.valuesOf(name) {
			if to != action[name] {
				add(Change{Fact: Property, Name: name, From: action[name], To: to}, func(q *authzen.Evaluation) {
					q.Action.Properties = set(action, name, to)
				})
			}
		}
	}
	return changes
}

// valuesOf returns the values that a property of the action can have, by the tables; nil leaves it out.
func (w *World) valuesOf(property string) []any {
	said, isSaid := w.Question.Action.Properties[property]
	switch property {
	case "role", "new_role":
		var roles []any
		for _, at := range w.places() {
			for _, role := range w.Terms.Roles[at.Kind()] {
				if !slices.Contains(roles, any(role)) {
					roles = append(roles, role)
				}
			}
		}
		return roles
	case "level":
		var levels []any
		for _, level := range w.Terms.Levels {
			levels = append(levels, level)
		}
		return levels
	}
	switch flag, isFlag := said.(bool); {
	case isFlag:
		return []any{!flag, nil}
	case isSaid && isScalar(said):
		return []any{nil}
	}
	return nil
}

// isScalar reports whether a value of JSON is neither an object nor a list.
func isScalar(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return false
	}
	return true
}

// ofLocations returns the changes of the locations that the question names: the plan of their organization, and where they lie.
func (w *World) ofLocations(ctx context.Context) ([]Change, error) {
	var changes []Change
	add := func(cost int, at *facts.Location, fact, from, to string, change func(*facts.LocationRecord)) {
		changed := at.Record()
		change(&changed)
		changes = append(changes, Change{Of: Location, ID: at.ID(), Fact: fact, From: from, To: to, cost: cost, location: &changed})
	}
	for _, at := range w.places() {
		parent := at.Parent()
		if parent == nil {
			for _, plan := range []string{facts.PlanFree, facts.PlanPaid} {
				if at.Plan() != "" && plan != at.Plan() {
					add(costPlan, at, Plan, at.Plan(), plan, func(r *facts.LocationRecord) { r.Plan = plan })
				}
			}
			continue
		}
		others, err := w.View.Locations(ctx, facts.LocationQuery{Beneath: at.Organization(), Limit: maxLocations})
		if err != nil {
			return nil, err
		}
		for _, other := range others {
			if other.Kind() == parent.Kind() && other.ID() != parent.ID() {
				add(costParent, at, Parent, parent.ID(), other.ID(), func(r *facts.LocationRecord) { r.Parent = other.ID() })
			}
		}
	}
	return changes, nil
}
