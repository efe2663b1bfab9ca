package pdp

import (
	"context"
	"slices"
)

// subjects tries the people of the organization that the question can be about.
func (s *sitting) subjects(ctx context.Context, r SearchRequest, list listing) (candidates, error) {
	if r.Subject.Type != "user" || s.view == nil {
		return none, nil
	}
	q, err := s.review(ctx, r)
	if err != nil || q == nil {
		return none, err
	}
	return list.users(ctx, s.view, q.root, func(u *User) candidate {
		var asked Request // the one that was allowed
		return candidate{
			hit: Hit{Type: "user", ID: u.ID(), Properties: list.userFields(u, q.root)},
			asks: func(ctx context.Context) (ok bool, err error) {
				asked, ok, err = q.may(ctx, u)
				return ok, err
			},
			owes: func(ctx context.Context) (Decision, error) { return s.decide(ctx, asked) },
		}
	}), nil
}

// review is the question of an access review, asked of one person after another.
type review struct {
	*sitting
	question Request
	root     string      // the organization that the question is about; "" where it can be any
	stands   bool        // the question says where to stand, or needs no standing
	current  *Location   // where the question says to stand; nil where it does not, or needs none
	roles    []string    // those that can give power at a standing at all; nil where none is needed
	near     []*Location // where a standing is likeliest to do: the place, and where the user asked about is assigned
}

// review finds out which organization the question can be about; nil where nobody can do what is asked.
func (s *sitting) review(ctx context.Context, r SearchRequest) (*review, error) {
	g := gathering{view: s.view, request: r.evaluation(), action: s.catalogue[r.Action.Name], tolerant: s.sees != nil}
	if err := g.people(ctx); err != nil {
		return nil, err
	}
	if err := g.places(ctx); err != nil {
		return nil, err
	}
	_, standing := locationID(r.Context, "current_location")
	q := &review{sitting: s, question: r.evaluation(), stands: standing || g.action.needsNoCurrent, current: g.current}
	if !g.action.needsNoCurrent && len(g.action.roles) > 0 {
		q.roles = g.action.roles
	}
	_, placed := g.placeID()
	switch {
	case r.Resource.Type == "user" && g.user == nil && len(r.Action.Properties) == 0:
		return nil, nil // only properties can say that somebody new is meant
	case g.action.crossesOrganizations || g.action.model != "":
		// Whoever belongs to any organization may be meant.
	case g.current != nil:
		q.root = g.current.Organization()
	case standing && !g.action.needsNoCurrent:
		return nil, nil // at an unknown location
	case g.place != nil:
		q.root = g.place.Organization()
	case placed || g.action.needsNoCurrent:
		return nil, nil // about an unknown location, or about none where one is needed
	}
	if g.place != nil {
		q.near = append(q.near, g.place)
	}
	if g.user != nil {
		for _, a := range g.user.assignments {
			for at := a.at; at != nil; at = at.parent {
				q.near = append(q.near, at)
			}
		}
	}
	return q, nil
}

// may says whether a person may, from where the question says or from some location where the person can stand, and
// gives the question that was allowed.
func (q *review) may(ctx context.Context, u *User) (question Request, ok bool, err error) {
	question = q.question
	if !q.canBeMeant(u) {
		return question, false, nil
	}
	question.Subject.ID = u.ID()
	if q.stands {
		ok, err = q.sitting.may(ctx, question, q.allow)
		return question, ok, err
	}
	tried := map[string]bool{}
	from := func(at *Location) (bool, error) {
		if tried[at.ID()] {
			return false, nil
		}
		tried[at.ID()] = true
		question.Context = withMember(q.question.Context, "current_location", at.ID())
		return q.sitting.may(ctx, question, q.allow)
	}
	held := u.heldIn(q.root)
	for _, at := range slices.Concat(held, within(q.near, held)) {
		if ok, err := from(at); ok || err != nil {
			return question, ok, err
		}
	}
	// A role may reach down to anything beneath.
	for _, above := range held {
		beneath, err := q.locationsBeneath(ctx, []string{above.ID()}, "")
		if err != nil {
			return question, false, err
		}
		for _, at := range beneath {
			if ok, err := from(at); ok || err != nil {
				return question, ok, err
			}
		}
	}
	return question, false, nil
}

// canBeMeant spares the policy the many who cannot stand there, or hold no role that could give any power.
func (q *review) canBeMeant(u *User) bool {
	for _, a := range u.assignments {
		if a.active && (q.current == nil || q.current.CoveredBy(a.Location)) &&
			(q.roles == nil || slices.Contains(q.roles, a.Role)) {
			return true
		}
	}
	return q.roles == nil
}

// within keeps the locations at or beneath one that is held: nobody stands elsewhere.
func within(all, held []*Location) []*Location {
	var kept []*Location
	for _, at := range all {
		if slices.ContainsFunc(held, func(above *Location) bool { return at.CoveredBy(above.ID()) }) {
			kept = append(kept, at)
		}
	}
	return kept
}

// organizations are the ids of the roots where the user has assignments, sorted.
func (u *User) organizations() []string {
	var all []string
	for _, a := range u.assignments {
		all = append(all, a.at.Organization())
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// withMember is a copy of an object with one more member.
func withMember(members map[string]any, name string, value any) map[string]any {
	more := make(map[string]any, len(members)+1)
	for k, v := range members {
		more[k] = v
	}
	more[name] = value
	return more
}
