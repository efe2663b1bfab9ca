package plan

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ir"
)

// refuse reports rules for which the plan does not have the interpreter's value.
func refuse(policy *ir.Policy, compiler *ast.Compiler) error {
	if policy.Funcs == nil {
		return nil
	}
	planned := &pathNode{}
	for _, f := range policy.Funcs.Funcs {
		planned.add(f.Path[1:], &function{}) // without the generation
	}
	first := map[string]*ast.Rule{} // of each function
	for _, file := range slices.Sorted(maps.Keys(compiler.Modules)) {
		for _, rule := range compiler.Modules[file].Rules {
			n := plannedAt(planned, rule)
			if n == 0 {
				continue
			}
			if err := refuseRule(rule, n); err != nil {
				return err
			}
			name := rule.Ref()[:n].String()
			if first[name] == nil {
				first[name] = rule
			}
			if err := refusePair(first[name], rule); err != nil {
				return err
			}
		}
	}
	return nil
}

// refuseBefore reports rules that are not planned, because the plan would not have the interpreter's value, or would grow with
// each replacement. Rules by which no query is answered count, too: a policy does not use these constructs by chance.
func refuseBefore(compiler *ast.Compiler, data ast.Value) error {
	if _, found := data.Find(ast.Ref{ast.StringTerm("system")}); found == nil {
		return errors.New("data has a member system, which the interpreter hides")
	}
	for _, name := range slices.Sorted(maps.Keys(compiler.Modules)) {
		if err := refuseWritten(compiler.Modules[name], compiler.RuleTree, data); err != nil {
			return err
		}
	}
	return refuseOrder(compiler.Modules)
}

// CompilesRule reports whether a policy can be compiled with a rule, as far as the constructs in the rule are concerned: a set whose
// order something else may show counts as one that is shown. Data is the policy's.
func CompilesRule(rule *ast.Rule, compiler *ast.Compiler, data ast.Value) bool {
	object, set, _ := ordered(rule)
	return object == nil && set == nil && refuseWritten(rule, compiler.RuleTree, data) == nil
}

// refuseWritten refuses expressions and references in a module or rule.
func refuseWritten(in any, rules *ast.TreeNode, data ast.Value) (err error) {
	ast.WalkExprs(in, func(e *ast.Expr) bool {
		if err == nil {
			err = refuseExpr(e)
		}
		return err != nil
	})
	ast.WalkRefs(in, func(ref ast.Ref) bool {
		if err == nil {
			err = refuseRef(ref, rules, data)
		}
		return err != nil
	})
	return err
}

// refuseExpr refuses the replacement of data and of functions, and patterns of objects with keys that are variables, which the
// planner counts instead of comparing them.
func refuseExpr(e *ast.Expr) error {
	for _, w := range e.With {
		if target, ok := w.Target.Value.(ast.Ref); !ok || !target.HasPrefix(ast.InputRootRef) {
			return fmt.Errorf("%v: the keyword with replaces %v", w.Location, w.Target)
		}
	}
	if !e.IsEquality() {
		return nil
	}
	for i := range 2 {
		pattern, ok := e.Operand(i).Value.(ast.Object)
		if _, plain := e.Operand(1 - i).Value.(ast.Var); !ok || plain {
			continue
		}
		for _, key := range pattern.Keys() {
			if !key.IsGround() {
				return fmt.Errorf("%v: the key %v of a pattern is a variable", e.Location, key)
			}
		}
	}
	return nil
}

// refuseOrder refuses objects that are written with variables as keys, and sets with variables if an array may show their order. The
// interpreter iterates over them in the order of the variables, until it remembers the value of their rule, and keeps both
// values of two keys that turn out to be equal. What a built-in function gets are values.
func refuseOrder(modules map[string]*ast.Module) error {
	var all []any
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		all = append(all, modules[name])
	}
	object, set, array := ordered(all...)
	switch {
	case object != nil:
		return fmt.Errorf("%v: the keys of %v are variables, which may be equal", object.Location, object)
	case set != nil && array != nil:
		return fmt.Errorf("%v: the order of %v depends on variables, and the array at %v may show it", set.Location, set, array.Location)
	}
	return nil
}

// ordered returns the first object and the first set that are written with variables, and the first array that may show their order.
func ordered(in ...any) (object, set, array *ast.Term) {
	arguments := map[*ast.Term]bool{} // of built-in functions
	for _, part := range in {
		ast.NewGenericVisitor(func(node any) bool {
			switch node := node.(type) {
			case *ast.Term:
				if arguments[node] {
					break
				}
				switch v := node.Value.(type) {
				case *ast.ArrayComprehension:
					array = cmp.Or(array, node)
				case ast.Object:
					if haveVariables(v.Keys()) {
						object = cmp.Or(object, node)
					}
				case ast.Set:
					if haveVariables(v.Slice()) {
						set = cmp.Or(set, node)
					}
				}
			case *ast.Expr:
				if !isBuiltinCall(node) {
					break
				}
				for _, argument := range node.Operands() {
					ast.WalkTerms(argument, func(t *ast.Term) bool {
						if ast.IsComprehension(t.Value) {
							return true
						}
						arguments[t] = true
						return false
					})
				}
			}
			return false
		}).Walk(part)
	}
	return object, set, array
}

// haveVariables reports whether there are several keys, and one is not known before evaluation.
func haveVariables(keys []*ast.Term) bool {
	return len(keys) > 1 && slices.ContainsFunc(keys, func(k *ast.Term) bool { return !k.IsGround() })
}

func isBuiltinCall(e *ast.Expr) bool {
	return e.IsCall() && !e.IsEquality() && !e.IsAssignment() && ast.BuiltinMap[e.Operator().String()] != nil
}

// refuseRef refuses references by variable to what is beneath a path that has rules beneath it. The planner orders rules and data
// in another way than the interpreter, and misses some. The value of one of several complete rules side by side is planned rightly.
func refuseRef(ref ast.Ref, node *ast.TreeNode, data ast.Value) error {
	if !ref.HasPrefix(ast.DefaultRootRef) {
		return nil
	}
	for i, term := range ref {
		if i > 0 && !term.IsGround() {
			if alternatives(node) {
				if _, err := data.Find(ref[1:i]); err != nil {
					return nil
				}
			}
			return fmt.Errorf("%v: %v refers to rules by a variable", term.Location, ref)
		}
		if node = node.Child(term.Value); node == nil || len(node.Values) > 0 {
			return nil
		}
	}
	return nil
}

// alternatives reports whether all that is beneath a path are complete rules without arguments.
func alternatives(node *ast.TreeNode) bool {
	for _, child := range node.Children {
		if len(child.Values) == 0 || len(child.Children) > 0 {
			return false
		}
		for _, rule := range child.Values {
			if rule.Head.RuleKind() != ast.SingleValue || !rule.Ref().IsGround() || len(rule.Head.Args) > 0 {
				return false
			}
		}
	}
	return true
}

// plannedAt returns the length of the reference to the function that a rule is planned in; 0: it is not planned.
func plannedAt(planned *pathNode, rule *ast.Rule) int {
	n := planned
	for i, term := range rule.Ref().StringPrefix()[1:] {
		if n = n.children[string(term.Value.(ast.String))]; n == nil {
			return 0
		}
		if n.function != nil {
			return i + 2
		}
	}
	return 0
}

// refuseRule refuses a rule that is planned with others whose references are shorter. The interpreter gives its constant
// prefix a value of its own, an empty object or set if nothing is in it; the planner adds only what is in it.
func refuseRule(rule *ast.Rule, shortest int) error {
	ref := rule.Ref()
	leaf := rule.Head.RuleKind() == ast.SingleValue && ref.IsGround() && len(ref) == shortest+1
	if leaf || len(ref.GroundPrefix()) == shortest {
		return nil
	}
	return fmt.Errorf("%v: rule %v has another constant prefix than the rules planned with it", rule.Location, ref)
}

// refusePair refuses rules of one function that differ in kind or depth, such as p[x] := {1} and p[x] contains 2, or p[x] := 1
// and p[x].y := 2. Whether the interpreter finds that they contradict each other depends on their order.
func refusePair(a, b *ast.Rule) error {
	if a.Head.RuleKind() == b.Head.RuleKind() && len(a.Ref()) == len(b.Ref()) {
		return nil
	}
	return fmt.Errorf("%v: rule %v is of another kind or depth than rule %v, which is planned with it", b.Location, b.Ref(), a.Ref())
}
