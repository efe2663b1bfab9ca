package bundles

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/util"
)

func (r *Revision) compile(ctx context.Context, content *Content, schema []byte) error {
	r.store = inmem.NewFromObjectWithOpts(content.Data,
		inmem.OptRoundTripOnWrite(false), inmem.OptReturnASTValuesOnRead(true))
	txn, err := r.store.NewTransaction(ctx)
	if err != nil {
		return err
	}
	r.txn = txn
	modules, masks := make(map[string]*ast.Module, len(content.Modules)), make(map[string]*ast.Module)
	for _, m := range content.Modules {
		if isMask(m.Parsed) {
			masks[m.Path] = m.Parsed
			continue
		}
		modules[m.Path] = indexable(m.Parsed)
	}
	newCompiler := func() *ast.Compiler {
		return ast.NewCompiler().
			WithCapabilities(Capabilities()).
			WithStrict(true).
			SetErrorLimit(0).
			WithPathConflictsCheck(storage.NonEmpty(ctx, r.store, txn))
	}
	r.compiler = newCompiler()
	if schema != nil && r.hasCatalogue(modules) {
		set, err := schemaSet(schema)
		if err != nil {
			return err
		}
		r.compiler = r.compiler.WithSchemas(set)
	}
	r.compiler.Compile(modules)
	if r.compiler.Failed() {
		return compileErrors(r.compiler.Errors)
	}
	r.inputs, r.constants = readsOf(modules), constantsOf(modules)
	if r.filters, err = filtersOf(content.Modules); err != nil {
		return err
	}
	if len(masks) == 0 {
		return nil
	}
	for path, m := range modules {
		masks[path] = m.Copy()
	}
	r.masks = &Revision{compiler: newCompiler(), store: r.store, txn: r.txn}
	if r.masks.compiler.Compile(masks); r.masks.compiler.Failed() {
		return compileErrors(r.masks.compiler.Errors)
	}
	return nil
}

// MaskRule is the path of the rule that says what to hide of a record of a decision, as in OPA.
const MaskRule = "system/log/mask"

// isMask reports whether a module is about records of decisions. Its input is such a record, so the schema of questions does
// not apply to it, and no decision depends on what it reads.
func isMask(m *ast.Module) bool { return m.Package.Path.String() == "data.system.log" }

// Mask returns the query of [MaskRule], whose input is a record of a decision; nil if there is no such rule.
func (r *Revision) Mask() (*Query, error) {
	if r.masks == nil || !r.masks.Defines(MaskRule) {
		return nil, nil
	}
	return r.masks.Prepare(MaskRule)
}

// indexable returns a copy of a module whose functions compare their arguments with constants in the body instead of the
// head, because OPA's index reads only bodies. So the clause met("active_account", _, _) is found as fast as
// met(rule, _, _) if rule == "active_account".
func indexable(m *ast.Module) *ast.Module {
	unconditional := ast.NewBody(ast.NewExpr(ast.BooleanTerm(true)))
	m = m.Copy()
	for _, rule := range m.Rules {
		for ; rule != nil && !rule.Default; rule = rule.Else {
			for i, arg := range slices.Backward(rule.Head.Args) {
				if !ast.IsScalar(arg.Value) {
					continue
				}
				name := ast.VarTerm("__localhead" + strconv.Itoa(i) + "__").SetLocation(arg.Location)
				rule.Head.Args[i] = name
				equal := ast.Equality.Expr(name, arg).SetLocation(arg.Location)
				if rule.Body.Equal(unconditional) {
					rule.Body = nil
				}
				rule.Body = ast.NewBody(append([]*ast.Expr{equal}, rule.Body...)...)
			}
		}
	}
	return m
}

// hasCatalogue reports whether the policy judges by membership facts, which the schema describes.
func (r *Revision) hasCatalogue(modules map[string]*ast.Module) bool {
	home := r.dataPath(path.Dir(r.Entrypoint))
	for _, m := range modules {
		if m.Package.Path.String() != home {
			continue
		}
		for _, rule := range m.Rules {
			if rule.Head.Ref().String() == "catalogue" {
				return true
			}
		}
	}
	return false
}

func schemaSet(schema []byte) (*ast.SchemaSet, error) {
	var value any
	if err := util.UnmarshalJSON(schema, &value); err != nil {
		return nil, fmt.Errorf("the schema of the input: %w", err)
	}
	set := ast.NewSchemaSet()
	set.Put(ast.SchemaRootRef, value)
	return set, nil
}

const (
	maxFaults = 50  // bounds the compile errors that are reported
	maxFault  = 500 // bounds the text of each, in bytes
)

// compileErrors joins the compile errors, one per line.
func compileErrors(errs ast.Errors) error {
	all := make([]error, 0, min(len(errs), maxFaults)+1)
	for i, err := range errs {
		if i == maxFaults {
			all = append(all, fmt.Errorf("and %d more", len(errs)-i))
			break
		}
		text := strings.TrimPrefix(strings.Join(strings.Fields(err.Error()), " "), "/")
		if len(text) > maxFault {
			text = strings.ToValidUTF8(text[:maxFault], "") + "..."
		}
		if name, ok := impureIn(text); ok {
			text += ": policies must be pure, and " + name + " is not"
		}
		all = append(all, errors.New(text))
	}
	return errors.Join(all...)
}
