package plan

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wardkeeper/wardkeeper/bundles/input"
)

// source says where an operand's value is.
type source uint8

const (
	unset    source = iota // always undefined
	constant               // known when the policy is compiled
	path                   // in the input, at a path known when the policy is compiled
	local                  // in the frame
	array                  // in the frame; it may be a list
	whole                  // the input, which the first local of a frame stands for
)

// operand is a value that a step reads.
type operand struct {
	from  source
	term  *ast.Term // of a constant
	index int       // of a path, or in the frame
}

func constantOf(t *ast.Term) operand { return operand{from: constant, term: t} }
func localAt(index int) operand      { return operand{from: local, index: index} }

// inFrame reports whether the value is in the frame, where it may be replaced.
func (o operand) inFrame() bool { return o.from >= local }

// load returns the value; nil if it is undefined.
func (o *operand) load(e *evaluation, l []*ast.Term) *ast.Term {
	switch o.from {
	case constant:
		return o.term
	case local:
		return l[o.index]
	case path:
		return e.at(o.index)
	case array:
		t := l[o.index]
		if t != nil {
			if list, ok := t.Value.(*list); ok {
				t = list.term()
				l[o.index] = t
			}
		}
		return t
	case whole:
		return e.whole(l[o.index])
	}
	return nil
}

// given stands for the input of the question, which is made into a value only if a rule reads it whole.
var given = &ast.Term{}

// whole returns the input that the first local of a frame stands for.
func (e *evaluation) whole(input *ast.Term) *ast.Term {
	if input == given {
		return e.input.Term()
	}
	return input
}

// same reports whether two operands always have the same value.
func (o operand) same(other operand) bool {
	return o.from == other.from && o.term == other.term && o.index == other.index
}

// inFrameAt reports whether the value is that of a place of the frame.
func (o operand) inFrameAt(index int) bool { return o.inFrame() && o.index == index }

// isFalse reports whether the operand is the constant false.
func (o operand) isFalse() bool {
	b, ok := value(o.term).(ast.Boolean)
	return o.from == constant && ok && !bool(b)
}

// text returns the string of a constant.
func (o operand) text() (string, bool) {
	if o.from != constant {
		return "", false
	}
	s, ok := o.term.Value.(ast.String)
	return string(s), ok
}

// inputPath is a place in the input: a member of the value at another path, or of the input itself. Rules read the same
// places again and again, so each is looked up once for an input.
type inputPath struct {
	parent int // -1: the input
	key    *ast.Term
}

// found is what is at a path of the input.
type found struct {
	term   *ast.Term // nil: not looked up yet, or not yet made from the object; [none]: undefined
	object *input.Object
}

// inParts reports whether this is an object whose members are known without its value.
func (f *found) inParts() bool { return f.object != nil && !f.object.IsTerm() }

// at returns the value at a path of the input; nil if it is undefined.
func (e *evaluation) at(index int) *ast.Term {
	f := &e.memo.paths[index]
	if f.term == nil {
		if e.lookUp(index, f); f.term == nil {
			f.term = f.object.Term()
		}
	}
	if f.term == none {
		return nil
	}
	return f.term
}

// has reports whether there is a value at a path of the input.
func (e *evaluation) has(index int) bool { return e.find(index).term != none }

// find returns what is at a path of the input.
func (e *evaluation) find(index int) *found {
	f := &e.memo.paths[index]
	e.lookUp(index, f)
	return f
}

// isObject reports whether the input, or what is at a path of it, is an object.
func (e *evaluation) isObject(o operand) bool {
	in := e.root()
	if o.from == path {
		in = *e.find(o.index)
	}
	if in.inParts() {
		return true
	}
	if in.object != nil {
		in.term = in.object.Term()
	}
	return isObject(value(in.term))
}

// root returns the input at hand.
func (e *evaluation) root() found {
	if e.memo.input == given {
		return found{object: e.input}
	}
	return found{term: e.memo.input}
}

func (e *evaluation) lookUp(index int, f *found) {
	if f.term != nil || f.object != nil {
		return
	}
	p := &e.program.paths[index]
	in := e.root()
	if p.parent >= 0 {
		in = *e.find(p.parent)
	}
	if *f = in.get(p.key); f.term == nil && f.object == nil {
		f.term = none
	}
}

// member returns a member of what is at a path of the input; nil if it is undefined.
func (e *evaluation) member(index int, key *ast.Term) *ast.Term {
	m := e.find(index).get(key)
	if m.term == nil {
		return m.object.Term()
	}
	return m.term
}

// get returns a member of an object, or an element of another collection.
func (f *found) get(key *ast.Term) found {
	switch {
	case f.inParts():
		if name, ok := key.Value.(ast.String); ok {
			if m := f.object.Member(name); m != nil {
				return found{m.Value, m.Object}
			}
		}
	case f.object != nil:
		return found{term: get(f.object.Term().Value, key)}
	case f.term != nil && f.term != none:
		return found{term: get(f.term.Value, key)}
	}
	return found{}
}
