package world

import (
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/proof/diagram"
)

// account adds what is known of both accounts.
func (a *aspects) account() {
	status := func(person string, deactivated diagram.Node) {
		a.add(Aspect{Before: "the " + person + "'s account is ", Plain: facts.StatusActive, Values: []AspectValue{
			{facts.StatusActive, a.Not(deactivated)}, {facts.StatusDeactivated, deactivated},
		}}, "")
	}
	status("subject", a.is("subject status", facts.StatusDeactivated))
	other, self := a.is("whom", theOther, byUsername), a.is("whom", oneself, selfByName)
	user := a.is("kind", "user")
	status("user", a.And(user, a.And(other, a.is("user status", facts.StatusDeactivated))))

	there := Aspect{Before: "the user is ", After: " there", Any: "assigned", But: []string{"not assigned"}}
	concerned := map[string]diagram.Node{"user": other, "subject": self}
	byRole := map[string]diagram.Node{}
	var roles []string
	inactive, isDefault, more := diagram.False, diagram.False, diagram.False
	for _, l := range a.tree.locations {
		for person, who := range concerned {
			when := a.And(user, a.And(who, a.placeIs(l.id)))
			active := a.And(when, a.active(person, l.id))
			role := a.role(person, l.id)
			for _, leaf := range a.Leaves(role) {
				name := textOf(a.TermOf(leaf))
				if leaf == diagram.Undefined {
					continue
				}
				if _, ok := byRole[name]; !ok {
					byRole[name] = diagram.False
					roles = append(roles, name)
				}
				byRole[name] = a.Or(byRole[name], a.And(active, a.Is(role, leaf)))
			}
			inactive = a.Or(inactive, a.Except(a.And(when, a.assigned(person, l.id)), a.active(person, l.id)))
			isDefault = a.Or(isDefault, a.And(when, a.is(person+" default", l.id)))
			for _, o := range a.tree.locations {
				if o.id != l.id && !o.foreign {
					more = a.Or(more, a.And(when, a.active(person, o.id)))
				}
			}
		}
	}
	slices.Sort(roles)
	for _, name := range roles {
		there.Values = append(there.Values, AspectValue{name, byRole[name]})
	}
	there.Values = append(there.Values, AspectValue{"invited or deactivated", inactive})
	a.add(there, "not assigned")
	a.membership(concerned)
	a.add(Aspect{Before: "that location is ", Values: []AspectValue{{"the user's default", isDefault}}}, "not the user's default")
	a.within(concerned)
	a.add(Aspect{Before: "the user has ", Values: []AspectValue{{"another active assignment in the organization", more}}}, "no other active assignment in the organization")
}

// within tells whether a user has an assignment, active or not, at the location where the subject stands or beneath it. The users that a
// question may be about are given with where it is.
func (a *aspects) within(users map[string]diagram.Node) {
	beneath, anywhere := diagram.False, diagram.False
	for _, l := range a.tree.locations {
		if l.foreign {
			continue
		}
		for person, is := range users {
			assigned := a.And(a.is("kind", "user"), a.And(is, a.assigned(person, l.id)))
			anywhere = a.Or(anywhere, assigned)
			for _, above := range a.tree.above(l.id) {
				if here, ok := a.base[above]; ok {
					beneath = a.Or(beneath, a.And(assigned, here))
				}
			}
		}
	}
	where, nowhere := "where they stand", "not assigned in the organization"
	if a.facts.NeedsNoCurrentLocation {
		where = "at that location"
	}
	a.add(Aspect{Before: "the user is ", Any: "assigned in the organization", But: []string{nowhere}, Values: []AspectValue{
		{"assigned " + where + " or beneath", beneath}, {"assigned elsewhere in the organization alone", anywhere},
	}}, nowhere)
}

// membership tells what role a user has at the top of the organization, and in a practice group whether the user is active in it.
func (a *aspects) membership(users map[string]diagram.Node) {
	top := a.tree.locations[0]
	role, status := Aspect{Before: "the user is ", After: " at the " + top.kind}, Aspect{Before: "the user's membership of the group is "}
	for _, name := range a.vocabulary.Roles[top.kind] {
		role.Values = append(role.Values, AspectValue{name, a.ofAny(users, func(person string) diagram.Node {
			return a.Is(a.role(person, top.id), a.Text(name))
		})})
	}
	a.add(role, "not assigned")
	if top.kind != "group" {
		return
	}
	for _, name := range []string{facts.StatusActive, facts.StatusInvited, facts.StatusDeactivated} {
		status.Values = append(status.Values, AspectValue{name, a.ofAny(users, func(person string) diagram.Node {
			return a.Is(a.status(person, top.id), a.Text(name))
		})})
	}
	a.add(status, "none")
}

// ofAny returns where something holds of the user that a question is about.
func (a *aspects) ofAny(users map[string]diagram.Node, holds func(person string) diagram.Node) diagram.Node {
	any := diagram.False
	for person, is := range users {
		any = a.Or(any, a.And(a.is("kind", "user"), a.And(is, holds(person))))
	}
	return any
}

// target tells of the location to which something shall move.
func (a *aspects) target() {
	if _, ok := a.index[newLocation]; !ok {
		return
	}
	kinds := map[string]diagram.Node{}
	var sorted []string
	there, elsewhere := diagram.False, diagram.False
	for _, l := range a.tree.locations {
		to := a.is(newLocation, l.id)
		if l.foreign {
			elsewhere = a.Or(elsewhere, to)
			continue
		}
		if _, ok := kinds[l.kind]; !ok {
			kinds[l.kind] = diagram.False
			sorted = append(sorted, l.kind)
		}
		kinds[l.kind] = a.Or(kinds[l.kind], to)
		for person, is := range map[string]diagram.Node{"user": a.is("whom", theOther, byUsername), "subject": a.is("whom", oneself, selfByName)} {
			there = a.Or(there, a.And(to, a.And(is, a.assigned(person, l.id))))
		}
	}
	kind := Aspect{Before: "the new location is "}
	for _, name := range sorted {
		kind.Values = append(kind.Values, AspectValue{article(name), kinds[name]})
	}
	kind.Values = append(kind.Values, AspectValue{"one of another organization", elsewhere}, AspectValue{"not given", a.is(newLocation, absent, null, empty)})
	a.add(kind, "unknown")
	a.add(Aspect{Before: "the user is ", After: " at the new location", Values: []AspectValue{{"assigned", there}}}, "not assigned")
}

const newLocation = "set new_location"
