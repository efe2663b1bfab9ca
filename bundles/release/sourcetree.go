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

// Config says where the sources of a policy are, and what they are checked against.
type Config struct {
	Files      fs.FS
	Source     string // as in [bundles.Config]
	Entrypoint string // as in [bundles.Config]
	Schema     []byte // as in [bundles.Config]
	Limits     bundles.Limits
}

// SourceTree is a directory of policy from which a bundle is built. The bundle does not contain its tests.
//
// The steps are [SourceTree.Compile], [SourceTree.CheckFormat], [SourceTree.Test] and [SourceTree.Bundle], in this order.
// Each requires that the ones before it succeeded.
type SourceTree struct {
	policy     *bundles.Archive
	tests      []bundles.File
	source     string
	entrypoint string
	schema     []byte
	revision   *bundles.Revision // this and the fields below: nil before Compile
	content    *bundles.Content  // the policy
	modules    []bundle.ModuleFile
}

// ReadSourceTree reads a directory of policy with its tests.
func ReadSourceTree(cfg Config) (*SourceTree, error) {
	policy, err := bundles.ReadTree(cfg.Files, cfg.Limits)
	if err != nil {
		return nil, err
	}
	tests, err := bundles.ReadMatching(cfg.Files, isTest, cfg.Limits)
	if err != nil {
		return nil, err
	}
	return &SourceTree{policy: policy, tests: tests.Files, source: cfg.Source, entrypoint: strings.Trim(cfg.Entrypoint, "/"), schema: cfg.Schema}, nil
}

func isTest(name string) bool { return strings.HasSuffix(name, "_test.rego") }

// IsSource reports whether building a bundle uses a file: policy, a test or the approved changes. The name is relative to the tree, with
// slashes.
func IsSource(name string) bool { return bundles.IsBundleFile(name) || isTest(name) }

// FileCount returns the number of the tree's files that the bundle will contain.
func (t *SourceTree) FileCount() int { return len(t.policy.Files) }

// Compile compiles strictly under [bundles.Capabilities] and the schema of the input: first the policy alone, as a server
// would, and then the policy with its tests. The error joins all faults, one per line.
func (t *SourceTree) Compile(ctx context.Context) error {
	revision, err := bundles.Open(ctx, bundles.Config{Archive: t.policy, Source: t.source, Entrypoint: t.entrypoint, Schema: t.schema})
	if err != nil {
		return err
	}
	content, err := bundles.Parse(t.policy)
	if err != nil {
		return err
	}
	tests, err := bundles.ParseModules(t.tests)
	if err != nil {
		return err
	}
	whole := *content
	whole.Modules = slices.Concat(content.Modules, tests)
	if err := whole.Compile(ctx, t.entrypoint, t.schema); err != nil {
		return err
	}
	t.revision, t.content, t.modules = revision, content, whole.Modules
	return nil
}

// Revision returns the policy without tests and golden decisions, as a server would open it.
func (t *SourceTree) Revision() *bundles.Revision { return t.revision }

// CheckFormat checks that the Rego files, including tests, are formatted as `opa fmt` formats them. The error names the
// files that are not, one per line.
func (t *SourceTree) CheckFormat() error {
	var wrong []error
	for _, files := range [][]bundles.File{t.policy.Files, t.tests} {
		for _, f := range files {
			if !strings.HasSuffix(f.Name, ".rego") {
				continue
			}
			formatted, err := format.SourceWithOpts(f.Name, f.Data, format.Opts{RegoVersion: ast.RegoV1})
			switch {
			case err != nil:
				wrong = append(wrong, fmt.Errorf("cannot format %s: %w", f.Name, err))
			case !bytes.Equal(formatted, f.Data):
				wrong = append(wrong, fmt.Errorf("%s is not formatted", f.Name))
			}
		}
	}
	return errors.Join(wrong...)
}
