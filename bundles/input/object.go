package input

import (
	"sync/atomic"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Object is an object of an input, such as the input itself. OPA's objects are costly to make, and most policies read only some of
// their members: an Object becomes a value of OPA only if a policy reads it whole. It is safe for concurrent use.
type Object struct {
	members []Member
	term    atomic.Pointer[ast.Term] // nil: nobody has needed it yet
}

// Member is a member of an [Object]: a value, or another Object.
type Member struct {
	Key    *ast.Term // a string
	Value  *ast.Term
	Object *Object // if Value is nil
}

// Term returns the value of the member.
func (m *Member) Term() *ast.Term {
	if m.Value == nil {
		return m.Object.Term()
	}
	return m.Value
}

// New returns an object with these members, whose keys must differ. It takes over the slice.
func New(members ...Member) *Object { return &Object{members: members} }

// Of returns an Object for a value, which need not be an object; nil for nil.
func Of(term *ast.Term) *Object {
	if term == nil {
		return nil
	}
	o := &Object{}
	o.term.Store(term)
	return o
}

// Term returns the object as a value of OPA; nil for nil.
func (o *Object) Term() *ast.Term {
	if o == nil {
		return nil
	}
	if term := o.term.Load(); term != nil {
		return term
	}
	items := make([][2]*ast.Term, len(o.members))
	for i := range o.members {
		items[i] = [2]*ast.Term{o.members[i].Key, o.members[i].Term()}
	}
	object := ast.NewObject(items...)
	// OPA sorts the keys when they are first needed, and copies of the object that are made meanwhile could miss some.
	object.Until(func(_, _ *ast.Term) bool { return true })
	term := ast.NewTerm(object)
	o.term.Store(term)
	return term
}

// Member returns the member with a key. It returns nil if there is none, or if only [Object.Term] knows.
func (o *Object) Member(key ast.String) *Member {
	for i := range o.members {
		m := &o.members[i]
		if name, ok := m.Key.Value.(ast.String); ok && name == key {
			return m
		}
	}
	return nil
}

// Len returns the number of members, of which [Object.Member] knows all.
func (o *Object) Len() int { return len(o.members) }

// IsTerm reports whether only [Object.Term] knows the members.
func (o *Object) IsTerm() bool { return o.members == nil && o.term.Load() != nil }

// Each visits the members.
func (o *Object) Each(visit func(m *Member)) {
	if !o.IsTerm() {
		for i := range o.members {
			visit(&o.members[i])
		}
		return
	}
	if object, ok := o.Term().Value.(ast.Object); ok {
		object.Foreach(func(key, value *ast.Term) { visit(&Member{Key: key, Value: value}) })
	}
}
