package pdp

import (
	"context"
	"reflect"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// Reviewer asks one question after another under one policy and one view of the directory: those of an access review or an attack. Nothing of it is
// recorded, since nobody acts. It is not safe for concurrent use.
type Reviewer struct {
	ev   *evaluation
	view facts.View
}

// NewReviewer takes the policy in force and a view for a review. The error is an [*Error]; one of kind NotOffered means that the
// policy has no catalogue of actions.
func (e *Engine) NewReviewer(ctx context.Context) (*Reviewer, error) {
	ev, err := e.beginWithin(ctx)
	if err != nil {
		return nil, err
	}
	if !ev.hasCatalogue() || ev.facts.View == nil {
		return nil, &Error{Kind: NotOffered, Message: "Only a policy that judges by membership facts can be reviewed."}
	}
	return &Reviewer{ev, ev.facts.View}, nil
}

// Suppose makes the following questions see a user as the one given, in place of the directory's user of that id; nil ends that.
func (r *Reviewer) Suppose(u *facts.User) {
	r.ev.facts.View = r.view
	if u != nil {
		r.ev.facts.View = supposition{r.view, u}
	}
}

// supposition is a view in which one user is another.
type supposition struct {
	facts.View
	user *facts.User
}

func (s supposition) User(ctx context.Context, id string) (*facts.User, error) {
	if id == s.user.ID() {
		return s.user, nil
	}
	return s.View.User(ctx, id)
}

// Policy returns the policy that decides.
func (r *Reviewer) Policy() *Policy { return r.ev.Policy }

// May reports whether a question is allowed with suitable properties, as an action search does (policies/DOMAIN.md section 8), and
// the id of the rule that judged it; "" if it is not allowed, or the policy does not say. The error is an [*Error].
func (r *Reviewer) May(ctx context.Context, q Request) (rule string, allowed bool, err error) {
	limit := r.ev.limitTime(ctx)
	defer limit.end()
	if allowed, err = r.ev.may(limit.Context, q, r.ev.possible); err != nil || !allowed || r.ev.row == nil {
		return "", allowed, err
	}
	a, err := r.ev.ask(limit.Context, q, r.ev.row)
	if err != nil || a.term == nil {
		return "", allowed, err
	}
	if err := ast.As(a.term.Value, &rule); err != nil {
		return "", false, &Error{Kind: Internal, Message: "The policy's row could not be read.", Err: err}
	}
	return rule, true, nil
}

// Allows reports whether a question is allowed as it is: by the rule for lists, which is fast, and then by the decision. An evaluation
// that fails and an answer that is malformed allow nothing. The error is an [*Error].
func (r *Reviewer) Allows(ctx context.Context, q Request) (bool, error) {
	limit := r.ev.limitTime(ctx)
	defer limit.end()
	d := Decision{}
	allowed, err := r.ev.may(limit.Context, q, r.ev.allow)
	if err == nil && allowed {
		var a answer
		if a, err = r.ev.ask(limit.Context, q, r.ev.decision); err == nil {
			if d, err = readDecision(a.term); err != nil {
				return false, nil
			}
		}
	}
	if err != nil && KindOf(err) == Internal {
		return false, nil
	}
	return d.limitedTo(q.Context, r.ev.offers.Obligations).Allow, err
}

// Reach says on which users a question can be allowed.
type Reach struct{ scope *scope } // nil: on any

// Admits reports whether a question about a user has to be asked: about any other, it is not allowed.
func (r Reach) Admits(u *facts.User) bool {
	s := r.scope
	return s == nil || u.ID() != s.except && s.Only.Admits(u) &&
		slices.ContainsFunc(u.Assignments(), func(a facts.Assignment) bool { return a.At.CoveredBy(s.location) })
}

// Beyond reports whether users can be among those reached who have no assignment at the locations that are covered.
func (r Reach) Beyond(covered func(id string) bool) bool {
	s := r.scope
	switch {
	case s == nil:
		return true
	case covered(s.location):
		return false
	case s.Assigned == nil || s.Assigned.Locations == nil:
		return true
	}
	return s.Assigned.Beneath != "" && !covered(s.Assigned.Beneath) || slices.ContainsFunc(s.Assigned.Locations, func(id string) bool { return !covered(id) })
}

// Renamed returns the same reach over people and locations of other names. ok is false if a name is not known.
func (r Reach) Renamed(user, location func(id string) (string, bool)) (renamed Reach, ok bool) {
	if r.scope == nil {
		return r, true
	}
	s := *r.scope
	known := true
	rename := func(id string, name func(string) (string, bool)) string {
		if id == "" {
			return ""
		}
		other, ok := name(id)
		known = known && ok
		return other
	}
	s.location, s.except = rename(s.location, location), rename(s.except, user)
	if a := s.Assigned; a != nil {
		other := *a
		other.Locations = slices.Clone(a.Locations)
		for i, id := range a.Locations {
			other.Locations[i] = rename(id, location)
		}
		slices.Sort(other.Locations)
		other.Beneath = rename(a.Beneath, location)
		s.Assigned = &other
	}
	return Reach{&s}, known
}

// Equal reports whether two reaches are of the same people.
func (r Reach) Equal(other Reach) bool { return reflect.DeepEqual(r, other) }

// Reach asks the policy on which users a question can be allowed with suitable properties, whoever it names. ok is false if on none.
func (r *Reviewer) Reach(ctx context.Context, q Request) (reach Reach, ok bool, err error) {
	if r.ev.possibleScope == nil { // as in bundles of earlier releases
		return Reach{}, true, nil
	}
	q.Resource.ID = q.Subject.ID // any user will do: a scope does not depend on the resource
	s, err := r.ev.readScope(ctx, q, r.ev.possibleScope)
	if s != nil && s.Assigned != nil {
		slices.Sort(s.Assigned.Locations) // the order of a set says nothing
	}
	return Reach{s}, s != nil, err
}
