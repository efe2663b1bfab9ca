package pdp

import (
	"context"
	"slices"
	"strings"
)

// subjects tries the people of the organizations that the question can be about.
func (s *sitting) subjects(ctx context.Context, r SearchRequest, list listing) (candidates, error) {
	if r.Subject.Type != "user" {
		return none, nil
	}
	review, roots, err := s.review(ctx, r)
	if err != nil || len(roots) == 0 {
		return none, err
	}
	beneath := ""
	if len(roots) == 1 {
		beneath = roots[0]
	}
	return list.users(ctx, s.view, beneath, func(u *User) candidate {
		return candidate{
			hit:  Hit{Type: "user", ID: u.ID(), Properties: list.userFields(u, beneath)},
			asks: func(ctx context.Context) (bool, error) { return review.may(ctx, u) },
		}
	}), nil
}

// review is the question of an access review, asked of one person after another.
type review struct {
	*sitting
	question Request
	stands   bool // the question says where to stand, or needs no standing
	roots    []string
	near     []*Location // where a standing is likeliest to do: the place, and where the user asked about is assigned
}

// review finds out which organizations the question can be about.
func (s *sitting) review(ctx context.Context, r SearchRequest) (*review, []string, error) {
	q := &review{sitting: s, question: r.evaluation()}
	g := gathering{view: s.view, request: q.question, action: s.catalogue[r.Action.Name]}
	if err := g.people(ctx); err != nil {
		return nil, nil, err
	}
	if err := g.places(ctx); err != nil {
		return nil, nil, err
	}
	if err := g.targets(ctx); err != nil {
		return nil, nil, err
	}
	if r.Resource.Type == "user" && g.user == nil {
		return nil, nil, nil
	}
	q.stands = g.action.nowhere || text(r.Context, "current_location") != ""
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
	switch {
	case g.action.anywhere || g.action.model != "":
		q.roots = []string{""}
	case g.current != nil:
		q.roots = []string{g.current.Organization()}
	case q.stands && !g.action.nowhere:
		return nil, nil, nil // the location given is unknown
	case g.place != nil:
		q.roots = []string{g.place.Organization()}
	case g.action.nowhere || g.user == nil:
		return nil, nil, nil
	default:
		// An invitation may be made from anywhere that the person is not, too.
		q.roots = []string{""}
	}
	return q, q.roots, nil
}

// may says whether a person may, from where the question says or from some location where the person can stand.
func (q *review) may(ctx context.Context, u *User) (bool, error) {
	question := q.question
	question.Subject.ID = u.ID()
	if q.stands {
		return q.sitting.may(ctx, question, q.allow)
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
	held := u.view(wholeAccount).held
	for _, at := range slices.Concat(held, u.within(q.near, held)) {
		if ok, err := from(at); ok || err != nil {
			return ok, err
		}
	}
	// A role may reach down to anything beneath.
	for _, above := range held {
		beneath, err := q.locationsBeneath(ctx, []string{above.ID()}, "")
		if err != nil {
			return false, err
		}
		for _, at := range beneath {
			if ok, err := from(at); ok || err != nil {
				return ok, err
			}
		}
	}
	return false, nil
}

// within keeps the locations at or beneath one that the user holds: nobody stands elsewhere.
func (u *User) within(all, held []*Location) []*Location {
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

func compare(a, b string) int { return strings.Compare(a, b) }
