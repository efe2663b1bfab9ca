package main

import (
	"context"
	"io/fs"
	"log/slog"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/follow"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
	"github.com/wardkeeper/wardkeeper/pdp/proof"
	"github.com/wardkeeper/wardkeeper/policies"
)

// builtIn is the source of the built-in policy.
const builtIn = "built-in"

// gate implements [follow.Gate]: it prepares and checks a policy, and checks the directory against its tables.
func (s *sidecar) gate(ctx context.Context, r *bundles.Revision) (follow.Candidate, error) {
	prepare := pdp.Prepare
	if s.interpreted {
		prepare = pdp.PrepareInterpreted
	}
	p, err := prepareAndVerify(ctx, r, prepare)
	if err != nil {
		return nil, err
	}
	if because := p.Evaluator().Because; because != "" {
		s.logger.Warn("the policy cannot be compiled and is interpreted, which is slower", "revision", r.ID, "error", because)
	}
	if err := s.checkDirectory(p); err != nil {
		return nil, err
	}
	if err := s.checkApproved(ctx, r); err != nil {
		return nil, err
	}
	return &candidate{s, p}, nil
}

// preparer is [pdp.Prepare] or [pdp.PrepareInterpreted].
type preparer func(context.Context, *bundles.Revision) (*pdp.Policy, error)

// prepareAndVerify makes a revision ready to decide and runs the golden decisions that it contains.
func prepareAndVerify(ctx context.Context, r *bundles.Revision, prepare preparer) (*pdp.Policy, error) {
	p, err := prepare(ctx, r)
	if err != nil || r.Golden == nil {
		return p, err
	}
	golden, err := proof.DecodeGolden(r.Golden)
	if err == nil {
		err = golden.Check(ctx, p, parseDirectory)
	}
	if err != nil {
		return nil, bundles.Refuse(bundles.Golden, err)
	}
	return p, nil
}

func parseDirectory(data []byte, v pdp.Vocabulary) (facts.View, error) {
	return directory.Parse(data, v)
}

// checkDirectory checks the directory against the tables of a policy.
func (s *sidecar) checkDirectory(p *pdp.Policy) error {
	v := p.Vocabulary()
	switch {
	case s.directory == nil && v == nil:
		return nil
	case s.directory == nil:
		return bundles.Refuse(bundles.Directory, errNoDirectory)
	}
	if err := s.directory.check(v); err != nil {
		return &bundles.Refusal{Reason: bundles.Directory, Temporary: true, Err: err} // the directory may be corrected
	}
	return nil
}

// candidate is a policy that has passed the gate.
type candidate struct {
	*sidecar
	policy *pdp.Policy
}

// Commit implements [follow.Candidate]. It activates the policy before the directory: the previous policy must not see records
// that only the new one admits.
func (c *candidate) Commit() {
	c.engine.Activate(c.policy)
	if c.directory != nil {
		c.directory.activate()
	}
	c.publishActions()
}

// openPolicy opens the policy at a path, or the built-in one if it is empty, for a command that does not serve.
func openPolicy(ctx context.Context, path, decision string) (*pdp.Policy, error) {
	bundle, err := bundleAt(path)
	if err != nil {
		return nil, err
	}
	r, err := openRevision(ctx, bundle, decision)
	if err != nil {
		return nil, err
	}
	return prepareAndVerify(ctx, r, pdp.Prepare)
}

// noteBuiltIn says that the built-in policy decides where no path of another one is given: whoever has edited one may expect that.
func noteBuiltIn(p process, path string) {
	if path == "" {
		p.note("the built-in policy decides; --bundle names another one")
	}
}

// openRevision opens the current bundle, or the built-in policy if bundle is nil.
func openRevision(ctx context.Context, bundle *follow.BundleSource, decision string) (*bundles.Revision, error) {
	if bundle != nil {
		return bundle.Open(ctx, decision, inputSchema())
	}
	return bundles.Open(ctx, bundles.Config{Files: policies.Files(), Source: builtIn, Entrypoint: decision})
}

// bundleOf returns the bundle that the settings name, or nil for the built-in policy.
func bundleOf(s *config.Settings, logger *slog.Logger) (*follow.BundleSource, error) {
	origin, ok, err := s.BundleOrigin()
	if err != nil || !ok {
		return nil, err
	}
	origin.Logger = logger
	return origin.Resolve()
}

// bundleAt returns the bundle at a path, or nil if the path is empty.
func bundleAt(path string) (*follow.BundleSource, error) {
	if path == "" {
		return nil, nil
	}
	return follow.Settings{Path: path}.Resolve()
}

// inputSchema returns the JSON Schema of the input that policies get for a question.
func inputSchema() []byte {
	schema, err := fs.ReadFile(policies.Files(), "schemas/input.json")
	if err != nil {
		panic(err) // impossible: the file is embedded
	}
	return schema
}
