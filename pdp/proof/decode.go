package proof

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/wardkeeper/wardkeeper/pdp/suggest"
)

// maxProperties limits the properties of a file.
const maxProperties = 1000

// Terms are the words that properties may use.
type Terms struct{ Models, Actions, Roles []string }

// people are the members that say something of a person, with theirs.
var people = []struct {
	name    string
	members []string
	of      func(*Property) *Person
}{
	{"subject", []string{"roles", "with", "without"}, func(p *Property) *Person { return p.Subject }},
	{"user", []string{"roles", "with", "without", "self"}, func(p *Property) *Person { return p.User }},
}

// DecodeProperties decodes properties, from YAML. The error names every line with a word that is none.
func DecodeProperties(data []byte, t Terms) ([]Property, error) {
	var file yaml.Node
	if err := yaml.Unmarshal(data, &file); err != nil {
		return nil, err
	}
	if len(file.Content) != 1 || file.Content[0].Kind != yaml.MappingNode || len(file.Content[0].Content) != 2 || file.Content[0].Content[0].Value != "properties" ||
		file.Content[0].Content[1].Kind != yaml.SequenceNode {
		return nil, errors.New("expected one member, properties, with a list")
	}
	nodes := file.Content[0].Content[1].Content
	if len(nodes) == 0 || len(nodes) > maxProperties {
		return nil, fmt.Errorf("expected 1 to %d properties, got %d", maxProperties, len(nodes))
	}
	var all []Property
	var faults []error
	lines := map[string]int{} // by sentence, under which a property is reported
	for _, n := range nodes {
		p := Property{line: n.Line}
		before := len(faults)
		faults = append(faults, unknownMembers(n, "property", "models", "actions", "subject", "user", "sets", "current_location", "reasons", "never", "independent_of")...)
		for _, who := range people {
			if person := memberOf(n, who.name); person != nil {
				faults = append(faults, unknownMembers(person, who.members...)...)
			}
		}
		if len(faults) > before {
			continue
		}
		if err := n.Decode(&p); err != nil {
			faults = append(faults, fmt.Errorf("line %d: a member has the wrong type: texts, lists of texts and, of self, true or false are expected", n.Line))
			continue
		}
		faults = append(faults, p.faults(n, t)...)
		if first, again := lines[p.Name]; again && p.Name != "" {
			faults = append(faults, fmt.Errorf("line %d: the sentence is that of line %d: say what differs", n.Line, first))
		}
		lines[p.Name] = n.Line
		all = append(all, p)
	}
	return all, errors.Join(faults...)
}

func memberOf(n *yaml.Node, name string) *yaml.Node {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

func unknownMembers(n *yaml.Node, known ...string) (faults []error) {
	if n.Kind != yaml.MappingNode {
		return []error{fmt.Errorf("line %d: expected an object with some of %s", n.Line, strings.Join(known, ", "))}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if key := n.Content[i]; !slices.Contains(known, key.Value) {
			faults = append(faults, fmt.Errorf("line %d: there is no member %s: %sit can have %s", key.Line, key.Value, suggest.DidYouMean("", key.Value, known), strings.Join(known, ", ")))
		}
	}
	return faults
}

// faults returns what is wrong with a property, each with its line.
func (p *Property) faults(n *yaml.Node, t Terms) (faults []error) {
	wrong := func(at *yaml.Node, format string, args ...any) {
		line := p.line
		if at != nil {
			line = at.Line
		}
		faults = append(faults, fmt.Errorf("line %d: %s", line, fmt.Sprintf(format, args...)))
	}
	if p.Name == "" {
		wrong(nil, "the property has no sentence: write property: ...")
	}
	switch {
	case (p.Never == "") == (p.IndependentOf == ""):
		wrong(nil, "say either never: %s, or independent_of: %s", Allowed, AnotherOrganization)
	case p.Never != "" && p.Never != Allowed:
		wrong(memberOf(n, "never"), "never: got %s, expected %s", p.Never, Allowed)
	case p.IndependentOf != "" && p.IndependentOf != AnotherOrganization:
		wrong(memberOf(n, "independent_of"), "independent_of: got %s, expected %s", p.IndependentOf, AnotherOrganization)
	case (p.IndependentOf != "") != (len(p.Reasons) > 0):
		wrong(nil, "reasons go with independent_of, which needs them")
	}
	if p.CurrentLocation != "" && p.CurrentLocation != given {
		wrong(memberOf(n, "current_location"), "current_location: got %s, expected %s", p.CurrentLocation, given)
	}
	known := func(at *yaml.Node, what string, words, terms []string) {
		for _, w := range words {
			if !slices.Contains(terms, w) {
				wrong(at, "there is no %s %s: %sthere are %s", what, w, suggest.DidYouMean("", w, terms), strings.Join(terms, ", "))
			}
		}
	}
	known(memberOf(n, "models"), "model", p.Models, t.Models)
	for _, who := range people {
		person, at := who.of(p), memberOf(n, who.name)
		if person == nil {
			continue
		}
		roles := slices.Concat(person.Roles, person.With, person.Without)
		if len(roles) == 0 && person.Self == nil {
			wrong(at, "%s says nothing: it can have %s", who.name, strings.Join(who.members, ", "))
		}
		known(at, "role", roles, t.Roles)
	}
	for _, pattern := range p.Actions {
		if !slices.ContainsFunc(t.Actions, func(a string) bool { return matches(strings.TrimPrefix(pattern, "!"), a) }) {
			wrong(memberOf(n, "actions"), "no action is called %s: %sthere are %s", pattern, suggest.DidYouMean("", strings.TrimPrefix(pattern, "!"), t.Actions), strings.Join(t.Actions, ", "))
		}
	}
	return faults
}
