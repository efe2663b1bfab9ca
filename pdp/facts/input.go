package facts

import (
	"iter"
	"reflect"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wardkeeper/wardkeeper/bundles/input"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// Builder builds the inputs of the questions of one evaluation, all from one view. It builds what several questions share
// only once. It is not safe for concurrent use.
type Builder struct {
	View View // nil: facts are absent
	// Lenient makes Gather include what is known of suspended records, and the caller must then check [Facts.Fault].
	// Otherwise a question that needs such a record fails.
	Lenient bool
	// Subjects and Users bound how many subjects, and how many users who are asked about, keep the facts built from them;
	// nil keeps none.
	Subjects, Users *Evictor

	sharedParts map[sharedKey]*input.Object // nil values are built when first needed
	// The parts of the last question: the next one often has the same subject, action or resource.
	subject, action, resource builtPart
	// What is known of the last subject, and its standings with the last place.
	asSubject builtSubject
	standings builtStandings
}

// builtSubject is what one organization sees of a user who asks.
type builtSubject struct {
	user         *User
	organization string
	facts        *userFacts
}

// builtStandings are the standings of a user who asks about a place.
type builtStandings struct {
	facts *userFacts
	place *Location
	term  *ast.Term
}

// subjectIn returns the facts of a user who asks, as one organization sees them.
func (b *Builder) subjectIn(u *User, organization string) *userFacts {
	last := &b.asSubject
	if last.user != u || last.organization != organization {
		*last = builtSubject{u, organization, u.in(organization, b.Subjects)}
	}
	return last.facts
}

// standingsWith returns the standings of a user who asks about a place.
func (b *Builder) standingsWith(f *userFacts, place *Location) *ast.Term {
	last := &b.standings
	if last.facts != f || last.place != place {
		*last = builtStandings{f, place, f.standingsWith(place)}
	}
	return last.term
}

// builtPart is a subject, action or resource as it was put into an input.
type builtPart struct {
	kind, id, actionName string
	properties           map[string]any
	object               *input.Object
}

// sameAs reports whether the part is built from these values. Maps count as the same only if they are one.
func (p *builtPart) sameAs(kind, id, actionName string, properties map[string]any) bool {
	return p.object != nil && p.kind == kind && p.id == id && p.actionName == actionName && len(p.properties) == len(properties) &&
		reflect.ValueOf(p.properties).Pointer() == reflect.ValueOf(properties).Pointer()
}

// Members are the members of an object that a policy can read, each with its key in the input.
type Members struct {
	All   bool
	Names map[string]*ast.Term
	Extra map[string]*ast.Term // further ones; nil if Names has them all
}

// Keys returns the keys of members.
func Keys(names iter.Seq[string]) map[string]*ast.Term {
	keys := map[string]*ast.Term{}
	for name := range names {
		keys[name] = ast.StringTerm(name)
	}
	return keys
}

func (m *Members) key(name string) *ast.Term {
	if key := m.Names[name]; key != nil {
		return key
	}
	return m.Extra[name]
}

// Reads has the members that a policy can read of a question's objects. The others are not put into the input: they change
// nothing, and callers may send many.
type Reads struct {
	Subject, Action, Resource Members // of properties
	Context                   Members
	// Bare is the action without properties; nil: it is built for each question.
	Bare *input.Object
}

// ReadsAll returns the Reads of a policy that can read every member of a question's objects.
func ReadsAll() Reads {
	all := Members{All: true}
	return Reads{Subject: all, Action: all, Resource: all, Context: all}
}

// sharedKey identifies a part of an input that questions share: the caller's object, and what is built from it. The
// action is part of the key, because policies read different members of the same object for different actions.
type sharedKey struct {
	part, action string
	object       uintptr
}

// The parts of an input that are built from an object of the caller's.
const (
	subjectProperties   = "subject"
	actionProperties    = "action"
	resourceProperties  = "resource"
	questionContext     = "context"
	locationsOfAction   = "locations of the action"
	locationsOfResource = "locations of the resource"
)

func keyOf(part, action string, members map[string]any) sharedKey {
	return sharedKey{part, action, reflect.ValueOf(members).Pointer()}
}

// shared builds a shared part when it is first needed, and any other part each time.
func (b *Builder) shared(part, action string, members map[string]any, build func() (*input.Object, error)) (*input.Object, error) {
	if b.sharedParts == nil {
		return build()
	}
	key := keyOf(part, action, members)
	object, isShared := b.sharedParts[key]
	if object != nil {
		return object, nil
	}
	object, err := build()
	if isShared && err == nil {
		b.sharedParts[key] = object
	}
	return object, err
}

// forget makes a shared part be built again.
func (b *Builder) forget(part, action string, members map[string]any) {
	if key := keyOf(part, action, members); b.sharedParts[key] != nil {
		b.sharedParts[key] = nil
	}
}

// Input returns the input of a question with its facts, which are absent if f is nil. The caller's words are only under
// subject, action, resource and context, so that none can pass for a fact. It fails if a value cannot be represented.
func (b *Builder) Input(r authzen.Evaluation, f *Facts, reads Reads) (*input.Object, error) {
	object := func(part string, members map[string]any, reads Members) (*input.Object, error) {
		return b.shared(part, r.Action.Name, members, func() (*input.Object, error) { return objectOf(members, reads) })
	}
	// build builds a part, unless it has been built without properties before, or is that of the last question.
	build := func(key *ast.Term, bare *input.Object, last *builtPart, part, kind, id string, properties map[string]any, reads Members) (input.Member, error) {
		if bare != nil && properties == nil {
			return input.Member{Key: key, Object: bare}, nil
		}
		if last.sameAs(kind, id, r.Action.Name, properties) {
			return input.Member{Key: key, Object: last.object}, nil
		}
		own := make([]input.Member, 0, 3)
		if part == actionProperties {
			own = append(own, value(keyName, ast.StringTerm(id)))
		} else {
			own = append(own, value(keyType, typeTerm(kind)), value(keyID, ast.StringTerm(id)))
		}
		if properties != nil {
			built, err := object(part, properties, reads)
			if err != nil {
				return input.Member{}, err
			}
			own = append(own, input.Member{Key: keyProperties, Object: built})
		}
		*last = builtPart{kind, id, r.Action.Name, properties, input.New(own...)}
		return input.Member{Key: key, Object: last.object}, nil
	}
	var bareSubject, bareUser *input.Object
	if f != nil {
		bareSubject, bareUser = f.subjectPart, f.userPart
	}
	subject, err := build(keySubject, bareSubject, &b.subject, subjectProperties, r.Subject.Type, r.Subject.ID, r.Subject.Properties, reads.Subject)
	if err != nil {
		return nil, err
	}
	action, err := build(keyAction, reads.Bare, &b.action, actionProperties, "", r.Action.Name, r.Action.Properties, reads.Action)
	if err != nil {
		return nil, err
	}
	resource, err := build(keyResource, bareUser, &b.resource, resourceProperties, r.Resource.Type, r.Resource.ID, r.Resource.Properties, reads.Resource)
	if err != nil {
		return nil, err
	}
	members := append(make([]input.Member, 0, 5), subject, action, resource)
	if r.Context != nil {
		context, err := object(questionContext, r.Context, reads.Context)
		if err != nil {
			return nil, err
		}
		members = append(members, input.Member{Key: keyContext, Object: context})
	}
	if f != nil {
		members = append(members, input.Member{Key: keyFacts, Object: f.object})
	}
	return input.New(members...), nil
}

// objectOf returns an object with the members that a policy can read.
func objectOf(members map[string]any, reads Members) (*input.Object, error) {
	if reads.All {
		v, err := ast.InterfaceToValue(members)
		if err != nil {
			return nil, err
		}
		return input.Of(ast.NewTerm(v)), nil
	}
	var own []input.Member
	for name, member := range members {
		key := reads.key(name)
		if key == nil {
			continue
		}
		v, err := ast.InterfaceToValue(member)
		if err != nil {
			return nil, err
		}
		own = append(own, value(key, ast.NewTerm(v)))
	}
	return input.New(own...), nil
}

// BareAction returns an action without properties as it is put into an input.
func BareAction(name string) *input.Object { return input.New(value(keyName, ast.StringTerm(name))) }

// Object returns the facts as they are put into an input, where they are called facts.
func (f *Facts) Object() *input.Object { return f.object }
