package world

import (
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/proof/diagram"
)

// What a question of somebody whom the directory knows can be about.
const (
	KnownUser   = "a user of the directory"
	UnknownUser = "a user whom the directory does not have"
	AnyLocation = "a location"
	AnyPatient  = "a patient"
)

// About returns where somebody whom the directory knows asks about one of these, named by its id.
func (w *World) About(what string) diagram.Node {
	asked := w.is("who", known)
	switch what {
	case KnownUser:
		return w.And(asked, w.And(w.is("kind", "user"), w.is("whom", theOther, oneself)))
	case UnknownUser:
		return w.And(asked, w.And(w.is("kind", "user"), w.is("whom", unknown)))
	case AnyPatient:
		return w.And(asked, w.is("kind", "patient"))
	}
	return w.And(asked, w.is("kind", "location"))
}

// Said marks the variables that are what a question says besides who asks, from where, about whom and which place.
func (w *World) Said() []bool {
	marked := make([]bool, len(w.Variables))
	for _, part := range []string{"subject", "resource", "context"} {
		for _, name := range w.members[part] {
			if i, ok := w.index[part+" "+name]; ok {
				marked[i] = true
			}
		}
	}
	for i, v := range w.Variables {
		for _, prefix := range []string{"set ", "patient locations", "supported", "supports "} {
			marked[i] = marked[i] || strings.HasPrefix(v.Name, prefix)
		}
	}
	return marked
}

// namesLocation are the properties of an action that name one location.
var namesLocation = []string{"new_location", "system"}

// Alike returns where a question says the same as for values of the variables. Which location of the directory it names as a property
// is not the same or another: any is.
func (w *World) Alike(values []int) diagram.Node {
	like := diagram.True
	lists := []string{}
	for i, said := range w.Said() {
		v := w.Variables[i]
		value := v.Values[values[i]]
		property, set := strings.CutPrefix(v.Name, "set ")
		switch {
		case !said || slices.ContainsFunc(lists, func(list string) bool { return strings.HasPrefix(v.Name, list+" ") }):
		case set && slices.Contains(namesLocation, property) && w.tree.at(value) != nil:
			like = w.And(like, w.is(v.Name, w.tree.ids()...))
		case value == list:
			lists = append(lists, v.Name)
			fallthrough
		default:
			like = w.And(like, w.is(v.Name, value))
		}
	}
	return like
}

// OfPatient reports whether a question lists the locations of a patient.
func (w *World) OfPatient(values []int) bool { return w.Value(values, "patient locations") == list }

// Named returns the properties of the action that name locations of the directory: one each, and lists.
func (w *World) Named(values []int) (one, many []string) {
	for _, property := range namesLocation {
		if w.tree.at(w.Value(values, "set "+property)) != nil {
			one = append(one, property)
		}
	}
	if w.Value(values, "set locations") == list {
		many = append(many, "locations")
	}
	return one, many
}
