package plan

import "github.com/open-policy-agent/opa/v1/ast"

// stepScan runs its body for each element of a collection. Leaving the body's block continues with the next element;
// leaving one block more ends the scan. A key or value that nobody reads has the local -1.
func stepScan(source operand, key, val int, body []step) step {
	return func(e *evaluation, l []*ast.Term) signal {
		switch v := value(source.load(e, l)).(type) {
		case *ast.Array:
			for i := range v.Len() {
				if key >= 0 {
					l[key] = ast.InternedTerm(i)
				}
				if val >= 0 {
					l[val] = v.Elem(i)
				}
				if sig := e.iterate(body, l); sig != next {
					return sig.leave(2)
				}
			}
		case ast.Set:
			for _, elem := range v.Slice() {
				if key >= 0 {
					l[key] = elem
				}
				if val >= 0 {
					l[val] = elem
				}
				if sig := e.iterate(body, l); sig != next {
					return sig.leave(2)
				}
			}
		case ast.Object:
			return e.scanObject(v, l, key, val, body).leave(2)
		}
		return next
	}
}

// objectScan runs the body of a scan for the members of an object. It is kept for the next scan, because a closure would be
// allocated for each.
type objectScan struct {
	e        *evaluation
	l        []*ast.Term
	key, val int
	body     []step
	sig      signal
	visit    func(k, v *ast.Term) bool
}

func (e *evaluation) scanObject(o ast.Object, l []*ast.Term, key, val int, body []step) signal {
	if e.scanning == len(e.scans) {
		s := &objectScan{e: e}
		s.visit = s.member
		e.scans = append(e.scans, s)
	}
	s := e.scans[e.scanning]
	e.scanning++
	s.l, s.key, s.val, s.body, s.sig = l, key, val, body, next
	o.Until(s.visit)
	s.l, s.body = nil, nil
	e.scanning--
	return s.sig
}

func (s *objectScan) member(k, v *ast.Term) bool {
	if s.key >= 0 {
		s.l[s.key] = k
	}
	if s.val >= 0 {
		s.l[s.val] = v
	}
	s.sig = s.e.iterate(s.body, s.l)
	return s.sig != next
}

// iterate runs the body of a scan once. It returns next if the scan goes on.
func (e *evaluation) iterate(body []step, l []*ast.Term) signal {
	if e.canceled() {
		return e.fail(ErrCanceled)
	}
	if sig := run(body, e, l); sig != undefined {
		return sig
	}
	return next
}
