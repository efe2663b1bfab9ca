package bundles

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/wardkeeper/wardkeeper/bundles/input"
)

// Document is a compiled query for the value at a path below data: a rule, a part of a rule's value, or a package with all
// the rules beneath it. It is safe for concurrent use.
type Document struct {
	query    *Query
	rules    *ast.TreeNode // the rules of a package, to which the value is pruned; nil if the value is that of a rule
	withData bool
	private  bool // whether the package is private
}

// IsPackage reports whether the document is a package with all the rules beneath it, rather than one rule.
func (d *Document) IsPackage() bool { return d.rules != nil }

// Document compiles the query for a path below data, such as {"authz", "allow"}. As in OPA's API, a whole number is the
// index of an array. Private rules and packages, whose names begin with "_", are left out, because they may copy the
// policy's data. Data that no rule computes is left out unless withData is set. If no input can give a value, the document
// is nil.
func (r *Revision) Document(path []string, withData bool) (*Document, error) {
	ref := ast.Ref{ast.DefaultRootDocument}
	for _, name := range path {
		ref = append(ref, pathTerm(name))
	}
	beneath, private, found := r.rulesAt(ref)
	switch {
	case !found && !withData, private && beneath == nil && found, private && !withData:
		return nil, nil
	}
	d := &Document{rules: beneath, withData: withData, private: private}
	var err error
	if d.query, err = r.prepare(ref); isTypeError(err) {
		return nil, nil // such as a member that the rule's value never has, or a function
	}
	return d, err
}

// Eval returns the value for an input, like [Query.Eval].
func (d *Document) Eval(ctx context.Context, in *input.Object, tracers ...topdown.QueryTracer) (*ast.Term, error) {
	value, err := d.query.Eval(ctx, in, tracers...)
	if err != nil || d.rules == nil || value == nil {
		return value, err
	}
	return d.prune(value, d.rules, d.private), nil
}

// rulesAt reports whether a path leads to rules, and whether it is private. beneath is the tree of the rules beneath the
// path, nil if the path is at or beneath a rule. No data can be there: a policy with data and a rule at one path does not
// compile.
func (r *Revision) rulesAt(ref ast.Ref) (beneath *ast.TreeNode, private, found bool) {
	node := r.compiler.RuleTree
	for _, name := range ref {
		if node = node.Child(name.Value); node == nil {
			return nil, false, false
		}
		private = private || isPrivate(name)
		if len(node.Values) > 0 {
			return nil, private, true
		}
	}
	return node, private, true
}

// isPrivate reports whether other packages must not use a name.
func isPrivate(name *ast.Term) bool {
	s, ok := name.Value.(ast.String)
	return ok && strings.HasPrefix(string(s), "_")
}

// prune keeps the results of rules that are not private, and data if withData is set. It returns nil if nothing is left.
func (d *Document) prune(value *ast.Term, node *ast.TreeNode, private bool) *ast.Term {
	switch {
	case node == nil && !d.withData, node != nil && len(node.Values) > 0 && private:
		return nil
	case node == nil || len(node.Values) > 0:
		return value
	}
	object, ok := value.Value.(ast.Object)
	if !ok {
		return nil
	}
	kept := ast.NewObject()
	object.Foreach(func(name, member *ast.Term) {
		hidden := private || isPrivate(name)
		child := node.Child(name.Value)
		if hidden && child != nil && !d.withData {
			return
		}
		if member = d.prune(member, child, hidden); member != nil {
			kept.Insert(name, member)
		}
	})
	if private && kept.Len() == 0 {
		return nil
	}
	return ast.NewTerm(kept)
}

func pathTerm(name string) *ast.Term {
	if n, err := strconv.Atoi(name); err == nil && strconv.Itoa(n) == name {
		return ast.IntNumberTerm(n)
	}
	return ast.StringTerm(name)
}

// isTypeError reports whether the only fault of a query is that it can have no value.
func isTypeError(err error) bool {
	var errs ast.Errors
	return errors.As(err, &errs) && !slices.ContainsFunc(errs, func(e *ast.Error) bool { return e.Code != ast.TypeErr })
}
