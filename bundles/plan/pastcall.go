package plan

import "github.com/open-policy-agent/opa/v1/ast"

// manyCalls is after how many calls of an evaluation further ones look whether the function has been called with the same
// arguments. Most evaluations make fewer, and the look would cost them more than it saves. Without it, functions that call
// others twice would take time that doubles with each.
const manyCalls = 1000

// maxPastCalls bounds the calls that are remembered for one function.
const maxPastCalls = 1 << 14

// pastCall is a call whose value is known: nil if it is undefined.
type pastCall struct {
	args  []*ast.Term
	value *ast.Term
}

// callOnce is like call, but evaluates a function only once for the same arguments.
func (e *evaluation) callOnce(f *function, l []*ast.Term, args []operand) (*ast.Term, signal) {
	m := e.memo
	loaded, hash := make([]*ast.Term, 0, len(args)), 0
	for i := range args {
		if i >= 2 { // after the input and data, which are those of the memo
			t := args[i].load(e, l)
			if t == nil {
				return e.callAlways(f, l, args)
			}
			loaded, hash = append(loaded, t), 31*hash+t.Hash()
		}
	}
	for _, past := range m.calls[f][hash] {
		if past.same(loaded) {
			if past.value == nil {
				return nil, undefined
			}
			return past.value, next
		}
	}
	value, sig := e.callAlways(f, l, args)
	if sig == failed {
		return value, sig
	}
	if m.calls == nil {
		m.calls = map[*function]map[int][]pastCall{}
	}
	if m.calls[f] == nil {
		m.calls[f] = map[int][]pastCall{}
	}
	if len(m.calls[f]) < maxPastCalls {
		m.calls[f][hash] = append(m.calls[f][hash], pastCall{loaded, value})
	}
	return value, sig
}

func (p pastCall) same(args []*ast.Term) bool {
	for i, t := range args {
		if !equal(p.args[i], t) {
			return false
		}
	}
	return true
}
