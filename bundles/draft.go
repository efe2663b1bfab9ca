package bundles

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/format"
)

// DraftConfig says where a policy is written, and what is asked of it.
type DraftConfig struct {
	Files fs.FS
	// Entrypoint is the path of the decision below data, such as "authz/decision".
	Entrypoint string
	// Schema is the JSON Schema of the input, as for [Config].
	Schema []byte
	Limits Limits
}

// Draft is a tree of policy on its way to become a bundle. Its tests are held against it and do not go with it.
//
// The steps are [Draft.Compile], [Draft.CheckFormat], [Draft.Test] and [Draft.Bundle], in this order: each supposes that
// those before it found nothing.
type Draft struct {
	policy     *Archive
	tests      []File
	entrypoint string
	schema     []byte
	content    bundle.Bundle // the policy, parsed; there once it compiles
	modules    []bundle.ModuleFile
}

// ReadDraft reads a tree of policy, with its tests.
func ReadDraft(cfg DraftConfig) (*Draft, error) {
	policy, err := ReadTree(cfg.Files, cfg.Limits)
	if err != nil {
		return nil, err
	}
	tests, err := readTree(cfg.Files, isTest, cfg.Limits)
	if err != nil {
		return nil, err
	}
	return &Draft{policy: policy, tests: tests.Files, entrypoint: strings.Trim(cfg.Entrypoint, "/"), schema: cfg.Schema}, nil
}

func isTest(name string) bool { return strings.HasSuffix(name, "_test.rego") }

// Counts says whether a file of a tree matters to what is built of it: policy and tests do. The name is relative to the
// tree, with slashes.
func Counts(name string) bool { return isPolicy(name) || isTest(name) }

// Files is the number of files that the bundle takes over.
func (d *Draft) Files() int { return len(d.policy.Files) }

// Compile compiles strictly under our capabilities and the schema of the input: the policy first, as a server would,
// then together with its tests. The error has every fault, a line each.
func (d *Draft) Compile(ctx context.Context) error {
	if _, _, err := open(ctx, Config{Archive: d.policy, Entrypoint: d.entrypoint, Schema: d.schema}); err != nil {
		return err
	}
	r := &Revision{Entrypoint: d.entrypoint}
	content, err := r.parse(d.policy)
	if err != nil {
		return err
	}
	tests, err := parseModules(d.tests)
	if err != nil {
		return err
	}
	whole := content
	whole.Modules = append(append([]bundle.ModuleFile{}, content.Modules...), tests...)
	if err := r.compile(ctx, whole, d.schema); err != nil {
		return err
	}
	d.content, d.modules = content, whole.Modules
	return nil
}

// parseModules parses what the bundle's reader leaves out, the way that it reads the rest.
func parseModules(files []File) ([]bundle.ModuleFile, error) {
	var all []bundle.ModuleFile
	var wrong []error
	for _, f := range files {
		module, err := ast.ParseModuleWithOpts(f.Name, string(f.Data), ast.ParserOptions{
			RegoVersion: ast.RegoV1, Capabilities: Capabilities(),
		})
		if found, ok := errors.AsType[ast.Errors](err); ok {
			err = faults(found)
		}
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		if module == nil {
			continue // nothing but comments
		}
		all = append(all, bundle.ModuleFile{URL: f.Name, Path: "/" + f.Name, Raw: f.Data, Parsed: module})
	}
	return all, errors.Join(wrong...)
}

// CheckFormat holds the Rego files, tests too, against the one way of laying them out that `opa fmt` knows. The error
// names the files that are laid out otherwise, a line each.
func (d *Draft) CheckFormat() error {
	var wrong []error
	for _, files := range [][]File{d.policy.Files, d.tests} {
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
