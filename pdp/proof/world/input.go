package world

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/proof/diagram"
)

// function returns a variable as a function, with a leaf for each of its values.
func (w *World) function(name string, leaf func(value string) diagram.Node) diagram.Node {
	i, ok := w.index[name]
	if !ok {
		return leaf(absent)
	}
	values := w.Variables[i].Values
	leaves := make([]diagram.Node, len(values))
	for j, v := range values {
		leaves[j] = leaf(v)
	}
	return w.Variable(i, leaves)
}

// is returns where a variable has one of some values.
func (w *World) is(name string, values ...string) diagram.Node {
	return w.function(name, func(v string) diagram.Node {
		if slices.Contains(values, v) {
			return diagram.True
		}
		return diagram.False
	})
}

// freshText is the text that stands for all that the policy does not tell apart.
func freshText(name string) string { return "other " + name }

// leaf returns the value that a question has for the value of a variable.
func (w *World) leaf(name, value string) diagram.Node {
	t := termOf(name, value)
	n := w.Term(t)
	if value == other {
		if i, ok := w.index[name]; ok && w.Variables[i].text {
			w.fresh[n] = name
		}
	}
	return n
}

func termOf(name, value string) *ast.Term {
	switch value {
	case absent, list, object:
		return nil
	case null:
		return ast.NullTerm()
	case empty:
		return ast.StringTerm("")
	case number:
		return ast.InternedTerm(7)
	case yes:
		return ast.BooleanTerm(true)
	case no:
		return ast.BooleanTerm(false)
	case other:
		return ast.StringTerm(freshText(name))
	case unknown:
		return ast.StringTerm("nowhere")
	}
	return ast.StringTerm(value)
}

func textOf(t *ast.Term) string {
	if t == nil {
		return ""
	}
	s, _ := t.Value.(ast.String)
	return string(s)
}

// member is a member of an object of the input.
type member struct {
	key   string
	value diagram.Node
}

func (w *World) object(members ...member) diagram.Node {
	slices.SortFunc(members, func(a, b member) int { return strings.Compare(a.key, b.key) })
	entries := make([]diagram.Entry, len(members))
	for i, m := range members {
		entries[i] = diagram.Entry{Key: w.Text(m.key), Value: m.value}
	}
	return w.Make(diagram.Object, entries)
}

// part returns a part of the question: an object where it has a member, and undefined elsewhere.
func (w *World) part(name string, members []member) diagram.Node {
	any := diagram.False
	for _, m := range members {
		any = w.Or(any, w.Defined(m.value))
	}
	object := w.object(members...)
	w.parts[object] = name
	return w.Ite(any, object, diagram.Undefined)
}

// where returns a function where a condition holds, and undefined elsewhere.
func (w *World) where(condition, n diagram.Node) diagram.Node {
	return w.Ite(condition, n, diagram.Undefined)
}

// build builds the input for each policy.
func (w *World) build() {
	if w.tree == &noDirectory {
		w.buildEntities()
		return
	}
	w.Valid = diagram.True
	for _, a := range w.actions {
		w.facts = a
		f := &factsOf{World: w}
		w.Inputs = append(w.Inputs, w.object(
			member{"subject", w.subjectPart()},
			member{"action", w.actionPart()},
			member{"resource", w.resourcePart()},
			member{"context", w.contextPart()},
			member{"facts", f.build()},
		))
		w.Valid = w.And(w.Valid, f.valid())
	}
}

func (w *World) subjectPart() diagram.Node {
	var properties []member
	for _, name := range w.members["subject"] {
		properties = append(properties, w.member(ofSubject, name))
	}
	return w.object(
		member{"type", w.function("who", func(v string) diagram.Node {
			if v == notUser {
				return w.Text("service")
			}
			return w.Text("user")
		})},
		member{"id", w.function("who", func(v string) diagram.Node {
			if v == known {
				return w.Text("subject")
			}
			return w.Text("nobody")
		})},
		member{"properties", w.part("subject", properties)},
	)
}

// member returns a member of the question whose variable has its name behind a prefix.
func (w *World) member(prefix, name string) member {
	return member{name, w.function(prefix+name, func(v string) diagram.Node { return w.leaf(prefix+name, v) })}
}

// ActionName returns the name of the action that is asked for.
func (w *World) actionName() string {
	if w.action == "" {
		return "other.action"
	}
	return w.action
}

func (w *World) actionPart() diagram.Node {
	var properties []member
	for _, name := range w.properties {
		switch name {
		case "locations":
			properties = append(properties, member{name, w.locationList("set locations")})
		case "name":
			properties = append(properties, member{name, w.nested("set name", []string{"given", "family", "title"})})
		case "areas":
			properties = append(properties, member{name, w.nested("set areas", w.askedAreas())})
		default:
			properties = append(properties, w.member("set ", name))
		}
	}
	return w.object(member{"name", w.Text(w.actionName())}, member{"properties", w.part("action", properties)})
}

// askedAreas returns the areas that a question may name.
func (w *World) askedAreas() []string {
	var areas []string
	for _, v := range w.Variables {
		if area, ok := strings.CutPrefix(v.Name, "set areas."); ok {
			areas = append(areas, area)
		}
	}
	return areas
}

// nested returns a member that is an object with members of its own.
func (w *World) nested(name string, parts []string) diagram.Node {
	var members []member
	for _, part := range parts {
		key := part
		if part == other {
			key = freshText("area")
		}
		variable := name + "." + part
		members = append(members, member{key, w.function(variable, func(v string) diagram.Node { return w.leaf(variable, v) })})
	}
	value := w.function(name, func(v string) diagram.Node { return w.leaf(name, v) })
	return w.Ite(w.is(name, object), w.object(members...), value)
}

// locationList returns a member that is a list of locations.
func (w *World) locationList(name string) diagram.Node {
	var entries []diagram.Entry
	for _, id := range append(w.tree.sorted(), unknown, number) {
		entries = append(entries, diagram.Entry{Key: diagram.Undefined, When: w.is(name+" "+id, yes), Value: w.Term(termOf(name, id))})
	}
	value := w.function(name, func(v string) diagram.Node { return w.leaf(name, v) })
	return w.Ite(w.is(name, list), w.Make(diagram.List, entries), value)
}

func (w *World) resourcePart() diagram.Node {
	user := w.function("whom", func(v string) diagram.Node {
		switch v {
		case theOther:
			return w.Text("user")
		case oneself:
			return w.Text("subject")
		case byUsername:
			return w.Text(usernames["user"])
		case selfByName:
			return w.Text(usernames["subject"])
		}
		return w.Text("nobody else")
	})
	place := w.function("place", func(v string) diagram.Node { return w.leaf("place", v) })
	var properties []member
	for _, name := range w.members["resource"] {
		switch name {
		case "location":
			properties = append(properties, member{name, w.where(w.is("kind", "user"), place)})
		case "locations":
			properties = append(properties, member{name, w.where(w.is("kind", "patient"), w.locationList("patient locations"))})
		default:
			properties = append(properties, w.member("resource ", name))
		}
	}
	id := w.Ite(w.is("kind", "user"), user, w.Ite(w.is("kind", "location"), place, w.Text("thing")))
	return w.object(
		member{"type", w.function("kind", func(v string) diagram.Node { return w.Text(v) })},
		member{"id", id},
		member{"properties", w.part("resource", properties)},
	)
}

func (w *World) contextPart() diagram.Node {
	var members []member
	for _, name := range w.members["context"] {
		switch name {
		case "current_location":
			members = append(members, member{name, w.function("current", func(v string) diagram.Node { return w.leaf("current", v) })})
		case supportedObligations:
			members = append(members, w.obligations())
		default:
			members = append(members, w.member("context ", name))
		}
	}
	return w.part("context", members)
}

func (w *World) obligations() member {
	var entries []diagram.Entry
	for _, kind := range append(slices.Clone(obligationTypes), number) {
		entries = append(entries, diagram.Entry{Key: diagram.Undefined, When: w.is("supports "+kind, yes), Value: w.Term(termOf("", kind))})
	}
	value := w.function("supported", func(v string) diagram.Node { return w.leaf("supported", v) })
	return member{supportedObligations, w.Ite(w.is("supported", list), w.Make(diagram.List, entries), value)}
}

// text returns where a member of the question is a text that is not empty, and what it is.
func (w *World) textAt(variable string) diagram.Node {
	return w.function(variable, func(v string) diagram.Node {
		if n := w.leaf(variable, v); textOf(w.TermOf(n)) != "" {
			return n
		}
		return diagram.Undefined
	})
}

func fold(s string) string { return facts.FoldCanonical(s) }
