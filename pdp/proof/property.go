package proof

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"go.yaml.in/yaml/v3"

	"github.com/wardkeeper/wardkeeper/pdp/proof/diagram"
	"github.com/wardkeeper/wardkeeper/pdp/proof/explore"
)

// Property is what has to hold of a policy in every case.
type Property struct {
	Name string `yaml:"property"`
	// What it is about; an empty list is everything. Actions may have the wildcard *, and one that begins with ! is left out.
	Models  []string            `yaml:"models"`
	Actions []string            `yaml:"actions"`
	Subject *Subject            `yaml:"subject"`
	Sets    map[string][]string `yaml:"sets"` // properties of the action, one of which has one of these texts
	// CurrentLocation is "given" for questions that say where the subject stands; "" is both.
	CurrentLocation string   `yaml:"current_location"`
	Reasons         []string `yaml:"reasons"` // codes of denials, for IndependentOf

	// One of the two: the answer that is never given, and what the denials with those reasons do not depend on.
	Never         string `yaml:"never"`
	IndependentOf string `yaml:"independent_of"`

	line int
}

// Subject says which subjects a property is about, by the active roles that they hold in the organization, or in any organization
// where the action is judged by all of them.
type Subject struct {
	Roles   []string `yaml:"roles"`   // at least one of these, and no other
	Without []string `yaml:"without"` // none of these
}

// What a property can say.
const (
	Allowed             = "allowed"              // of Never
	AnotherOrganization = "another_organization" // of IndependentOf
	given               = "given"                // of CurrentLocation
)

// maxProperties limits the properties of a file.
const maxProperties = 1000

// Terms are the words that properties may use.
type Terms struct{ Models, Actions, Roles []string }

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
	for _, n := range nodes {
		p := Property{line: n.Line}
		before := len(faults)
		faults = append(faults, unknownMembers(n, "property", "models", "actions", "subject", "sets", "current_location", "reasons", "never", "independent_of")...)
		if subject := memberOf(n, "subject"); subject != nil {
			faults = append(faults, unknownMembers(subject, "roles", "without")...)
		}
		if len(faults) > before {
			continue
		}
		if err := n.Decode(&p); err != nil {
			faults = append(faults, fmt.Errorf("line %d: a member has the wrong type: texts and lists of texts are expected", n.Line))
			continue
		}
		faults = append(faults, p.faults(n, t)...)
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
			faults = append(faults, fmt.Errorf("line %d: there is no member %s: it can have %s", key.Line, key.Value, strings.Join(known, ", ")))
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
				wrong(at, "there is no %s %s: there are %s", what, w, strings.Join(terms, ", "))
			}
		}
	}
	known(memberOf(n, "models"), "model", p.Models, t.Models)
	if p.Subject != nil {
		known(memberOf(n, "subject"), "role", p.Subject.Roles, t.Roles)
		known(memberOf(n, "subject"), "role", p.Subject.Without, t.Roles)
	}
	for _, pattern := range p.Actions {
		if !slices.ContainsFunc(t.Actions, func(a string) bool { return matches(strings.TrimPrefix(pattern, "!"), a) }) {
			wrong(memberOf(n, "actions"), "no action is called %s: there are %s", pattern, strings.Join(t.Actions, ", "))
		}
	}
	return faults
}

func matches(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// about reports whether a property is about an action in a model.
func (p *Property) about(model, action string) bool {
	if len(p.Models) > 0 && !slices.Contains(p.Models, model) {
		return false
	}
	included := len(p.Actions) == 0 || strings.HasPrefix(p.Actions[0], "!")
	for _, pattern := range p.Actions {
		if out, isOut := strings.CutPrefix(pattern, "!"); isOut {
			included = included && !matches(out, action)
		} else {
			included = included || matches(pattern, action)
		}
	}
	return included
}

// where returns the cases that a property is about.
func (p *Property) where(part *explore.Part) diagram.Node {
	where := diagram.True
	if p.Subject != nil {
		where = p.Subject.where(part, part.SubjectHolds)
	}
	if len(p.Sets) > 0 {
		any := diagram.False
		for name, texts := range p.Sets {
			any = part.Or(any, part.Sets(name, texts))
		}
		where = part.And(where, any)
	}
	if p.CurrentLocation == given {
		where = part.And(where, part.SaysCurrent())
	}
	return where
}

// where returns where somebody is such a person; holds returns where they hold a role of which something is true.
func (s *Subject) where(part *explore.Part, holds func(func(role string) bool) diagram.Node) diagram.Node {
	where := diagram.True
	if len(s.Roles) > 0 {
		where = part.Except(holds(among(s.Roles)), holds(func(role string) bool { return !slices.Contains(s.Roles, role) }))
	}
	if len(s.Without) > 0 {
		where = part.Except(where, holds(among(s.Without)))
	}
	return where
}

func among(roles []string) func(string) bool {
	return func(role string) bool { return slices.Contains(roles, role) }
}

// names reports whether an answer is a denial with one of the reasons of a property.
func (p *Property) names(answer *ast.Term) bool {
	allow, _, ok := read(answer)
	if !ok || allow {
		return false
	}
	object, isObject := answer.Value.(ast.Object)
	if !isObject {
		return false
	}
	list := object.Get(ast.StringTerm("reasons"))
	if list == nil {
		return false
	}
	all, isList := list.Value.(interface {
		Until(func(*ast.Term) bool) bool
	}) // an array or a set
	return isList && all.Until(func(reason *ast.Term) bool {
		o, isObject := reason.Value.(ast.Object)
		if !isObject {
			return false
		}
		code := o.Get(ast.StringTerm("code"))
		text, isText := ast.String(""), false
		if code != nil {
			text, isText = code.Value.(ast.String)
		}
		return isText && slices.Contains(p.Reasons, string(text))
	})
}
