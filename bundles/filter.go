package bundles

import (
	"context"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/wardkeeper/wardkeeper/bundles/input"
)

// Filter is a rule that the policy offers as a condition on the rows of tables: its annotation names them, as OPA's does:
//
//	# METADATA
//	# compile:
//	#   unknowns: [input.users]
//
// It is safe for concurrent use.
type Filter struct {
	query    *Query
	Unknowns []ast.Ref // the tables
}

// Filter returns the filter at a path below data, nil if the policy offers none there.
func (r *Revision) Filter(path []string) (*Filter, error) {
	ref := ast.Ref{ast.DefaultRootDocument}
	for _, name := range path {
		ref = append(ref, ast.StringTerm(name))
	}
	unknowns, offered := r.filters[ref.String()]
	if !offered {
		return nil, nil
	}
	q := &Query{revision: r, ref: ref}
	return &Filter{q, unknowns}, q.compile(ast.NewBody(ast.Equality.Expr(ast.NewTerm(ref), ast.BooleanTerm(true))))
}

// Partial returns what is left of the rule for an input without the tables: queries, one of which must hold for a row. None means that the
// rule holds for no row, and one without expressions that it holds for each. A query may refer to rules beneath
// data.partial, which are not returned. It stops with [ErrCanceled] when the context ends.
func (f *Filter) Partial(ctx context.Context, in *input.Object) ([]ast.Body, error) {
	if ctx.Err() != nil {
		return nil, ErrCanceled
	}
	unknowns := make([]*ast.Term, len(f.Unknowns))
	for i, ref := range f.Unknowns {
		unknowns[i] = ast.NewTerm(ref)
	}
	cancel := topdown.NewCancel()
	defer context.AfterFunc(ctx, cancel.Cancel)()
	r := f.query.revision
	queries, _, err := topdown.NewQuery(f.query.body).
		WithQueryCompiler(f.query.compiler).
		WithCompiler(r.compiler).
		WithStore(r.store).
		WithTransaction(r.txn).
		WithMetrics(metrics.NoOp()).
		WithCancel(cancel).
		WithIndexing(false).                // the index leaves out rules that depend on what is unknown
		WithNondeterministicBuiltins(true). // or else they would be left, and each rule searched for them
		WithUnknowns(unknowns).
		WithInput(in.Term()).
		PartialRun(ctx)
	switch {
	case topdown.IsCancel(err) || ctx.Err() != nil:
		return nil, ErrCanceled
	case err != nil:
		return nil, err
	}
	return queries, nil
}

// areTables reports whether references name tables. Others are for OPA alone, and not offered here.
func areTables(unknowns []ast.Ref) bool {
	return len(unknowns) > 0 && !slices.ContainsFunc(unknowns, func(ref ast.Ref) bool {
		return len(ref) != 2 || !ref.HasPrefix(ast.InputRootRef)
	})
}

// filtersOf returns the rules that modules offer as filters, by path, with their tables.
func filtersOf(modules []bundle.ModuleFile) (map[string][]ast.Ref, error) {
	filters := map[string][]ast.Ref{}
	for _, m := range modules {
		if !strings.Contains(string(m.Raw), "unknowns") {
			continue
		}
		annotated, err := ast.ParseModuleWithOpts(m.Path, string(m.Raw), ast.ParserOptions{
			RegoVersion: ast.RegoV1, Capabilities: Capabilities(), ProcessAnnotation: true,
		})
		if err != nil {
			return nil, err
		}
		for _, a := range annotated.Annotations {
			ofRule := a.Scope == "rule" || a.Scope == "document"
			if ofRule && a.Compile != nil && areTables(a.Compile.Unknowns) {
				filters[a.GetTargetPath().String()] = a.Compile.Unknowns
			}
		}
	}
	return filters, nil
}
