package pdp

import (
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
)

// wholeAccount asks for a view of every organization at once.
const wholeAccount = ""

// maxStandings is how many standings a question carries besides the place itself (ALL-11).
const maxStandings = 20

// keptAccounts is how many accounts keep their facts: some 10 KB each at most.
const keptAccounts = 8192

// maxKept bounds how many standings a view keeps.
const maxKept = 64

// userView is what rules see of an account in one organization. Its facts are built once: they depend on nothing but
// the record and its locations, which never change.
type userView struct {
	user         *User
	organization string
	fact         *ast.Term // {id, status, username?, default_location?, assigned, assignments, held, within}
	held         []*Location
	standings    *ast.Term // of the first maxStandings held locations: {LOCATION: standing}

	mu   sync.RWMutex
	kept map[*Location]*ast.Term
}

// view gives the account as one organization knows it. It is kept if there is a keeper for it.
func (u *User) view(organization string, keep *keeper) *userView {
	u.mu.RLock()
	v := u.views[organization]
	u.mu.RUnlock()
	if v != nil {
		return v
	}
	v = u.newView(organization)
	// Only organizations that the account belongs to are kept, so that questions cannot grow a record.
	if keep == nil || organization != wholeAccount && !u.belongsTo(organization) {
		return v
	}
	u.mu.Lock()
	kept, first := u.views[organization], u.views == nil
	if kept == nil {
		if first {
			u.views = make(map[string]*userView, 1)
		}
		u.views[organization] = v
	}
	u.mu.Unlock()
	if first {
		keep.add(u)
	}
	if kept != nil {
		return kept
	}
	return v
}

// forget drops what was built of the account.
func (u *User) forget() {
	u.mu.Lock()
	u.views = nil
	u.mu.Unlock()
}

// keeper bounds how many accounts keep their facts: the one that came first goes first. It is safe for concurrent use.
type keeper struct {
	mu    sync.Mutex
	users []*User
	next  int
}

// keeping says whose facts are kept: a list goes through many accounts on one side, whose facts are not worth it.
type keeping struct{ subject, user *keeper }

func newKeeper(size int) *keeper { return &keeper{users: make([]*User, size)} }

func (k *keeper) add(u *User) {
	k.mu.Lock()
	gone := k.users[k.next]
	k.users[k.next] = u
	k.next = (k.next + 1) % len(k.users)
	k.mu.Unlock()
	if gone != nil {
		gone.forget()
	}
}

func (u *User) belongsTo(organization string) bool {
	if organization != wholeAccount && u.faults[organization] != nil {
		return true
	}
	for _, a := range u.assignments {
		if a.at.Organization() == organization {
			return true
		}
	}
	return false
}

func (u *User) newView(organization string) *userView {
	v := &userView{user: u, organization: organization}
	assignments, held, within := ast.NewObject(), ast.NewObject(), ast.NewObject()
	for _, a := range u.assignments {
		if organization != wholeAccount && a.at.Organization() != organization {
			continue
		}
		id := ast.StringTerm(a.Location)
		assignments.Insert(id, a.fact())
		if a.active {
			held.Insert(id, ast.StringTerm(a.Role))
			v.held = append(v.held, a.at)
		}
		for at := a.at; at != nil; at = at.parent {
			within.Insert(ast.StringTerm(at.rec.ID), termTrue)
		}
	}
	if organization != wholeAccount && u.faults[organization] != nil {
		within.Insert(ast.StringTerm(organization), termTrue)
	}
	fact := ast.NewObject(
		item(keyID, ast.StringTerm(u.rec.ID)),
		item(keyStatus, ast.InternedTerm(u.rec.Status)),
		item(keyAssigned, boolTerm(len(u.assignments) > 0 || len(u.faults) > 0)),
		item(keyAssignments, ast.NewTerm(assignments)),
		item(keyHeld, ast.NewTerm(held)),
		item(keyWithin, ast.NewTerm(within)),
	)
	if u.rec.Username != "" {
		fact.Insert(keyUsername, ast.StringTerm(u.rec.Username))
	}
	if u.rec.DefaultLocation != "" {
		fact.Insert(keyDefaultLocation, ast.StringTerm(u.rec.DefaultLocation))
	}
	v.fact = ast.NewTerm(fact)
	return v
}

func (a assignment) fact() *ast.Term {
	fact := ast.NewObject(
		item(keyRole, ast.StringTerm(a.Role)),
		item(keyStatus, ast.InternedTerm(a.Status)),
	)
	if a.Access != nil {
		access := ast.NewObject()
		if a.Access.Level != "" {
			access.Insert(keyLevel, ast.StringTerm(a.Access.Level))
		}
		areas := ast.NewObject()
		for area, on := range a.Access.Areas {
			areas.Insert(ast.StringTerm(area), boolTerm(on))
		}
		access.Insert(keyAreas, ast.NewTerm(areas))
		fact.Insert(keyAccess, ast.NewTerm(access))
	}
	return ast.NewTerm(fact)
}

// standing is a location with the roles that the subject holds at it or above: {…location, held {LOCATION: role}}.
func (v *userView) standing(at *Location) *ast.Term {
	v.mu.RLock()
	kept := v.kept[at]
	v.mu.RUnlock()
	if kept != nil {
		return kept
	}
	fact := v.user.newStanding(at)
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.kept == nil || len(v.kept) >= maxKept {
		v.kept = make(map[*Location]*ast.Term, 1) // what was kept of a directory that is gone goes too
	}
	v.kept[at] = fact
	return fact
}

func (u *User) newStanding(at *Location) *ast.Term {
	held := ast.NewObject()
	for above := at; above != nil; above = above.parent {
		if a := u.assignmentAt(above.rec.ID); a != nil && a.active {
			held.Insert(ast.StringTerm(above.rec.ID), ast.StringTerm(a.Role))
		}
	}
	fact := ast.NewObject()
	at.term.Value.(ast.Object).Foreach(func(k, v *ast.Term) { fact.Insert(k, v) })
	fact.Insert(keyHeld, ast.NewTerm(held))
	return ast.NewTerm(fact)
}

// standingsWith has the standings at the first maxStandings locations that the subject holds, and at the place, where
// the subject holds anything at or above it (ALL-11). Whether a role reaches down is for the policy to say.
func (v *userView) standingsWith(place *Location) *ast.Term {
	v.mu.RLock()
	all := v.standings
	v.mu.RUnlock()
	if all == nil {
		all = v.newStandings()
	}
	if place == nil || !v.holdsAbove(place) {
		return all
	}
	known := all.Value.(ast.Object)
	if known.Get(ast.StringTerm(place.rec.ID)) != nil {
		return all
	}
	more := ast.NewObject()
	known.Foreach(func(k, s *ast.Term) { more.Insert(k, s) })
	more.Insert(ast.StringTerm(place.rec.ID), v.standing(place))
	return ast.NewTerm(more)
}

func (v *userView) newStandings() *ast.Term {
	standings := ast.NewObject()
	for _, at := range v.held[:min(len(v.held), maxStandings)] {
		standings.Insert(ast.StringTerm(at.rec.ID), v.standing(at))
	}
	all := ast.NewTerm(standings)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.standings = all
	return all
}

func (v *userView) holdsAbove(place *Location) bool {
	for _, at := range v.held {
		if place.CoveredBy(at.rec.ID) {
			return true
		}
	}
	return false
}

// heldIn are the locations of an organization where the account has an active assignment, by ascending id.
func (u *User) heldIn(organization string) []*Location {
	var held []*Location
	for _, a := range u.assignments {
		if a.active && (organization == wholeAccount || a.at.Organization() == organization) {
			held = append(held, a.at)
		}
	}
	return held
}

// onlyStanding is the location of the one active assignment of an account, nil where there is none or another.
func (u *User) onlyStanding() *Location {
	var only *Location
	for _, a := range u.assignments {
		if !a.active {
			continue
		}
		if only != nil {
			return nil
		}
		only = a.at
	}
	return only
}
