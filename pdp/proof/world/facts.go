package world

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/proof/diagram"
)

// factsOf builds the facts of a question as functions, as package facts does for one question.
type factsOf struct {
	*World
	knownSubject diagram.Node
	// at has, for each location where the subject can stand, where it is the current location; governed is where an organization's
	// rules apply.
	at       map[string]diagram.Node
	governed diagram.Node
	onlyHeld map[string]diagram.Node
}

func (f *factsOf) build() diagram.Node {
	f.stand()
	return f.object(append(f.invitation(), f.members()...)...)
}

// stand finds out where the subject stands.
func (f *factsOf) stand() {
	f.knownSubject = f.is("who", known)
	f.onlyHeld = map[string]diagram.Node{}
	for _, l := range f.tree.locations {
		f.onlyHeld[l.id] = f.holdsOnly("subject", l.id)
	}
	f.at, f.governed = map[string]diagram.Node{}, diagram.False
	for _, l := range f.tree.locations {
		here := f.Or(f.is("current", l.id), f.And(f.is("current", absent), f.And(f.knownSubject, f.onlyHeld[l.id])))
		governs := here
		if f.facts.NeedsNoCurrentLocation {
			here, governs = diagram.False, f.named(l.id)
		}
		f.at[l.id] = here
		if !l.foreign {
			f.governed = f.Or(f.governed, governs)
		}
	}
}

// everywhere returns where a person's assignments in every organization count, instead of those in the one whose rules apply.
func (f *factsOf) everywhere(person string) diagram.Node {
	if f.facts.Model != "" || person == "subject" && f.facts.CrossesOrganizations {
		return diagram.True
	}
	return f.Not(f.governed)
}

// named returns where a question names a location as its place.
func (f *factsOf) named(id string) diagram.Node {
	return f.And(f.is("place", id), f.is("kind", "user", "location"))
}

func (f *factsOf) members() []member {
	governed := f.governed
	model, organization := f.where(governed, f.Text(f.tree.model)), f.where(governed, f.object(member{"id", f.Text(f.tree.locations[0].id)}))
	if f.facts.Model != "" {
		model, organization, governed = f.Text(f.facts.Model), diagram.Undefined, diagram.False
	}
	askable := f.governed
	if f.facts.Model != "" {
		askable = diagram.True
	}
	subject := f.Ite(governed, f.user("subject", false), f.user("subject", true))
	user := f.Ite(governed, f.user("user", false), f.user("user", true))
	whom := f.Ite(f.is("whom", theOther, byUsername), user, f.where(f.is("whom", oneself, selfByName), subject))
	return []member{
		{"model", model},
		{"organization", organization},
		{"subject", f.where(f.knownSubject, subject)},
		{"user", f.where(f.And(f.is("kind", "user"), askable), whom)},
		{"current", f.current()},
		{"place", f.place()},
		{"standings", f.standings()},
		{"target", f.target()},
		{"locations", f.locations()},
		{"facilities", f.facilities()},
	}
}

// role, active and status return what a person has at a location.
func (f *factsOf) role(person, id string) diagram.Node {
	if f.isPractice(id) {
		return f.where(f.assigned(person, id), f.role(person, f.tree.at(id).parent))
	}
	return f.function(person+" at "+id, func(v string) diagram.Node {
		if v == none {
			return diagram.Undefined
		}
		role, _ := roleAndStatus(v)
		return f.Text(role)
	})
}

func (f *factsOf) isPractice(id string) bool {
	return f.tree.modelOf(id) == facts.ModelPracticeGroup && f.tree.at(id).parent != ""
}

func (f *factsOf) assigned(person, id string) diagram.Node {
	return f.Not(f.is(person+" at "+id, none))
}

func (f *factsOf) status(person, id string) diagram.Node {
	return f.function(person+" at "+id, func(v string) diagram.Node {
		switch {
		case v == none:
			return diagram.Undefined
		case f.isPractice(id):
			return f.Text(v)
		}
		_, status := roleAndStatus(v)
		return f.Text(status)
	})
}

func (f *factsOf) active(person, id string) diagram.Node {
	active := f.Is(f.status(person, id), f.Text(facts.StatusActive))
	if f.isPractice(id) {
		active = f.And(active, f.active(person, f.tree.at(id).parent))
	}
	return active
}

func (f *factsOf) holdsOnly(person, id string) diagram.Node {
	only := f.active(person, id)
	for _, l := range f.tree.locations {
		if l.id != id {
			only = f.Except(only, f.active(person, l.id))
		}
	}
	return only
}

// user returns the facts of a person, as the organization or, with all, everybody sees them.
func (f *factsOf) user(person string, all bool) diagram.Node {
	var assignments, held []member
	within := map[string]diagram.Node{}
	any := diagram.False
	for _, l := range f.tree.locations {
		assigned := f.assigned(person, l.id)
		any = f.Or(any, assigned)
		if l.foreign && !all {
			continue
		}
		role := f.role(person, l.id)
		own := []member{{"role", role}, {"status", f.status(person, l.id)}}
		if l.kind == "group" && !l.foreign {
			own = append(own, member{"access", f.access(person)})
		}
		assignments = append(assignments, member{l.id, f.where(assigned, f.object(own...))})
		held = append(held, member{l.id, f.where(f.active(person, l.id), role)})
		for _, above := range f.tree.above(l.id) {
			if _, ok := within[above]; !ok {
				within[above] = diagram.False
			}
			within[above] = f.Or(within[above], assigned)
		}
	}
	var inside []member
	for id, when := range within {
		inside = append(inside, member{id, f.where(when, diagram.True)})
	}
	return f.object(
		member{"id", f.Text(person)},
		member{"username", f.Text(usernames[person])},
		member{"status", f.function(person+" status", f.Text)},
		member{"default_location", f.function(person+" default", func(v string) diagram.Node {
			if v == none {
				return diagram.Undefined
			}
			return f.Text(v)
		})},
		member{"assigned", f.truth(any)},
		member{"assignments", f.object(assignments...)},
		member{"held", f.object(held...)},
		member{"within", f.object(inside...)},
	)
}

func (f *factsOf) truth(condition diagram.Node) diagram.Node {
	return f.Ite(condition, diagram.True, f.Term(ast.BooleanTerm(false)))
}

// access returns the access of a person in the practice group: a level, none, or no record of access at all.
func (f *factsOf) access(person string) diagram.Node {
	var areas []member
	for _, area := range f.areas {
		areas = append(areas, member{area, f.function(person+" "+area, func(value string) diagram.Node { return f.Term(termOf("", value)) })})
	}
	level := f.function(person+" level", func(v string) diagram.Node {
		if v == none {
			return diagram.Undefined
		}
		return f.Term(termOf("", v))
	})
	return f.where(f.Not(f.is(person+" level", none)), f.object(member{"level", level}, member{"areas", f.object(areas...)}))
}

// location returns the facts of a location.
func (f *factsOf) location(id string, more ...member) diagram.Node {
	var path []member
	for _, above := range f.tree.above(id) {
		path = append(path, member{above, diagram.True})
	}
	members := append(more, member{"id", f.Text(id)}, member{"kind", f.Text(f.tree.at(id).kind)}, member{"model", f.Text(f.tree.modelOf(id))},
		member{"organization", f.Text(f.tree.root(id).id)}, member{"path", f.object(path...)})
	if f.tree.hasPlan(id) {
		members = append(members, member{"plan", f.function("plan", f.Text)})
	}
	return f.object(members...)
}

// standing returns the facts of a location with the roles that the subject holds at it and above.
func (f *factsOf) standing(id string) diagram.Node {
	var held []member
	for _, above := range f.tree.above(id) {
		held = append(held, member{above, f.where(f.active("subject", above), f.role("subject", above))})
	}
	return f.location(id, member{"held", f.object(held...)})
}

// unknownLocation returns the facts of a location that nobody knows.
func (f *factsOf) unknownLocation(variable string) diagram.Node {
	return f.function(variable, func(v string) diagram.Node {
		switch v {
		case unknown:
			return f.object(member{"id", f.Term(termOf("", unknown))})
		case number:
			return f.object()
		}
		return diagram.Undefined
	})
}

func (f *factsOf) current() diagram.Node {
	if f.facts.NeedsNoCurrentLocation {
		return diagram.Undefined
	}
	current := f.unknownLocation("current")
	for id, here := range f.at {
		current = f.Ite(here, f.Ite(f.knownSubject, f.standing(id), f.location(id)), current)
	}
	return current
}

func (f *factsOf) place() diagram.Node {
	named := f.is("kind", "user", "location")
	place := f.where(named, f.unknownLocation("place"))
	for _, l := range f.tree.locations {
		place = f.Ite(f.named(l.id), f.location(l.id), place)
	}
	unnamed := f.Not(f.And(named, f.Not(f.is("place", absent, null, empty))))
	for id, here := range f.at {
		place = f.Ite(f.And(unnamed, here), f.location(id), place)
	}
	return place
}

// standings returns the facts of the locations that the subject holds, and of the place if the subject holds a role at it or above.
func (f *factsOf) standings() diagram.Node {
	if f.facts.NeedsNoCurrentLocation {
		return diagram.Undefined
	}
	everywhere := f.everywhere("subject")
	visible := func(id string) diagram.Node {
		active := f.active("subject", id)
		if f.tree.at(id).foreign {
			active = f.And(active, everywhere)
		}
		return active
	}
	var members []member
	for _, l := range f.tree.locations {
		above := diagram.False
		for _, id := range f.tree.above(l.id) {
			above = f.Or(above, visible(id))
		}
		stands := f.Or(visible(l.id), f.And(f.named(l.id), above))
		members = append(members, member{l.id, f.where(stands, f.standing(l.id))})
	}
	return f.where(f.knownSubject, f.object(members...))
}

func (f *factsOf) target() diagram.Node {
	if !f.facts.Has("new_location") {
		return diagram.Undefined
	}
	return f.function("set new_location", func(v string) diagram.Node {
		switch {
		case f.tree.at(v) != nil:
			return f.location(v)
		case v == unknown:
			return f.object(member{"id", f.Term(termOf("", unknown))})
		}
		return diagram.Undefined
	})
}

// list returns where a member is a list of texts, and not an empty one.
func (f *factsOf) list(name string) diagram.Node {
	any := diagram.False
	for _, id := range append(f.tree.ids(), unknown) {
		any = f.Or(any, f.is(name+" "+id, yes))
	}
	return f.And(any, f.And(f.is(name, list), f.is(name+" "+number, no)))
}

func (f *factsOf) locations() diagram.Node {
	any := diagram.False
	found := map[string]diagram.Node{}
	for _, id := range f.tree.ids() {
		found[id] = diagram.False
	}
	if f.facts.Has("locations") {
		any = f.list("set locations")
		for id := range found {
			found[id] = f.And(any, f.is("set locations "+id, yes))
		}
	}
	if f.facts.Has("system") {
		any = f.Or(any, f.Defined(f.textAt("set system")))
		for id := range found {
			found[id] = f.Or(found[id], f.is("set system", id))
		}
	}
	var members []member
	for id, when := range found {
		members = append(members, member{id, f.where(when, f.location(id))})
	}
	return f.where(any, f.object(members...))
}

func (f *factsOf) facilities() diagram.Node {
	if _, ok := f.index["patient locations"]; !ok {
		return diagram.Undefined
	}
	var members []member
	for _, id := range f.tree.ids() {
		members = append(members, member{id, f.where(f.is("patient locations "+id, yes), f.location(id))})
	}
	return f.where(f.And(f.is("kind", "patient"), f.list("patient locations")), f.object(members...))
}

// invitation returns the facts of an invitation: the usernames as they are compared, and another account that has the new
// one's.
func (f *factsOf) invitation() []member {
	if !f.facts.Has("username") {
		return nil
	}
	asked := f.function("set username", func(v string) diagram.Node {
		if t := textOf(termOf("", v)); facts.IsUsername(t) {
			return f.Text(t)
		}
		return diagram.Undefined
	})
	judged := f.And(f.is("kind", "user"), f.Defined(asked))
	folded := func(n diagram.Node) diagram.Node {
		return f.Map(f.Operation("fold"), n, func(leaf diagram.Node) diagram.Node {
			if leaf == diagram.Undefined {
				return leaf
			}
			return f.Text(fold(textOf(f.TermOf(leaf))))
		})
	}
	members := []member{{"username", folded(asked)}}
	confirmation := diagram.Undefined
	if slices.Contains(f.World.properties, "username_confirmation") {
		confirmation = f.textAt("set username_confirmation")
	}
	members = append(members, member{"username_confirmation", folded(confirmation)}, member{"account", f.function("whom", func(v string) diagram.Node {
		switch v {
		case theOther, byUsername:
			return f.Text(fold(usernames["user"]))
		case oneself, selfByName:
			return f.Text(fold(usernames["subject"]))
		}
		return diagram.Undefined
	})})
	namesake := diagram.Undefined
	if f.facts.Has("new") {
		namesake = f.Map(f.Operation("namesake"), asked, func(leaf diagram.Node) diagram.Node {
			if leaf != diagram.Undefined {
				for _, person := range people {
					if t := textOf(f.TermOf(leaf)); t == person || strings.EqualFold(t, usernames[person]) {
						return f.object(member{"id", f.Text(person)})
					}
				}
			}
			return diagram.Undefined
		})
		namesake = f.where(f.And(judged, f.is("set new", yes)), namesake)
	}
	return []member{{"folded", f.where(judged, f.object(members...))}, {"namesake", namesake}}
}

// valid returns where the directory has no fault and the question is one that can be asked, once of those that are alike.
func (f *factsOf) valid() diagram.Node {
	valid := diagram.True
	for _, person := range people {
		regional := diagram.False
		for _, l := range f.tree.locations {
			assigned := f.assigned(person, l.id)
			if f.isPractice(l.id) {
				valid = f.Except(valid, f.Except(assigned, f.assigned(person, l.parent)))
			}
			if f.tree.modelOf(l.id) == facts.ModelRegional {
				regional = f.Or(regional, assigned)
			}
			valid = f.Except(valid, f.Except(f.is(person+" default", l.id), assigned))
		}
		valid = f.Except(valid, f.And(regional, f.is(person+" default", none)))
	}
	// A resource of the type location has an id.
	valid = f.Except(valid, f.And(f.is("kind", "location"), f.is("place", absent, null, empty, number)))
	for _, l := range f.tree.locations {
		if l.stands {
			continue
		}
		valid = f.Except(valid, f.at[l.id])
		if f.facts.NeedsNoCurrentLocation && f.facts.Model == "" {
			valid = f.Except(valid, f.named(l.id))
		}
	}
	return valid
}
