package review

import (
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// targets are users of an organization who are alike to everybody but themselves.
type targets struct {
	members []int
	// places are where they are assigned, those above, and beneath each of these the first location of each kind where they are not
	// assigned.
	places []*facts.Location
	// beneath are the first locations of each kind beneath the one that is reviewed where they are not assigned.
	beneath []*facts.Location
}

// targetsIn returns the users of an organization.
func (r *run) targetsIn(root *location) []*targets {
	if r.targetsOf != nil {
		return r.targetsOf
	}
	users := r.Directory.AllUsers()
	r.targetsOf = []*targets{}
	for _, same := range r.alikeAmong(root.usersBeneath()) {
		members := [][]int{same.members}
		if r.Each {
			members = slices.Collect(slices.Chunk(same.members, 1))
		}
		for _, some := range members {
			r.targetsOf = append(r.targetsOf, &targets{members: some, places: r.placesFor(users[some[0]], root)})
		}
	}
	return r.targetsOf
}

func (r *run) placesFor(user *facts.User, root *location) (all []*facts.Location) {
	for _, a := range user.Assignments() {
		for above := a.At; above != nil && above.Root() == root.Location; above = above.Parent() {
			all = adding(all, above)
		}
	}
	all = adding(all, root.Location)
	for _, l := range slices.Clone(all) {
		all = adding(all, r.unassignedBeneath(user, r.at[l.ID()])...)
	}
	return all
}

func (r *run) unassignedBeneath(user *facts.User, at *location) []*facts.Location {
	return firstOfEachKind(at, func(l *location) bool { return user.AssignmentAt(l.ID()) == nil })
}

func (r *run) numberAll(all []*facts.Location) {
	r.count(len(all))
	for _, l := range all {
		r.number(l)
	}
}

// adding adds those of some locations that are not there yet.
func adding(to []*facts.Location, more ...*facts.Location) []*facts.Location {
	for _, l := range more {
		if !slices.Contains(to, l) {
			to = append(to, l)
		}
	}
	return to
}

// firstOfEachKind returns the first location of each kind at or beneath one for which something is true.
func firstOfEachKind(at *location, is func(*location) bool) (all []*facts.Location) {
	for _, same := range at.kinds() {
		if i := slices.IndexFunc(same, is); i >= 0 {
			all = append(all, same[i].Location)
		}
	}
	return all
}

// stands returns where somebody who holds a role at a location may stand to use it: there, at places beneath, and at one of each kind
// where no role of theirs reaches.
func stands(subject *facts.User, at *location, places []*facts.Location) []*facts.Location {
	froms := []*facts.Location{at.Location}
	var elsewhere []string
	for _, l := range places {
		switch {
		case l.CoveredBy(at.ID()):
			froms = adding(froms, l)
		case !slices.ContainsFunc(subject.Assignments(), func(a facts.Assignment) bool { return l.CoveredBy(a.Location) }) && !slices.Contains(elsewhere, l.Kind()):
			froms, elsewhere = adding(froms, l), append(elsewhere, l.Kind())
		}
	}
	return froms
}

// standing is where the subject stands and the locations that a question from there may name.
type standing struct {
	from   *facts.Location // nil: nowhere
	places []*facts.Location
}
