package pdp

import (
	"reflect"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// reading is what a policy can read of an object of the caller's: all of it, or some members.
type reading struct {
	members []string
	words   map[string]bool // those of them that are words of the policy; nil where members are all
	all     bool
}

// readings are what a policy can read of a question. What no rule reads is not built: it changes nothing, and callers may
// send much of it.
type readings struct {
	subject, action, resource, context reading
}

// asSent has every word of a question.
var asSent = readings{reading{all: true}, reading{all: true}, reading{all: true}, reading{all: true}}

// read looks up what the rules read.
func (p *Policy) read() readings {
	of := func(path ...string) (r reading) {
		r.members, r.all = p.revision.InputMembers(path...)
		return r
	}
	return readings{of("subject", "properties"), of("action", "properties"), of("resource", "properties"), of("context")}
}

// reads is what the policy can read of a question about an action. A policy with a catalogue reads properties of actions by
// the names that it has itself, in its catalogue or its rules, and goes through no others.
func (p *Policy) reads(action string) readings {
	r := p.readings
	if r.action.all && p.administers() {
		r.action = reading{members: p.catalogue[action].named, words: p.revision.Constants()}
	}
	return r
}

// builder puts questions and their facts together. What several of them share, it builds once.
type builder struct {
	shared map[sharing]*ast.Term // nil values are built when they are needed; nil where nothing is shared
}

// sharing is a part that questions share, and what for: the same object of a caller's is read by another action otherwise.
type sharing struct {
	as, action string
	object     uintptr
}

// What locations are built from.
const (
	namedByAction   = "locations of the action"
	namedByResource = "locations of the resource"
)

func sharedAs(as, action string, members map[string]any) sharing {
	return sharing{as, action, reflect.ValueOf(members).Pointer()}
}

// share looks for what questions share.
func (b *builder) share(questions []Request) {
	seen := map[sharing]bool{}
	add := func(as, action string, members map[string]any) {
		if len(members) == 0 {
			return
		}
		key := sharedAs(as, action, members)
		if !seen[key] {
			seen[key] = true
			return
		}
		if b.shared == nil {
			b.shared = map[sharing]*ast.Term{}
		}
		b.shared[key] = nil
	}
	for _, r := range questions {
		add("subject", r.Action.Name, r.Subject.Properties)
		add("action", r.Action.Name, r.Action.Properties)
		add("resource", r.Action.Name, r.Resource.Properties)
		add("context", r.Action.Name, r.Context)
		add(namedByAction, r.Action.Name, r.Action.Properties)
		add(namedByResource, r.Action.Name, r.Resource.Properties)
	}
}

// once builds what is shared when it is first needed; anything else each time.
func (b *builder) once(as, action string, members map[string]any, build func() (*ast.Term, error)) (*ast.Term, error) {
	if b == nil || b.shared == nil {
		return build()
	}
	key := sharedAs(as, action, members)
	term, shared := b.shared[key]
	if term != nil {
		return term, nil
	}
	term, err := build()
	if shared && err == nil {
		b.shared[key] = term
	}
	return term, err
}

// forget has something built again.
func (b *builder) forget(as, action string, members map[string]any) {
	if b == nil || b.shared == nil {
		return
	}
	if key := sharedAs(as, action, members); b.shared[key] != nil {
		b.shared[key] = nil
	}
}

// input puts a question and its facts side by side. A caller's words are under subject, action, resource and context
// alone, so that none can pass for a fact.
func (b *builder) input(r Request, facts *ast.Term, reads readings) (*ast.Term, error) {
	object := func(as string, members map[string]any, reads reading) (*ast.Term, error) {
		return b.once(as, r.Action.Name, members, func() (*ast.Term, error) { return objectTerm(members, reads) })
	}
	part := func(as string, own [][2]*ast.Term, properties map[string]any, reads reading) (*ast.Term, error) {
		if properties != nil {
			term, err := object(as, properties, reads)
			if err != nil {
				return nil, err
			}
			own = append(own, item(keyProperties, term))
		}
		return ast.ObjectTerm(own...), nil
	}
	subject, err := part("subject", [][2]*ast.Term{item(keyType, typeTerm(r.Subject.Type)), item(keyID, ast.StringTerm(r.Subject.ID))}, r.Subject.Properties, reads.subject)
	if err != nil {
		return nil, err
	}
	action, err := part("action", [][2]*ast.Term{item(keyName, ast.StringTerm(r.Action.Name))}, r.Action.Properties, reads.action)
	if err != nil {
		return nil, err
	}
	resource, err := part("resource", [][2]*ast.Term{item(keyType, typeTerm(r.Resource.Type)), item(keyID, ast.StringTerm(r.Resource.ID))}, r.Resource.Properties, reads.resource)
	if err != nil {
		return nil, err
	}
	members := append(make([][2]*ast.Term, 0, 5), item(keySubject, subject), item(keyAction, action), item(keyResource, resource))
	if r.Context != nil {
		context, err := object("context", r.Context, reads.context)
		if err != nil {
			return nil, err
		}
		members = append(members, item(keyContext, context))
	}
	if facts != nil {
		members = append(members, item(keyFacts, facts))
	}
	return ast.ObjectTerm(members...), nil
}

// objectTerm is what is read of an object.
func objectTerm(members map[string]any, reads reading) (*ast.Term, error) {
	if reads.all {
		return valueTerm(members)
	}
	object := ast.NewObject()
	insert := func(name string, value any) error {
		term, err := valueTerm(value)
		if err == nil {
			object.Insert(ast.StringTerm(name), term)
		}
		return err
	}
	if reads.words != nil {
		for name, value := range members {
			if !reads.words[name] && !slices.Contains(reads.members, name) {
				continue
			}
			if err := insert(name, value); err != nil {
				return nil, err
			}
		}
		return ast.NewTerm(object), nil
	}
	for _, name := range reads.members {
		if value, sent := members[name]; sent {
			if err := insert(name, value); err != nil {
				return nil, err
			}
		}
	}
	return ast.NewTerm(object), nil
}

func valueTerm(value any) (*ast.Term, error) {
	v, err := ast.InterfaceToValue(value)
	if err != nil {
		return nil, &Error{Kind: Invalid, Message: "The question cannot be read.", Err: err}
	}
	return ast.NewTerm(v), nil
}
