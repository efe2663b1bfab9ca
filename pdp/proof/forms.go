package proof

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/proof/diagram"
	"github.com/wardkeeper/wardkeeper/pdp/proof/explore"
	"github.com/wardkeeper/wardkeeper/pdp/proof/world"
)

// Form is what a question says besides who asks, from where, about whom and which place. Some questions of the form are allowed by one
// policy and denied by the other.
type Form struct {
	Kind     Kind           // [Granted] or [Revoked]
	About    string         // [world.KnownUser], [world.UnknownUser], [world.AnyLocation] or [world.AnyPatient]
	Action   authzen.Action // without the properties of Location and Locations
	Subject  map[string]any // properties
	Resource map[string]any // properties but the location, and the locations of a patient
	Context  map[string]any // but the current location
	// Location and Locations are the properties of the action that name a location, and a list of them: of any in the directory.
	Location, Locations []string
}

// ChangedForms are the forms of one action: who is denied what they were allowed, or the reverse, is so by a question of one of them.
type ChangedForms struct {
	Action string
	Forms  []Form
	// Complete is set if that holds of everybody within the bound. Otherwise there are questions that none of the forms has.
	Complete bool
}

// maxForms limits the forms of one action.
const maxForms = 64

// findForms adds the forms of the questions in a part that are allowed by one policy alone.
func (r *comparer) findForms(part *explore.Part, changes []explore.Change) {
	if !slices.ContainsFunc(changes, allowsOtherwise) {
		return
	}
	found, complete := formsIn(part, changes, []string{r.Was.ResourceType(part.Question.Action), r.Is.ResourceType(part.Question.Action)})
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.forms[part.Question.Action]
	if all == nil {
		all = &ChangedForms{Action: part.Question.Action, Complete: true}
		r.forms[all.Action] = all
	}
	all.Complete = all.Complete && complete
	for _, f := range found {
		if slices.ContainsFunc(all.Forms, func(known Form) bool { return bytes.Equal(f.key(), known.key()) }) {
			continue
		}
		if len(all.Forms) == maxForms {
			all.Complete = false
			return
		}
		all.Forms = append(all.Forms, f)
	}
}

// sortedForms returns what was found, by action.
func (r *comparer) sortedForms() (all []ChangedForms) {
	for _, action := range slices.Sorted(maps.Keys(r.forms)) {
		f := r.forms[action]
		slices.SortFunc(f.Forms, func(a, b Form) int { return bytes.Compare(a.key(), b.key()) })
		all = append(all, *f)
	}
	return all
}

func (f *Form) key() []byte {
	key, err := json.Marshal(f)
	if err != nil {
		panic(err) // what came from JSON goes back
	}
	return key
}

// allowsOtherwise reports whether one policy allows what the other denies.
func allowsOtherwise(c explore.Change) bool {
	kind := kindOf(c)
	return kind == Granted || kind == Revoked
}

// resourceOf has the type of the resource that forms are about.
var resourceOf = map[string]string{world.KnownUser: "user", world.UnknownUser: "user", world.AnyLocation: "location", world.AnyPatient: "patient"}

// formsIn returns forms such that everybody who asks a question of the part about a type of resource of the action, and is answered
// otherwise whether it is allowed, has one of these.
func formsIn(part *explore.Part, changes []explore.Change, resources []string) (forms []Form, complete bool) {
	err := func() (err error) {
		defer diagram.Guard(&err)
		complete = true
		for _, kind := range []Kind{Granted, Revoked} {
			changed := diagram.False
			for _, c := range changes {
				if kindOf(c) == kind {
					changed = part.Or(changed, c.Condition)
				}
			}
			for about, resource := range resourceOf {
				if !slices.Contains(resources, resource) {
					continue
				}
				found, all := covering(part, kind, about, part.And(changed, part.About(about)))
				forms, complete = append(forms, found...), complete && all
			}
		}
		return nil
	}()
	return forms, complete && err == nil
}

// covering returns forms such that everybody who asks one of the questions where a condition holds has one of these.
func covering(part *explore.Part, kind Kind, about string, where diagram.Node) (forms []Form, complete bool) {
	complete = true
	for left := where; left != diagram.False; {
		if len(forms) == maxForms {
			return forms, false
		}
		values := part.Smallest(left, part.Cost)
		form := formOf(part, about, values)
		form.Kind = kind
		forms, complete = append(forms, form), complete && len(form.Locations) == 0 && !part.OfPatient(values) // lists are of one location
		left = part.Except(left, part.Exists(part.And(where, part.Alike(values)), part.Said()))
	}
	return forms, complete
}

func formOf(part *explore.Part, about string, values []int) Form {
	q := part.Case(values).Question
	f := Form{About: about, Action: q.Action, Subject: q.Subject.Properties, Resource: q.Resource.Properties, Context: q.Context}
	f.Location, f.Locations = part.Named(values)
	f.Action.Properties = without(f.Action.Properties, slices.Concat(f.Location, f.Locations)...)
	f.Resource = without(f.Resource, "location")
	if part.OfPatient(values) {
		f.Resource = without(f.Resource, "locations")
	}
	f.Context = without(f.Context, "current_location")
	return f
}

// without returns members but some.
func without(members map[string]any, names ...string) map[string]any {
	rest := maps.Clone(members)
	for _, name := range names {
		delete(rest, name)
	}
	if len(rest) == 0 {
		return nil
	}
	return rest
}
