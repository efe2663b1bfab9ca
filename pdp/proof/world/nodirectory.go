package world

import (
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/proof/diagram"
)

// NoDirectory is the world of policies that judge by the question alone. Anybody may ask for anything in it.
const NoDirectory = "no directory"

var noDirectory = tree{name: NoDirectory}

// ByQuestionAlone reports whether a policy judges by the question alone: it knows neither actions nor terms of a directory.
func ByQuestionAlone(p *pdp.Policy) bool { return len(p.Actions()) == 0 && p.Vocabulary() == nil }

// entities are the parts of a question that are always there, each with the plainest text of it.
var entities = []struct{ part, member, plainest string }{
	{"subject", "type", "user"}, {"subject", "id", "subject"}, {"action", "name", "act"}, {"resource", "type", "thing"}, {"resource", "id", "one"},
}

// prefixes begin the names of the variables that are about the members of a part of the question.
var prefixes = []struct{ part, prefix string }{
	{"subject", ofSubject}, {"action", "set "}, {"resource", "resource property "}, {"context", "context "},
}

func (w *World) declareEntities() {
	for _, e := range entities {
		w.text(e.part+" "+e.member, e.plainest, other)
	}
	for _, p := range prefixes {
		for _, name := range w.members[p.part] {
			if p.part == "context" && name == supportedObligations {
				w.declareObligations()
				continue
			}
			w.text(p.prefix+name, absent, other, yes, no, null, empty, number)
		}
	}
}

// buildEntities builds the same input for each policy.
func (w *World) buildEntities() {
	w.Valid = diagram.True
	members := map[string][]member{}
	for _, p := range prefixes {
		var all []member
		for _, name := range w.members[p.part] {
			if p.part == "context" && name == supportedObligations {
				all = append(all, w.obligations())
				continue
			}
			all = append(all, w.member(p.prefix, name))
		}
		members[p.part] = all
	}
	objects := map[string][]member{}
	for _, e := range entities {
		variable := e.part + " " + e.member
		objects[e.part] = append(objects[e.part], member{e.member, w.function(variable, func(v string) diagram.Node { return w.leaf(variable, v) })})
	}
	var input []member
	for _, part := range []string{"subject", "action", "resource"} {
		input = append(input, member{part, w.object(append(objects[part], member{"properties", w.part(part, members[part])})...)})
	}
	input = append(input, member{"context", w.part("context", members["context"])})
	for range w.actions {
		w.Inputs = append(w.Inputs, w.object(slices.Clone(input)...))
	}
}

// entitiesOf returns the question of a case.
func (w *World) entitiesOf(get func(string) string) authzen.Evaluation {
	text := func(part, member string) string {
		variable := part + " " + member
		return textOf(termOf(variable, get(variable)))
	}
	q := authzen.Evaluation{
		Subject:  authzen.Entity{Type: text("subject", "type"), ID: text("subject", "id")},
		Action:   authzen.Action{Name: text("action", "name")},
		Resource: authzen.Entity{Type: text("resource", "type"), ID: text("resource", "id")},
	}
	members := map[string]map[string]any{}
	for _, p := range prefixes {
		members[p.part] = w.caseMembers(p.part, p.prefix, get)
	}
	q.Subject.Properties, q.Action.Properties, q.Resource.Properties = members["subject"], members["action"], members["resource"]
	q.Context = members["context"]
	if slices.Contains(w.members["context"], supportedObligations) {
		if q.Context == nil {
			q.Context = map[string]any{}
		}
		w.caseObligations(q.Context, get)
		q.Context = orNil(q.Context)
	}
	return q
}
