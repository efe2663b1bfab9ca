package release

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/format"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// Config says where a policy is written, and what is asked of it.
type Config struct {
	Files fs.FS
	// Entrypoint is the path of the decision below data, such as "authz/decision".
	Entrypoint string
	// Schema is the JSON Schema of the input, as for [bundles.Config].
	Schema []byte
	Limits bundles.Limits
}

// SourceTree is a tree of policy on its way to become a bundle. Its tests are held against it and do not go with it.
//
// The steps are [SourceTree.Compile], [SourceTree.CheckFormat], [SourceTree.Test] and [SourceTree.Bundle], in this order: each supposes that
// those before it found nothing.
type SourceTree struct {
	policy     *bundles.Archive
	tests      []bundles.File
	entrypoint string
	schema     []byte
	content    *bundles.Content // the policy, parsed; there once it compiles
	modules    []bundle.ModuleFile
}

// ReadSourceTree reads a tree of policy, with its tests.
func ReadSourceTree(cfg Config) (*SourceTree, error) {
	policy, err := bundles.ReadTree(cfg.Files, cfg.Limits)
	if err != nil {
		return nil, err
	}
	tests, err := bundles.ReadMatching(cfg.Files, isTest, cfg.Limits)
	if err != nil {
		return nil, err
	}
	return &SourceTree{policy: policy, tests: tests.Files, entrypoint: strings.Trim(cfg.Entrypoint, "/"), schema: cfg.Schema}, nil
}

func isTest(name string) bool { return strings.HasSuffix(name, "_test.rego") }

// IsSource says whether a file of a tree matters to what is built of it: policy and tests do. The name is relative to the
// tree, with slashes.
func IsSource(name string) bool { return bundles.IsPolicyFile(name) || isTest(name) }

// FileCount is the number of files that the bundle takes over.
func (d *SourceTree) FileCount() int { return len(d.policy.Files) }

// Compile compiles strictly under our capabilities and the schema of the input: the policy first, as a server would,
// then together with its tests. The error has every fault, a line each.
func (d *SourceTree) Compile(ctx context.Context) error {
	if _, err := bundles.Open(ctx, bundles.Config{Archive: d.policy, Entrypoint: d.entrypoint, Schema: d.schema}); err != nil {
		return err
	}
	content, err := bundles.Parse(d.policy)
	if err != nil {
		return err
	}
	tests, err := bundles.ParseModules(d.tests)
	if err != nil {
		return err
	}
	whole := *content
	whole.Modules = slices.Concat(content.Modules, tests)
	if err := whole.Compile(ctx, d.entrypoint, d.schema); err != nil {
		return err
	}
	d.content, d.modules = content, whole.Modules
	return nil
}

// CheckFormat holds the Rego files, tests too, against the one way of laying them out that `opa fmt` knows. The error
// names the files that are laid out otherwise, a line each.
func (d *SourceTree) CheckFormat() error {
	var wrong []error
	for _, files := range [][]bundles.File{d.policy.Files, d.tests} {
		for _, f := range files {
			if !strings.HasSuffix(f.Name, ".rego") {
				continue
			}
			formatted, err := format.SourceWithOpts(f.Name, f.Data, format.Opts{RegoVersion: ast.RegoV1})
			switch {
			case err != nil:
				wrong = append(wrong, fmt.Errorf("%s cannot be formatted: %w", f.Name, err))
			case !bytes.Equal(formatted, f.Data):
				wrong = append(wrong, fmt.Errorf("%s is not formatted", f.Name))
			}
		}
	}
	return errors.Join(wrong...)
}
