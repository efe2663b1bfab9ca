// Package bundles opens policy, compiles it and makes it an immutable revision.
package bundles

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
)

// Bounds of what is opened.
const (
	maxFiles     = 10_000
	maxFileBytes = 64 << 20
)

// Config says where policy is and what of it is asked.
type Config struct {
	// Files is the tree of policy: *.rego, data.yaml and data.json. Tests (*_test.rego) are left out.
	Files fs.FS
	// Source names the tree in messages, such as "built-in" or the path of a directory.
	Source string
	// Entrypoint is the path of the decision below data, such as "authz/decision".
	Entrypoint string
}

// Revision is one compiled policy: immutable and safe for concurrent use.
type Revision struct {
	ID         string // a hash of the content: the same files give the same id
	Source     string
	Entrypoint string

	compiler *ast.Compiler
	store    storage.Store
	read     storage.Transaction // open for good: nothing ever writes
}

// Open reads and compiles policy under capabilities that offer no I/O, no clock and no randomness. It fails where a
// file cannot be read or compiled, and where the entrypoint names no rule; the error names file and line.
func Open(ctx context.Context, cfg Config) (*Revision, error) {
	tree, err := readTree(cfg.Files)
	if err != nil {
		return nil, fmt.Errorf("policies %s: %w", cfg.Source, err)
	}
	r := &Revision{ID: tree.id, Source: cfg.Source, Entrypoint: strings.Trim(cfg.Entrypoint, "/")}
	if err := r.compile(ctx, tree.content); err != nil {
		return nil, fmt.Errorf("policies %s: %w", cfg.Source, err)
	}
	if !r.isRule(r.Entrypoint) {
		return nil, fmt.Errorf("policies %s: there is no rule %s to decide by: name the one that is (--decision)", cfg.Source, r.dataPath(r.Entrypoint))
	}
	return r, nil
}

func (r *Revision) compile(ctx context.Context, content bundle.Bundle) error {
	r.store = inmem.NewFromObjectWithOpts(content.Data,
		inmem.OptRoundTripOnWrite(false), inmem.OptReturnASTValuesOnRead(true))
	read, err := r.store.NewTransaction(ctx)
	if err != nil {
		return err
	}
	r.read = read
	modules := make(map[string]*ast.Module, len(content.Modules))
	for _, m := range content.Modules {
		modules[m.Path] = m.Parsed
	}
	r.compiler = ast.NewCompiler().
		WithCapabilities(Capabilities()).
		WithStrict(true).
		SetErrorLimit(0).
		WithPathConflictsCheck(storage.NonEmpty(ctx, r.store, read))
	r.compiler.Compile(modules)
	if r.compiler.Failed() {
		return faults(r.compiler.Errors)
	}
	return nil
}

// Defines says whether there are rules at or beneath a path below data, such as "authz/allow".
func (r *Revision) Defines(path string) bool {
	ref, err := ast.ParseRef(r.dataPath(path))
	return err == nil && len(r.compiler.GetRulesWithPrefix(ref)) > 0
}

// isRule says whether a path names a rule, and not a package of them.
func (r *Revision) isRule(path string) bool {
	ref, err := ast.ParseRef(r.dataPath(path))
	return err == nil && len(r.compiler.GetRulesExact(ref)) > 0
}

func (r *Revision) dataPath(path string) string {
	return "data." + strings.ReplaceAll(strings.Trim(path, "/"), "/", ".")
}

// faults lists every compile error, a line each.
func faults(errs ast.Errors) error {
	all := make([]error, 0, len(errs))
	for _, err := range errs {
		text := strings.TrimPrefix(strings.Join(strings.Fields(err.Error()), " "), "/")
		if name, ok := impureIn(text); ok {
			text += ": policies are pure, and " + name + " is not"
		}
		all = append(all, errors.New(text))
	}
	return errors.Join(all...)
}
