package bundles

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// Document is the value at a path below data, compiled: of one rule, of what is in a rule's value, or of all the rules
// beneath. It is safe for concurrent use.
type Document struct {
	query    *Query
	rules    *ast.TreeNode // those beneath, by which the value is pruned; nil where it is a rule's
	withData bool
	private  bool // all the rules beneath are
}

// IsPackage reports whether it is all the rules beneath a path that are evaluated, and not one.
func (d *Document) IsPackage() bool { return d.rules != nil }

// Document compiles what is at a path below data, such as {"authz", "allow"}. Names that are whole numbers name array
// elements, as in OPA's API. Rules that are private, or in a private package, are left out: those whose names begin with
// "_", by which a policy works and which may be copies of its data. Data that is not the result of a rule is left out
// unless withData says otherwise. Where nothing can be, whatever the input is, the document is nil: nothing is compiled
// for a path that meets no rule.
func (r *Revision) Document(path []string, withData bool) (*Document, error) {
	ref := ast.Ref{ast.DefaultRootDocument}
	for _, name := range path {
		ref = append(ref, pathTerm(name))
	}
	beneath, private, meets := r.rulesAt(ref)
	switch {
	case !meets && !withData, private && beneath == nil && meets, private && !withData:
		return nil, nil
	}
	d := &Document{rules: beneath, withData: withData, private: private}
	var err error
	if d.query, err = r.prepare(ref); isTypeError(err) {
		return nil, nil // such as a name that a rule's value never has, or a function
	}
	return d, err
}

// Eval gives the value for an input, like [Query.Eval].
func (d *Document) Eval(ctx context.Context, input *ast.Term, tracers ...topdown.QueryTracer) (*ast.Term, error) {
	value, err := d.query.Eval(ctx, input, tracers...)
	if err != nil || d.rules == nil || value == nil {
		return value, err
	}
	return d.prune(value, d.rules, d.private), nil
}

// rulesAt says whether a path meets a rule, and whether it is private. What it gives is the tree of the rules beneath, nil
// where the path is at or beneath a rule. No data can be there: compiling refuses data and a rule at one path.
func (r *Revision) rulesAt(ref ast.Ref) (beneath *ast.TreeNode, private, meets bool) {
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

// isPrivate says whether a name is one that other packages must not use.
func isPrivate(name *ast.Term) bool {
	s, ok := name.Value.(ast.String)
	return ok && strings.HasPrefix(string(s), "_")
}

// prune keeps the results of rules that are not private, and data where it is served. nil is given where nothing is kept.
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
	return ast.NewTerm(kept)
}

func pathTerm(name string) *ast.Term {
	if n, err := strconv.Atoi(name); err == nil && strconv.Itoa(n) == name {
		return ast.IntNumberTerm(n)
	}
	return ast.StringTerm(name)
}

// isTypeError says whether all that is wrong with a query is that it can have no value.
func isTypeError(err error) bool {
	var errs ast.Errors
	return errors.As(err, &errs) && !slices.ContainsFunc(errs, func(e *ast.Error) bool { return e.Code != ast.TypeErr })
}
