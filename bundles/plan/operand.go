package plan

import "github.com/open-policy-agent/opa/v1/ast"

// source says where an operand's value is.
type source uint8

const (
	unset    source = iota // always undefined
	constant               // known when the policy is compiled
	local                  // in the frame
	path                   // in the input, at a path known when the policy is compiled
)

// operand is a value that a step reads.
type operand struct {
	from  source
	term  *ast.Term // of a constant
	index int       // of a local or path
}

func constantOf(t *ast.Term) operand { return operand{from: constant, term: t} }
func localAt(index int) operand      { return operand{from: local, index: index} }

// load returns the value; nil if it is undefined.
func (o *operand) load(e *evaluation, l []*ast.Term) *ast.Term {
	switch o.from {
	case constant:
		return o.term
	case local:
		t := l[o.index]
		if t != nil {
			if list, ok := t.Value.(*list); ok {
				t = list.term()
				l[o.index] = t
			}
		}
		return t
	case path:
		return e.at(o.index)
	}
	return nil
}

// same reports whether two operands always have the same value.
func (o operand) same(other operand) bool {
	return o.from == other.from && o.term == other.term && o.index == other.index
}

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

// at returns the value at a path of the input; nil if it is undefined.
func (e *evaluation) at(index int) *ast.Term {
	t := e.memo.paths[index]
	if t == nil {
		t = e.lookUp(index)
	}
	if t == none {
		return nil
	}
	return t
}

func (e *evaluation) lookUp(index int) *ast.Term {
	p, t := e.program.paths[index], e.memo.input
	if p.parent >= 0 {
		t = e.at(p.parent)
	}
	if t != nil {
		t = get(t.Value, p.key)
	}
	if t == nil {
		t = none
	}
	e.memo.paths[index] = t
	return t
}
