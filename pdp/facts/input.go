package facts

import (
	"iter"
	"reflect"

	"github.com/open-policy-agent/opa/v1/ast"

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

	sharedTerms map[sharedKey]*ast.Term // nil values are built when first needed
	// The parts of the last question: the next one often has the same subject, action or resource.
	subject, action, resource builtPart
}

// builtPart is a subject, action or resource as it was put into an input.
type builtPart struct {
	kind, id, actionName string
	properties           map[string]any
	term                 *ast.Term
}

// sameAs reports whether the part is built from these values. Maps count as the same only if they are one.
func (p *builtPart) sameAs(kind, id, actionName string, properties map[string]any) bool {
	return p.term != nil && p.kind == kind && p.id == id && p.actionName == actionName && len(p.properties) == len(properties) &&
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
	Bare *ast.Term
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

// Share finds the objects that several of the questions share, to build them only once. The candidates of a search share
// all objects of the question: pass it twice.
func (b *Builder) Share(questions []authzen.Evaluation) {
	seen := map[sharedKey]bool{}
	add := func(part, action string, members map[string]any) {
		if len(members) == 0 {
			return
		}
		key := keyOf(part, action, members)
		if !seen[key] {
			seen[key] = true
			return
		}
		if b.sharedTerms == nil {
			b.sharedTerms = map[sharedKey]*ast.Term{}
		}
		b.sharedTerms[key] = nil
	}
	for _, r := range questions {
		add(subjectProperties, r.Action.Name, r.Subject.Properties)
		add(actionProperties, r.Action.Name, r.Action.Properties)
		add(resourceProperties, r.Action.Name, r.Resource.Properties)
		add(questionContext, r.Action.Name, r.Context)
		add(locationsOfAction, r.Action.Name, r.Action.Properties)
		add(locationsOfResource, r.Action.Name, r.Resource.Properties)
	}
}

// shared builds a shared part when it is first needed, and any other part each time.
func (b *Builder) shared(part, action string, members map[string]any, build func() (*ast.Term, error)) (*ast.Term, error) {
	if b.sharedTerms == nil {
		return build()
	}
	key := keyOf(part, action, members)
	term, isShared := b.sharedTerms[key]
	if term != nil {
		return term, nil
	}
	term, err := build()
	if isShared && err == nil {
		b.sharedTerms[key] = term
	}
	return term, err
}

// forget makes a shared part be built again.
func (b *Builder) forget(part, action string, members map[string]any) {
	if key := keyOf(part, action, members); b.sharedTerms[key] != nil {
		b.sharedTerms[key] = nil
	}
}

// Input returns the input of a question with its facts, which are absent if f is nil. The caller's words are only under
// subject, action, resource and context, so that none can pass for a fact. It fails if a value cannot be represented.
func (b *Builder) Input(r authzen.Evaluation, f *Facts, reads Reads) (*ast.Term, error) {
	object := func(part string, members map[string]any, reads Members) (*ast.Term, error) {
		return b.shared(part, r.Action.Name, members, func() (*ast.Term, error) { return objectTerm(members, reads) })
	}
	// build builds a part, unless it has been built without properties before, or is that of the last question.
	build := func(bare *ast.Term, last *builtPart, part, kind, id string, properties map[string]any, reads Members) (*ast.Term, error) {
		if bare != nil && properties == nil {
			return bare, nil
		}
		if last.sameAs(kind, id, r.Action.Name, properties) {
			return last.term, nil
		}
		var three [3][2]*ast.Term
		own := three[:0]
		if part == actionProperties {
			own = append(own, item(keyName, ast.StringTerm(id)))
		} else {
			own = append(own, item(keyType, typeTerm(kind)), item(keyID, ast.StringTerm(id)))
		}
		if properties != nil {
			term, err := object(part, properties, reads)
			if err != nil {
				return nil, err
			}
			own = append(own, item(keyProperties, term))
		}
		*last = builtPart{kind, id, r.Action.Name, properties, ast.ObjectTerm(own...)}
		return last.term, nil
	}
	var subject, user *ast.Term
	if f != nil {
		subject, user = f.subjectPart, f.userPart
	}
	subject, err := build(subject, &b.subject, subjectProperties, r.Subject.Type, r.Subject.ID, r.Subject.Properties, reads.Subject)
	if err != nil {
		return nil, err
	}
	action, err := build(reads.Bare, &b.action, actionProperties, "", r.Action.Name, r.Action.Properties, reads.Action)
	if err != nil {
		return nil, err
	}
	resource, err := build(user, &b.resource, resourceProperties, r.Resource.Type, r.Resource.ID, r.Resource.Properties, reads.Resource)
	if err != nil {
		return nil, err
	}
	var five [5][2]*ast.Term
	members := append(five[:0], item(keySubject, subject), item(keyAction, action), item(keyResource, resource))
	if r.Context != nil {
		context, err := object(questionContext, r.Context, reads.Context)
		if err != nil {
			return nil, err
		}
		members = append(members, item(keyContext, context))
	}
	if f != nil {
		members = append(members, item(keyFacts, f.term))
	}
	return ast.ObjectTerm(members...), nil
}

// objectTerm returns an object with the members that a policy can read.
func objectTerm(members map[string]any, reads Members) (*ast.Term, error) {
	if reads.All {
		return valueTerm(members)
	}
	var few [4][2]*ast.Term
	items := few[:0]
	for name, value := range members {
		key := reads.key(name)
		if key == nil {
			continue
		}
		term, err := valueTerm(value)
		if err != nil {
			return nil, err
		}
		items = append(items, item(key, term))
	}
	return ast.ObjectTerm(items...), nil
}

// BareAction returns an action without properties as it is put into an input.
func BareAction(name string) *ast.Term { return ast.ObjectTerm(item(keyName, ast.StringTerm(name))) }

func valueTerm(value any) (*ast.Term, error) {
	v, err := ast.InterfaceToValue(value)
	if err != nil {
		return nil, err
	}
	return ast.NewTerm(v), nil
}
