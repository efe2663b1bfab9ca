package mutant

import "github.com/open-policy-agent/opa/v1/ast"

// walker visits what can be changed in a module. A function that is nil is not called.
type walker struct {
	enter      func(*ast.Rule) // before the parts of a rule with all its branches
	rule       func(*ast.Rule) // each branch
	expr       func(*ast.Expr)
	constant   func(t *ast.Term, in column)
	collection func(elements []*ast.Term, of *ast.Term)
}

func (w *walker) module(m *ast.Module) {
	for _, r := range m.Rules {
		if w.enter != nil {
			w.enter(r)
		}
		for branch := r; branch != nil; branch = branch.Else {
			w.branch(branch)
		}
	}
}

func (w *walker) branch(r *ast.Rule) {
	if w.rule != nil {
		w.rule(r)
	}
	name := r.Head.Ref().String()
	for i, arg := range r.Head.Args {
		w.term(arg, argument(name, i))
	}
	if r.Head.Key != nil {
		w.term(r.Head.Key, column(name))
	}
	if r.Head.Value != nil && !r.Default {
		w.term(r.Head.Value, column(name))
	}
	w.body(r.Body)
}

func argument(of string, i int) column { return column(of + "(" + string(rune('0'+i)) + ")") }

func (w *walker) body(body ast.Body) {
	for _, x := range body {
		if w.expr != nil {
			w.expr(x)
		}
		switch terms := x.Terms.(type) {
		case *ast.Term:
			if !x.Generated {
				w.term(terms, "")
			}
		case []*ast.Term:
			w.call(terms)
		case *ast.SomeDecl:
			for _, t := range terms.Symbols {
				w.term(t, "")
			}
		case *ast.Every:
			w.term(terms.Domain, "")
			w.body(terms.Body)
		}
	}
}

// call visits the operands of a function. What is compared with a reference is of its column.
func (w *walker) call(terms []*ast.Term) {
	name := terms[0].Value.String()
	for i, t := range terms[1:] {
		in := argument(name, i)
		switch name {
		case "eq", "equal", "neq", "internal.member_2":
			in = ""
			if len(terms) == 3 {
				if ref, ok := terms[2-i].Value.(ast.Ref); ok {
					in = column(ref.String())
				}
			}
		}
		w.term(t, in)
	}
}

func (w *walker) term(t *ast.Term, in column) {
	switch v := t.Value.(type) {
	case ast.String, ast.Number, ast.Boolean, ast.Null:
		if w.constant != nil {
			w.constant(t, in)
		}
	case ast.Ref:
		for _, step := range v {
			if !ast.IsScalar(step.Value) {
				w.term(step, "")
			}
		}
	case *ast.Array:
		var elements []*ast.Term
		v.Foreach(func(element *ast.Term) { elements = append(elements, element) })
		w.elements(elements, t, in)
	case ast.Set:
		w.elements(v.Slice(), t, in)
	case ast.Object:
		v.Foreach(func(key, value *ast.Term) { w.term(value, column(key.String())) })
	case *ast.ArrayComprehension:
		w.term(v.Term, in)
		w.body(v.Body)
	case *ast.SetComprehension:
		w.term(v.Term, in)
		w.body(v.Body)
	case *ast.ObjectComprehension:
		w.term(v.Key, "")
		w.term(v.Value, in)
		w.body(v.Body)
	case ast.Call:
		w.call(v)
	}
}

func (w *walker) elements(elements []*ast.Term, of *ast.Term, in column) {
	if w.collection != nil {
		w.collection(elements, of)
	}
	for _, element := range elements {
		w.term(element, in)
	}
}
