package pdp

import (
	"context"
	"maps"
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// subjects returns the users of the organization that the question can be about.
func (ev *evaluation) subjects(ctx context.Context, r SearchRequest, list *listing) (candidates, error) {
	if r.Subject.Type != "user" || ev.facts.View == nil {
		return none, nil
	}
	subjectDecider, err := ev.newSubjectDecider(ctx, r)
	if err != nil || subjectDecider == nil {
		return none, err
	}
	return list.users(ctx, ev.facts.View, subjectDecider.root, subjectDecider.can, func(u *facts.User) candidate {
		hit := Hit{Type: "user", ID: u.ID(), Properties: list.UserFields(u, subjectDecider.root)}
		ask := func(ctx context.Context) (Request, bool, error) { return subjectDecider.may(ctx, u) }
		if !subjectDecider.fixedLocation || !subjectDecider.can.Admits(u) {
			return ev.decided(hit, ask, nil)
		}
		question := subjectDecider.question
		question.Subject.ID = u.ID()
		return ev.decided(hit, ask, &question)
	}), nil
}

// subjectDecider asks the question of a subject search about one user after another.
type subjectDecider struct {
	*evaluation
	question      Request
	root          string            // the organization that the question is about; AnyOrganization if it can be any
	fixedLocation bool              // the question names the current location or does not need one
	current       *facts.Location   // the current location that the question names; nil if there is none
	can           facts.Only        // describes those who can be allowed; a source may return others
	likely        []*facts.Location // current locations to try first: the place, and where the user asked about is assigned
}

// newSubjectDecider finds the organization that the question can be about. It returns nil if no user can be allowed.
func (ev *evaluation) newSubjectDecider(ctx context.Context, r SearchRequest) (*subjectDecider, error) {
	action := ev.catalogue[r.Action.Name]
	f, err := ev.facts.Locate(ctx, r.question(), action.Action)
	if err != nil {
		return nil, err
	}
	_, standing := facts.LocationID(r.Context, "current_location")
	q := &subjectDecider{evaluation: ev, question: r.question(), fixedLocation: standing || action.NeedsNoCurrentLocation, current: f.Current}
	_, placed := facts.PlaceID(r.question())
	switch {
	case r.Resource.Type == "user" && f.User == nil && len(r.Action.Properties) == 0:
		return nil, nil // without properties, the question cannot be about a new user
	case action.CrossesOrganizations || action.Model != "":
		// Users of any organization may be allowed.
	case f.Current != nil:
		q.root = f.Current.Organization()
	case standing && !action.NeedsNoCurrentLocation:
		return nil, nil // at an unknown location
	case f.Place != nil:
		q.root = f.Place.Organization()
	case placed || action.NeedsNoCurrentLocation:
		return nil, nil // about an unknown location, or without a location that the action needs
	}
	if action.NeedsNoCurrentLocation {
		scope, err := ev.subjectScopeOf(ctx, q.question)
		if err != nil || scope == nil {
			return nil, err
		}
		q.can = scope.Only
	} else if len(action.roles) > 0 { // nobody else has power at a current location
		q.can.Assigned = &facts.Assigned{Roles: action.roles, Active: true}
		for at := q.current; at != nil; at = at.Parent() {
			q.can.Assigned.Locations = append(q.can.Assigned.Locations, at.ID())
		}
	}
	if f.Place != nil {
		q.likely = append(q.likely, f.Place)
	}
	if f.User != nil {
		for _, a := range f.User.Assignments() {
			for at := a.At; at != nil; at = at.Parent() {
				q.likely = append(q.likely, at)
			}
		}
	}
	return q, nil
}

// may reports whether a user is allowed, from the current location of the question or else from any location where the
// user can stand. It returns the question that was allowed.
func (q *subjectDecider) may(ctx context.Context, u *facts.User) (question Request, ok bool, err error) {
	question = q.question
	if !q.can.Admits(u) {
		return question, false, nil
	}
	question.Subject.ID = u.ID()
	if q.fixedLocation {
		ok, err = q.evaluation.may(ctx, question, q.allow)
		return question, ok, err
	}
	asked := map[string]bool{}
	from := func(at *facts.Location) (bool, error) {
		if asked[at.ID()] {
			return false, nil
		}
		asked[at.ID()] = true
		question.Context = withMember(q.question.Context, "current_location", at.ID())
		return q.evaluation.may(ctx, question, q.allow)
	}
	held := u.HeldIn(q.root)
	for _, at := range slices.Concat(held, coveredByAny(q.likely, held)) {
		if ok, err := from(at); ok || err != nil {
			return question, ok, err
		}
	}
	// A role may cover everything below its location.
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

// coveredByAny returns the locations at or below any of those held. At these, a user can stand.
func coveredByAny(all, held []*facts.Location) []*facts.Location {
	var covered []*facts.Location
	for _, at := range all {
		if slices.ContainsFunc(held, func(above *facts.Location) bool { return at.CoveredBy(above.ID()) }) {
			covered = append(covered, at)
		}
	}
	return covered
}

// withMember returns a copy of an object with one more member.
func withMember(members map[string]any, name string, value any) map[string]any {
	more := make(map[string]any, len(members)+1)
	maps.Copy(more, members)
	more[name] = value
	return more
}
