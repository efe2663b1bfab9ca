package bundles

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Defines reports whether there are rules at or beneath a path below data, such as "authz/allow".
func (r *Revision) Defines(path string) bool {
	ref, err := ast.ParseRef(r.dataPath(path))
	return err == nil && len(r.compiler.GetRulesWithPrefix(ref)) > 0
}

// Members returns the names of the members that rules can give the object at a path below data: "subject" of
// "authz/candidates" if there is a rule candidates.subject. open reports that there may be others, whose names depend on
// the input.
func (r *Revision) Members(path string) (names []string, open bool) {
	ref, err := ast.ParseRef(r.dataPath(path))
	if err != nil {
		return nil, false
	}
	for _, rule := range r.compiler.GetRulesWithPrefix(ref) {
		for ; rule != nil; rule = rule.Else {
			found, more := membersOf(rule, len(ref))
			names, open = append(names, found...), open || more
		}
	}
	return names, open
}

// membersOf returns the members that one rule gives an object. own is the number of terms in the object's reference.
func membersOf(rule *ast.Rule, own int) (names []string, open bool) {
	if at := rule.Ref(); len(at) > own {
		name, ok := at[own].Value.(ast.String)
		return []string{string(name)}, !ok
	}
	if rule.Head.Value == nil {
		return nil, false // it defines a set
	}
	value := rule.Head.Value
	for _, expr := range rule.Body { // the compiler moves a value that is not constant into the body
		if (expr.IsEquality() || expr.IsAssignment()) && expr.Operand(0).Equal(value) {
			value = expr.Operand(1)
			break
		}
	}
	switch value := value.Value.(type) {
	case ast.Object:
		for _, key := range value.Keys() {
			name, ok := key.Value.(ast.String)
			names, open = append(names, string(name)), open || !ok
		}
		return names, open
	case ast.Var, ast.Ref, ast.Call, *ast.ObjectComprehension:
		return nil, true
	}
	return nil, false
}

// isRule reports whether a path names a rule rather than a package.
func (r *Revision) isRule(path string) bool {
	ref, err := ast.ParseRef(r.dataPath(path))
	return err == nil && len(r.compiler.GetRulesExact(ref)) > 0
}

func (r *Revision) dataPath(path string) string {
	return "data." + strings.ReplaceAll(strings.Trim(path, "/"), "/", ".")
}
