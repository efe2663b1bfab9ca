package facts

import (
	"sync"
	"weak"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wardkeeper/wardkeeper/bundles/input"
)

// maxStandings is how many standings a question carries besides the one at the place itself (ALL-11).
const maxStandings = 20

// maxCachedStandings bounds how many standings are kept with the facts of a user.
const maxCachedStandings = 64

// userFacts is what rules see of a user in one organization. It depends only on the record and its locations, which never
// change, so that it can be kept with them.
type userFacts struct {
	user *User
	part *input.Object // {type, id}: the user as the subject or resource of a question, without properties
	fact *input.Object // {id, status, username?, default_location?, assigned, assignments, held, within}
	held []*Location

	mu         sync.RWMutex
	standings  *ast.Term // at the first maxStandings held locations: {LOCATION: standing}; nil until needed
	standingAt map[*Location]*ast.Term
}

// in returns the facts of a user as one organization sees them. It keeps them only if an evictor bounds how many are kept.
func (u *User) in(organization string, evictor *Evictor) *userFacts {
	u.mu.RLock()
	f := u.built[organization]
	u.mu.RUnlock()
	if f != nil {
		return f
	}
	f = u.buildFacts(organization)
	// Facts are kept only for organizations that the user belongs to and for all together, so that questions cannot make a
	// record grow.
	if evictor == nil || organization != AnyOrganization && !u.BelongsTo(organization) {
		return f
	}
	u.mu.Lock()
	existing, first := u.built[organization], u.built == nil
	if existing == nil {
		if first {
			u.built = make(map[string]*userFacts, 1)
		}
		u.built[organization] = f
	}
	u.mu.Unlock()
	if first {
		evictor.add(u)
	}
	if existing != nil {
		return existing
	}
	return f
}

// Evictor bounds how many users keep the facts built from them, some 10 KB each. The first in is evicted first. It keeps no user
// in memory whose record has been replaced: that would keep the tree of the time, too. It is safe for concurrent use.
type Evictor struct {
	mu    sync.Mutex
	users []weak.Pointer[User] // a ring
	next  int
}

// NewEvictor makes an evictor for at most size users.
func NewEvictor(size int) *Evictor { return &Evictor{users: make([]weak.Pointer[User], size)} }

func (e *Evictor) add(u *User) {
	e.mu.Lock()
	evicted := e.users[e.next].Value()
	e.users[e.next] = weak.Make(u)
	e.next = (e.next + 1) % len(e.users)
	e.mu.Unlock()
	if evicted != nil {
		evicted.mu.Lock()
		evicted.built = nil
		evicted.mu.Unlock()
	}
}

func (u *User) buildFacts(organization string) *userFacts {
	id := ast.StringTerm(u.rec.ID)
	f := &userFacts{user: u, part: input.New(value(keyType, keyUser), value(keyID, id))}
	assignments, held := make([]input.Member, 0, len(u.assignments)), make([]input.Member, 0, len(u.assignments))
	var fewPlaces [4]*Location
	places := fewPlaces[:0]
	for _, a := range u.assignments {
		if organization != AnyOrganization && a.At.Organization() != organization {
			continue
		}
		role := ast.StringTerm(a.Role)
		places = append(places, a.At)
		assignments = withLast(assignments, input.Member{Key: a.At.facts().id, Object: a.fact(role)})
		if a.Active {
			held = withLast(held, value(a.At.facts().id, role))
			f.held = append(f.held, a.At)
		}
	}
	var more []string
	if organization != AnyOrganization && u.faults[organization] != nil {
		more = append(more, organization)
	}
	members := append(make([]input.Member, 0, 8),
		value(keyID, id),
		value(keyStatus, known(statuses, u.rec.Status)),
		value(keyAssigned, boolTerm(len(u.assignments) > 0 || len(u.faults) > 0)),
		input.Member{Key: keyAssignments, Object: input.New(assignments...)},
		input.Member{Key: keyHeld, Object: input.New(held...)},
		value(keyWithin, pathsOf(places, more)),
	)
	if u.rec.Username != "" {
		members = append(members, value(keyUsername, ast.StringTerm(u.rec.Username)))
	}
	if u.rec.DefaultLocation != "" {
		members = append(members, value(keyDefaultLocation, ast.StringTerm(u.rec.DefaultLocation)))
	}
	f.fact = input.New(members...)
	return f
}

// withLast appends a member that replaces the last one if it has the same key.
func withLast(members []input.Member, last input.Member) []input.Member {
	if n := len(members); n > 0 && members[n-1].Key.Equal(last.Key) {
		members = members[:n-1]
	}
	return append(members, last)
}

// pathsOf returns the locations and those above them. Those of one are its path, which most users share with others.
func pathsOf(locations []*Location, more []string) *ast.Term {
	if len(locations) == 1 && len(more) == 0 {
		return locations[0].facts().path
	}
	paths := ast.NewObject()
	for _, at := range locations {
		for ; at != nil; at = at.parent {
			paths.Insert(at.facts().id, termTrue)
		}
	}
	for _, id := range more {
		paths.Insert(ast.StringTerm(id), termTrue)
	}
	return sorted(ast.NewTerm(paths))
}

func (a *Assignment) fact(role *ast.Term) *input.Object {
	members := append(make([]input.Member, 0, 3), value(keyRole, role), value(keyStatus, known(statuses, a.Status)))
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
		members = append(members, value(keyAccess, sorted(ast.NewTerm(access))))
	}
	return input.New(members...)
}

// standing returns a location's fact with held, {LOCATION: role}: the roles that the user holds at the location or above.
func (f *userFacts) standing(at *Location) *ast.Term {
	f.mu.RLock()
	cached := f.standingAt[at]
	f.mu.RUnlock()
	if cached != nil {
		return cached
	}
	fact := f.user.buildStanding(at)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.standingAt == nil || len(f.standingAt) >= maxCachedStandings {
		f.standingAt = make(map[*Location]*ast.Term, 1) // also drops the locations of a directory that was replaced
	}
	f.standingAt[at] = fact
	return fact
}

func (u *User) buildStanding(at *Location) *ast.Term {
	held := ast.NewObject()
	for above := at; above != nil; above = above.parent {
		if a := u.AssignmentAt(above.rec.ID); a != nil && a.Active {
			held.Insert(above.facts().id, ast.StringTerm(a.Role))
		}
	}
	fact := ast.NewObject()
	at.facts().fact.Value.(ast.Object).Foreach(func(k, v *ast.Term) { fact.Insert(k, v) })
	fact.Insert(keyHeld, ast.NewTerm(held))
	return sorted(ast.NewTerm(fact))
}

// standingsWith returns the standings at the first maxStandings locations that the user holds, and at the place if the user
// holds a role at it or above (ALL-11). Whether a role reaches down is for the policy to decide.
func (f *userFacts) standingsWith(place *Location) *ast.Term {
	f.mu.RLock()
	all := f.standings
	f.mu.RUnlock()
	if all == nil {
		all = f.buildStandings()
	}
	if place == nil || !f.holdsAbove(place) {
		return all
	}
	held := all.Value.(ast.Object)
	if held.Get(place.facts().id) != nil {
		return all
	}
	more := make([][2]*ast.Term, 0, held.Len()+1)
	held.Foreach(func(k, s *ast.Term) { more = append(more, item(k, s)) })
	return ast.ObjectTerm(append(more, item(place.facts().id, f.standing(place)))...)
}

func (f *userFacts) buildStandings() *ast.Term {
	standings := ast.NewObject()
	for _, at := range f.held[:min(len(f.held), maxStandings)] {
		standings.Insert(at.facts().id, f.standing(at))
	}
	all := sorted(ast.NewTerm(standings))
	f.mu.Lock()
	defer f.mu.Unlock()
	f.standings = all
	return all
}

func (f *userFacts) holdsAbove(place *Location) bool {
	for _, at := range f.held {
		if place.CoveredBy(at.rec.ID) {
			return true
		}
	}
	return false
}
