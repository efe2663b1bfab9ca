package world

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/proof/diagram"
)

// structural reports whether the other aspects tell of a variable.
func structural(name string) bool {
	return slices.Contains([]string{"who", "kind", "whom", "place", "current", "subject status", "user status", "subject default", "user default"}, name) ||
		strings.HasPrefix(name, "subject at ") || strings.HasPrefix(name, "user at ")
}

// said adds what the question says besides, the plan of the organization, and access.
func (a *aspects) said() {
	for _, name := range []string{"patient locations", "set locations"} {
		if _, ok := a.index[name]; ok {
			a.add(Aspect{Values: []AspectValue{{wordsOf(name) + " are a list of ids", a.list(name)}}}, wordsOf(name)+" are no list of ids")
		}
	}
	for i, v := range a.Variables {
		if structural(v.Name) {
			continue
		}
		aspect := Aspect{Before: wordsOf(v.Name) + " is ", Tells: isEntity(v.Name), Detail: isDetail(v.Name)}
		for j, value := range v.Values {
			leaves := make([]diagram.Node, len(v.Values))
			for k := range leaves {
				leaves[k] = diagram.False
			}
			leaves[j] = diagram.True
			word := wordOf(value)
			if onOff, ok := switches[value]; ok && strings.Contains(aspect.Before, ownSwitch) {
				word = onOff
			}
			aspect.Values = append(aspect.Values, AspectValue{word, a.Variable(i, leaves)})
		}
		aspect.Groups = groupsOf(aspect.Values)
		a.add(aspect, "")
	}
}

// groupsOf returns words for what a question does not give, and for the texts that the policy tells apart, if those are many.
func groupsOf(values []AspectValue) []AspectGroup {
	missing := AspectGroup{Word: "not given"}
	texts := AspectGroup{Word: "one that the policy knows"}
	for _, v := range values {
		switch {
		case slices.Contains([]string{wordOf(absent), wordOf(null), wordOf(empty)}, v.Word):
			missing.Values = append(missing.Values, v.Word)
		case strings.HasPrefix(v.Word, `"`):
			texts.Values = append(texts.Values, v.Word)
		}
	}
	var groups []AspectGroup
	for _, g := range []AspectGroup{missing, texts} {
		if len(g.Values) > 2 {
			groups = append(groups, g)
		}
	}
	return groups
}

// isEntity reports whether a variable is about a part of a question that is always there.
func isEntity(variable string) bool {
	return slices.ContainsFunc(entities, func(e struct{ part, member, plainest string }) bool { return variable == e.part+" "+e.member })
}

// isDetail reports whether a variable has ids of the examples, or says what the application supports.
func isDetail(variable string) bool {
	return variable == newLocation || strings.HasPrefix(variable, "set locations") || strings.HasPrefix(variable, "patient locations") ||
		strings.HasPrefix(variable, "support")
}

// DependsOn names what a condition depends on and another does not.
func (w *World) DependsOn(condition, but diagram.Node) (names []string) {
	depends, known := w.Depends(condition), w.Depends(but)
	for i, v := range w.Variables {
		if !depends[i] || known[i] {
			continue
		}
		name := wordsOf(v.Name)
		for prefix, words := range map[string]string{"subject at ": "the subject's roles elsewhere", "user at ": "the user's roles elsewhere",
			"support": "what obligations the application supports", "set locations": "the given locations", "patient locations": "the patient's locations",
			"set areas": "the given areas"} {
			if strings.HasPrefix(v.Name, prefix) {
				name = words
			}
		}
		if person, _, ok := strings.Cut(name, ownSwitch); ok {
			name = person + "own switches"
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

const ownSwitch = "own switch for "

// switches names the values of a switch in somebody's access to areas.
var switches = map[string]string{absent: "not set", yes: "on", no: "off"}

// wordsOf names a variable.
func wordsOf(variable string) string {
	names := map[string]string{"who": "who asks", "kind": "what the question is about", "whom": "whom the question is about", "place": "the place",
		"current": "where the subject stands", "subject default": "the subject's default location", "user default": "the user's default location",
		"subject status": "the subject's account", "user status": "the user's account", "patient locations": "the patient's locations", "set locations": "the given locations", "plan": "the organization's plan",
		"subject level": "the subject's level", "user level": "the user's level", "supported": "the list of obligations that the application supports"}
	if name, ok := names[variable]; ok {
		return name
	}
	for _, p := range []struct{ prefix, words string }{
		{"patient locations ", "naming a location of the patient "}, {"set locations ", "naming the location "}, {"set ", "the given "}, {"context ", "context."},
		{ofSubject, "the subject's property "}, {"subject ", "the subject's " + ownSwitch}, {"user ", "the user's " + ownSwitch}, {"supports ", "the application's support of "},
	} {
		if name, ok := strings.CutPrefix(variable, p.prefix); ok && !isEntity(variable) {
			return p.words + name
		}
	}
	return variable
}

// wordOf names a value.
func wordOf(value string) string {
	words := map[string]string{absent: "absent", null: "null", empty: "empty", number: "a number", yes: "true", no: "false", list: "a list",
		object: "an object", other: "any other text", none: "none", unknown: "unknown"}
	if word, ok := words[value]; ok {
		return word
	}
	return fmt.Sprintf("%q", value)
}

// SupportsAll returns where the application says nothing of obligations, or that it supports each type; ok is false if no policy looks.
func (w *World) SupportsAll() (all diagram.Node, ok bool) {
	if _, ok := w.index["supported"]; !ok {
		return diagram.True, false
	}
	listed := w.And(w.is("supported", list), w.is("supports "+number, no))
	for _, kind := range obligationTypes {
		listed = w.And(listed, w.is("supports "+kind, yes))
	}
	return w.Or(w.is("supported", absent), listed), true
}

// Parts says in words to which values of variables a question is restricted.
func (q Question) Parts() (all []string) {
	t := &noDirectory
	for i := range trees {
		if trees[i].name == q.Tree {
			t = &trees[i]
		}
	}
	named := func(value string) string {
		if l := t.at(value); l != nil {
			return article(l.kind) + " (" + value + ")"
		}
		return wordOf(value)
	}
	for _, name := range slices.Sorted(maps.Keys(q.Only)) {
		var words []string
		for _, value := range q.Only[name] {
			word := named(value)
			switch {
			case name == "whom":
				word = value
			case value == absent:
				word = "not given"
			}
			words = append(words, word)
		}
		names := map[string]string{"current": "where the current location is ", "place": "where the place is ", "whom": "about "}
		before, ok := names[name]
		if !ok {
			before = name + " "
		}
		all = append(all, before+strings.Join(words, " or "))
	}
	return all
}
