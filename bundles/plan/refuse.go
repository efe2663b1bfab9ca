package plan

import (
	"fmt"
	"strings"

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
	for _, m := range compiler.Modules {
		for _, rule := range m.Rules {
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
			if err := refuseWith(rule, compiler); err != nil {
				return err
			}
		}
	}
	return refuseDynamic(policy, compiler)
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

// refuseWith refuses a rule that replaces a function and then the input or data, if the planner mistakes the one for the
// other: it takes the document of the nth replacement for that of the nth that is not of a function.
func refuseWith(rule *ast.Rule, compiler *ast.Compiler) (err error) {
	ast.WalkExprs(rule, func(e *ast.Expr) bool {
		n := 0
		for _, w := range e.With {
			target := w.Target.Value.(ast.Ref)
			if !isDocument(target) || compiler.GetArity(target) > 0 {
				continue // a function
			}
			taken := e.With[n].Target.Value.(ast.Ref)
			if !isDocument(taken) {
				taken = ast.InputRootRef // what the planner takes for an unknown document
			}
			if !taken[0].Equal(target[0]) {
				err = fmt.Errorf("%v: the keyword with replaces a function before %v: replace it after", w.Location, target)
			}
			n++
		}
		return err != nil
	})
	return err
}

func isDocument(ref ast.Ref) bool {
	return ref.HasPrefix(ast.DefaultRootRef) || ref.HasPrefix(ast.InputRootRef)
}

// refuseDynamic refuses a reference by variable to rules in which a function is replaced by the value of a variable: that
// value is a further argument of their functions, which the planner omits from the call.
func refuseDynamic(policy *ir.Policy, compiler *ast.Compiler) error {
	replaced := map[string]bool{} // generations of functions
	for _, f := range policy.Funcs.Funcs {
		ref := ast.DefaultRootRef
		for _, name := range f.Path[1:] {
			ref = ref.Append(ast.StringTerm(name))
		}
		if len(f.Params) > 2+max(compiler.GetArity(ref), 0) {
			replaced[f.Path[0]] = true
		}
	}
	if len(replaced) == 0 {
		return nil
	}
	v := &dynamicCalls{replaced: replaced, strings: policy.Static.Strings}
	if err := ir.Walk(v, policy); err != nil {
		return err
	}
	if v.found != "" {
		return fmt.Errorf("a reference by variable to %s is evaluated with a function replaced by a variable", v.found)
	}
	return nil
}

// dynamicCalls finds calls of functions of some generations whose path is known only at evaluation.
type dynamicCalls struct {
	replaced map[string]bool
	strings  []*ir.StringConst
	found    string
}

func (*dynamicCalls) Before(any) {}
func (*dynamicCalls) After(any)  {}

func (v *dynamicCalls) Visit(x any) (ir.Visitor, error) {
	call, ok := x.(*ir.CallDynamicStmt)
	if !ok {
		return v, nil
	}
	var names []string
	for _, p := range call.Path {
		if name, ok := p.Value.(ir.StringIndex); ok {
			names = append(names, v.strings[name].Value)
		}
	}
	if v.replaced[names[0]] {
		v.found = strings.Join(names[1:], ".")
	}
	return v, nil
}
