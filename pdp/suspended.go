package pdp

import (
	"context"
	"errors"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Suspended is the failure to give a record that breaks a rule of DOMAIN.md section 1. It has what is known all the same,
// so that a fault which is another organization's to see does not show in an answer.
type Suspended struct {
	// User is the account with what could be joined of it, which knows in which organizations it is suspended. It is nil
	// where not even that is known.
	User *User
	// Location is the location that was asked for, beneath the root of its organization and nothing between; nil where a
	// user was asked for.
	Location *Location
	Err      error
}

func (s *Suspended) Error() string { return s.Err.Error() }

// Unwrap gives the fault.
func (s *Suspended) Unwrap() error { return s.Err }

// NewSuspendedUser makes an account of which some is at fault: the whole record, where faults has an error for "", or what
// it says of an organization. Assignments at locations that locate does not know are left out.
func NewSuspendedUser(rec UserRecord, version uint64, locate func(id string) *Location, faults map[string]error) *User {
	var known []AssignmentRecord
	for _, a := range rec.Assignments {
		if locate(a.Location) != nil {
			known = append(known, a)
		}
	}
	rec.Assignments = known
	u, _ := NewUser(rec, version, locate) // locate knows each location
	u.faults = faults
	return u
}

// NewSuspendedLocation makes what is known of a location whose organization is at fault.
func NewSuspendedLocation(root, at LocationRecord) *Location {
	root.Parent, at.Parent = "", root.ID
	top := NewLocation(root, nil, 0)
	if at.ID == root.ID {
		return top
	}
	return NewLocation(at, top, 0)
}

// SuspendedIn says why an account must not be used in an organization, nil where nothing is wrong with what the
// organization may see of it. In no organization ("") any fault counts.
func (u *User) SuspendedIn(organization string) error {
	if err := u.faults[wholeAccount]; err != nil || organization != wholeAccount {
		if err != nil {
			return err
		}
		return u.faults[organization]
	}
	for _, err := range u.faults {
		return err
	}
	return nil
}

// account takes what is known of a suspended account. Whether the fault counts shows once it is known who asks.
func (g *gathering) account(u *User, err error) (*User, error) {
	s, ok := errors.AsType[*Suspended](err)
	switch {
	case !ok || !g.tolerant:
		return u, err
	case s.User == nil:
		u = &User{faults: map[string]error{wholeAccount: err}}
	default:
		u = s.User
	}
	if g.causes == nil {
		g.causes = make(map[*User]error, 1)
	}
	g.causes[u] = err
	return u, nil
}

// suspendedIn is why an account must not be used in an organization, as its source words it.
func (g *gathering) suspendedIn(organization string, u *User) error {
	if err := u.SuspendedIn(organization); err == nil || g.causes[u] == nil {
		return err
	}
	return g.causes[u]
}

// site takes what is known of a location of a suspended organization.
func (g *gathering) site(l *Location, err error) (*Location, error) {
	s, ok := errors.AsType[*Suspended](err)
	if !ok || !g.tolerant || s.Location == nil {
		return l, err
	}
	g.doubts = append(g.doubts, doubt{s.Location, err})
	return s.Location, nil
}

// doubt is a location whose organization is suspended, and why.
type doubt struct {
	at  *Location
	err error
}

// suspended fails where the question cannot be answered since it is asked by somebody, or from where, of whom or which too
// little is known. judge is the organization whose rules judge, wholeAccount where it can be any.
func (g *gathering) suspended(judge string) error {
	if g.subject == nil {
		return nil
	}
	if err := g.suspendedIn(judge, g.subject); err != nil {
		return err
	}
	for _, d := range g.doubts {
		if g.subject.belongsTo(d.at.Organization()) {
			return d.err
		}
	}
	return nil
}

// settle holds an answer back that was made from what is at fault. A denial stands where it tells nothing of it.
func (s *sitting) settle(ctx context.Context, g *gathering, in, answer *ast.Term) error {
	if g == nil || g.fault == nil && len(g.doubts) == 0 {
		return nil
	}
	if !denies(answer) {
		if g.fault != nil {
			return g.fault
		}
		return g.doubts[0].err
	}
	if g.fault == nil {
		return nil
	}
	seen, err := s.seesIn(ctx, in)
	if err == nil && seen["user"] {
		err = g.fault
	}
	return err
}

// denies says whether an answer is a denial, in full or as lists ask for it.
func denies(answer *ast.Term) bool {
	if answer == nil {
		return false
	}
	if object, ok := answer.Value.(ast.Object); ok {
		answer = object.Get(keyAllow)
	}
	return answer != nil && ast.Boolean(false).Compare(answer.Value) == 0
}

// seesIn are the records that the policy says an answer is made from and tells of: of subject, organization and user. A
// policy without such a rule tells of none.
func (s *sitting) seesIn(ctx context.Context, in *ast.Term) (map[string]bool, error) {
	seen := map[string]bool{}
	if s.sees == nil {
		return seen, nil
	}
	term, err := evaluate(ctx, s.sees, in)
	if err != nil || term == nil {
		return seen, err
	}
	names, err := readTexts(term.Value)
	if err != nil {
		return nil, &Error{Kind: Internal, Message: "What the policy sees could not be read.", Err: err}
	}
	for _, name := range names {
		seen[name] = true
	}
	return seen, nil
}
