package review

import (
	"errors"
	"maps"
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// location is a location with those beneath it and those assigned there.
type location struct {
	*facts.Location
	children []*location
	byKind   [][]*location // the locations at or beneath it; nil until needed
	users    []int         // with an assignment here, of any status
}

// readPolicies reads what the policies ask about, and the texts that they know.
func (r *shared) readPolicies() error {
	policies := []*pdp.Policy{r.Reviewers[0].Policy()}
	if r.comparing() {
		policies = append(policies, r.Was[0].Policy())
		r.readForms(policies...)
	} else {
		_ = r.readActions(policies[0])
	}
	r.names = map[string]bool{}
	for _, p := range policies {
		names, err := p.Revision().Names(r.ctx)
		if err != nil {
			return err
		}
		maps.Copy(r.names, names)
	}
	return nil
}

// LeftOut returns the actions of a policy that a review does not ask about, sorted: those on other types of resources than it knows,
// those on users that need no current location, which are what somebody does with an account of their own, and those that cross
// organizations to anything but a location.
func LeftOut(policy *pdp.Policy) []string { return new(shared).readActions(policy) }

// readActions sorts the actions by what they are asked about, and returns those that are not.
func (r *shared) readActions(policy *pdp.Policy) (leftOut []string) {
	r.empowering = map[string]bool{}
	for _, name := range policy.Actions() {
		a, _ := policy.FactsOf(name)
		kind := policy.ResourceType(name)
		if a.NeedsNoCurrentLocation {
			if over := overUse[kind]; over != "" {
				r.uses = append(r.uses, use{name, kind, over})
			} else {
				leftOut = append(leftOut, name)
			}
			continue
		}
		r.seesAll = r.seesAll || a.Model != ""
		switch {
		case a.CrossesOrganizations && kind == "location":
			r.crossing = append(r.crossing, name)
		case a.CrossesOrganizations:
			leftOut = append(leftOut, name)
			continue
		case kind == "user":
			r.onUsers = append(r.onUsers, name)
			if a.Has("new") {
				r.onNewUsers = append(r.onNewUsers, name)
			}
		case kind == "location":
			r.onLocations = append(r.onLocations, name)
		default:
			leftOut = append(leftOut, name)
			continue
		}
		for _, role := range policy.Roles(name) {
			r.empowering[role] = true
		}
		if len(policy.Roles(name)) == 0 {
			r.empowering[""] = true
		}
	}
	return leftOut
}

func (r *shared) readDirectory() {
	all := r.Directory.AllLocations()
	r.at = make(map[string]*location, len(all))
	for _, l := range all {
		at := &location{Location: l}
		r.at[l.ID()] = at
		r.locations = append(r.locations, at)
	}
	for _, l := range r.locations {
		if l.Parent() == nil {
			r.roots = append(r.roots, l)
			continue
		}
		above := r.at[l.Parent().ID()]
		above.children = append(above.children, l)
	}
	users := r.Directory.AllUsers()
	for i, u := range users {
		for _, a := range u.Assignments() {
			at := r.at[a.Location]
			at.users = append(at.users, i)
		}
	}
	r.counts.Users, r.counts.Locations, r.counts.Organizations = len(users), len(all), len(r.roots)
}

// findUnknown finds ids that nobody and no location has.
func (r *shared) findUnknown() error {
	for r.unknownUser = "new"; ; r.unknownUser += "-" {
		u, err := r.Directory.User(r.ctx, r.unknownUser)
		named, fault := r.Directory.UserByUsername(r.ctx, r.unknownUser)
		if err := errors.Join(err, fault); err != nil {
			return err
		}
		if u == nil && named == nil {
			break
		}
	}
	for r.unknownLocation = "new"; r.at[r.unknownLocation] != nil; {
		r.unknownLocation += "-"
	}
	return nil
}

// walk visits a location and those beneath it, in order, until visit returns false.
func (l *location) walk(visit func(*location) bool) bool {
	if !visit(l) {
		return false
	}
	for _, child := range l.children {
		if !child.walk(visit) {
			return false
		}
	}
	return true
}

// usersBeneath returns the users with an assignment at the location or beneath, in order, each once.
func (l *location) usersBeneath() []int {
	var all []int
	l.walk(func(at *location) bool {
		all = append(all, at.users...)
		return true
	})
	slices.Sort(all)
	return slices.Compact(all)
}
