package record

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// Tree is the checked locations of one organization. It is immutable.
type Tree struct {
	*Forest
	Root   *facts.Location
	Faults error                // why the tree must not be used; nil if it may be used
	faulty map[string]*Location // its records; nil if it may be used
}

// errTree means that the locations do not form one organization.
var errTree = errors.New("the locations are not those of one organization")

// Tree checks and joins the locations of an organization. faults are those found when the locations were read. A
// location that has not changed since previous is kept, with everything derived from it; previous may be nil. An error
// means that the organization cannot be determined.
func (v *Validator) Tree(locations []Location, faults *Faults, version uint64, previous *Tree) (*Tree, error) {
	t := &Tree{}
	checked := slices.Clone(locations)
	v.CheckLocations(checked, faults)
	rootID := ""
	for i := range locations {
		l := &locations[i]
		if l.Parent == "" && l.ID != "" && l.ID != Unreadable {
			if rootID != "" {
				return nil, fmt.Errorf("%w: it has two roots", errTree)
			}
			rootID = l.ID
		}
	}
	if rootID == "" {
		return nil, fmt.Errorf("%w: it has no root", errTree)
	}
	if t.Faults = faults.Err(); t.Faults != nil {
		// Only the root is known of a tree that must not be used.
		t.faulty = make(map[string]*Location, len(locations))
		for i := range locations {
			t.faulty[locations[i].ID] = &locations[i]
		}
		t.Root = facts.NewLocation(facts.LocationRecord{ID: rootID}, nil, version)
		return t, nil
	}
	var before *Forest
	if previous != nil {
		before = previous.Forest
	}
	t.Forest = NewForest(checked, version, before)
	t.Root = t.ByID(rootID)
	return t, nil
}

// Join checks a user against the trees of its assignments and joins them. found are the faults found when the user was
// read. locate returns the tree that contains a location; nil if the location is unknown. If any part must not be used,
// the error is a [*facts.Suspended] that names the affected organizations: a fault in the part about one organization
// does not affect the others.
func (v *Validator) Join(u *User, found *Faults, version uint64, locate func(location string) *Tree) (*facts.User, error) {
	faults := &Faults{total: found.total, found: slices.Clone(found.found)}
	locations := make(map[string]*Location, 2*len(u.Assignments))
	suspended := map[string]error{}
	var cause error
	for _, a := range u.Assignments {
		t := locate(a.Location)
		if t == nil {
			continue
		}
		if t.Faults != nil {
			cause = fmt.Errorf("organization %s: %w", membership.Quote(t.Root.ID()), t.Faults)
			suspended[t.Root.ID()] = cause
		}
		for l := t.ByID(a.Location); l != nil; l = l.Parent() {
			locations[l.ID()] = checkedLocation(l)
		}
	}
	c := checker{vocab: vocabulary{v.Vocabulary}, faults: faults, locations: locations, suspended: func(location string) bool {
		t := locate(location)
		return t != nil && t.Faults != nil
	}}
	c.checkUsers([]User{*u})
	if err := faults.Err(); err != nil {
		cause = err
		for _, organization := range faults.organizations(locate) {
			suspended[organization] = err
		}
	}
	at := func(id string) *facts.Location {
		if t := locate(id); t != nil && t.Faults == nil {
			return t.ByID(id)
		}
		return nil
	}
	if cause != nil {
		return nil, &facts.Suspended{User: facts.NewSuspendedUser(u.UserRecord, version, at, suspended), Err: cause}
	}
	return facts.NewUser(u.UserRecord, version, at)
}

// checkedLocation returns the record of a location that has no faults.
func checkedLocation(l *facts.Location) *Location {
	return &Location{LocationRecord: l.Record(), About: Subject{List: LocationList, ID: l.ID()}}
}

// organizations returns the organizations whose part of a user's record has a fault. "" stands for the record itself.
func (f *Faults) organizations(locate func(location string) *Tree) []string {
	if f.total > len(f.found) {
		return []string{""}
	}
	var all []string
	for _, one := range f.found {
		organization := ""
		if one.about.assignment > 0 {
			organization = locate(one.about.location).organizationOf(one.about.location)
		}
		all = append(all, organization)
	}
	return all
}

// organizationOf returns the id of the organization of a location; "" if unknown.
func (t *Tree) organizationOf(location string) string {
	switch {
	case t == nil:
		return ""
	case t.Faults != nil:
		return t.Root.ID()
	}
	if l := t.ByID(location); l != nil {
		return l.Organization()
	}
	return ""
}

// Has reports whether a tree contains a location. A tree that must not be used contains every location that has a
// record.
func (t *Tree) Has(location string) bool { return t.ByID(location) != nil || t.faulty[location] != nil }

// IDs iterates over the ids of the locations of a tree, even if the tree must not be used.
func (t *Tree) IDs() iter.Seq[string] {
	if t.Forest == nil {
		return maps.Keys(t.faulty)
	}
	return maps.Keys(t.Ordinal)
}

// SameIDs reports whether two trees have the same locations, whatever else is different.
func (t *Tree) SameIDs(other *Tree) bool {
	return t.Forest != nil && other.Forest != nil && slices.EqualFunc(t.All, other.All, func(a, b *facts.Location) bool { return a.ID() == b.ID() })
}

// InOrder returns the records of a tree in ascending order of their ids. The tree must be usable.
func (t *Tree) InOrder() []Location {
	all := make([]Location, 0, len(t.All))
	for _, l := range t.All {
		all = append(all, *checkedLocation(l))
	}
	return all
}

// Suspended returns a [*facts.Suspended] with what is known about a location of a tree that must not be used.
func (t *Tree) Suspended(location string) error {
	root, at := facts.LocationRecord{ID: t.Root.ID()}, facts.LocationRecord{ID: location}
	if l := t.faulty[root.ID]; l != nil && l.Model != Unreadable {
		root.Model, root.Kind = l.Model, l.Kind
	}
	if l := t.faulty[location]; l != nil && l.Kind != Unreadable {
		at.Kind, at.Model = l.Kind, l.Model
	}
	return &facts.Suspended{Location: facts.NewSuspendedLocation(root, at), Err: t.Faults}
}
