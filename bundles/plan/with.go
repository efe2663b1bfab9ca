package plan

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

// stepWith runs its body with another input or other data. Functions are then evaluated for those.
func stepWith(local int, path []*ast.Term, val operand, body []step) step {
	return func(e *evaluation, l []*ast.Term) signal {
		old, memo, others := l[local], e.memo, len(e.others)
		l[local] = replace(e.whole(old), path, val.load(e, l))
		e.memo = e.memoOf(l[0], l[1])
		sig := run(body, e, l)
		l[local], e.memo = old, memo
		clear(e.others[others:])
		e.others = e.others[:others]
		if sig > 1 {
			return sig - 1
		}
		return sig
	}
}

// replace returns a document with the value at a path replaced. What is not an object on the way becomes one.
func replace(document *ast.Term, path []*ast.Term, v *ast.Term) *ast.Term {
	if len(path) == 0 {
		return v
	}
	o, ok := value(document).(ast.Object)
	if !ok {
		return ast.ObjectTerm(ast.Item(path[0], replace(nil, path[1:], v)))
	}
	inner := replace(o.Get(path[0]), path[1:], v)
	o = shallow(o)
	o.Insert(path[0], inner)
	return ast.NewTerm(o)
}
