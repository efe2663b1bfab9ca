package main

import (
	"context"
	"io/fs"
	"log/slog"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/follow"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/proof"
	"github.com/wardkeeper/wardkeeper/policies"
)

// builtIn is the source of the built-in policy.
const builtIn = "built-in"

// openNow opens a bundle as it is now, or else the built-in policy.
func openNow(ctx context.Context, bundle *follow.Origin, decision string) (*bundles.Revision, error) {
	if bundle != nil {
		return bundle.Open(ctx, decision, inputSchema())
	}
	return bundles.Open(ctx, bundles.Config{Files: policies.Files(), Source: builtIn, Entrypoint: decision})
}

// followed returns the bundle that the settings name; nil means the built-in policy.
func followed(s *config.Settings, logger *slog.Logger) (*follow.Origin, error) {
	origin, ok, err := s.BundleOrigin()
	if err != nil || !ok {
		return nil, err
	}
	origin.Logger = logger
	return origin.Resolve()
}

// inputSchema describes what policies that judge by membership facts see.
func inputSchema() []byte {
	schema, err := fs.ReadFile(policies.Files(), "schemas/input.json")
	if err != nil {
		panic(err) // it is embedded
	}
	return schema
}

// gate judges a policy before it becomes active: its tables, a question that nobody asks, the golden decisions that it
// brings, and the directory in force.
func (d *decisions) gate(ctx context.Context, r *bundles.Revision) (follow.Candidate, error) {
	p, err := tried(ctx, r)
	if err != nil {
		return nil, err
	}
	adopt, err := d.judged(p)
	if err != nil {
		return nil, err
	}
	return &candidate{d, p, adopt}, nil
}

// candidate is a policy that has passed the gate, and the directory as its tables let it be.
type candidate struct {
	d      *decisions
	policy *pdp.Policy
	adopt  func() // brings the directory into force
}

// Commit implements [follow.Candidate]. In this order, the policy before never sees a directory that only the new one
// admits.
func (c *candidate) Commit() {
	c.d.engine.Activate(c.policy)
	c.adopt()
	if tell := c.d.activated.Load(); tell != nil {
		(*tell)()
	}
}

// tried is a revision made ready to decide, and held against the golden decisions that it brings.
func tried(ctx context.Context, r *bundles.Revision) (*pdp.Policy, error) {
	p, err := pdp.Prepare(ctx, r)
	if err != nil || r.Golden == nil {
		return p, err
	}
	golden, err := proof.DecodeGolden(r.Golden)
	if err == nil {
		err = golden.Check(ctx, p, openGolden)
	}
	if err != nil {
		return nil, bundles.Refuse(bundles.Golden, err)
	}
	return p, nil
}

func openGolden(data []byte, v pdp.Vocabulary) (pdp.View, error) { return membership.Parse(data, v) }

// judged holds the directory against a policy's tables. adopt brings it into force as they let it be.
func (d *decisions) judged(p *pdp.Policy) (adopt func(), err error) {
	v := p.Vocabulary()
	switch {
	case d.directory == nil && v == nil:
		return func() {}, nil
	case d.directory == nil:
		return nil, bundles.Refuse(bundles.Directory, errNoDirectory)
	}
	if adopt, err = d.directory.judgedBy(v); err != nil {
		return nil, &bundles.Refusal{Reason: bundles.Directory, Temporary: true, Err: err} // the directory may be mended
	}
	return adopt, nil
}

// openLocal makes the policy at a path ready to decide, or else the built-in one.
func openLocal(ctx context.Context, path, decision string) (*pdp.Policy, error) {
	bundle, err := localBundle(path)
	if err != nil {
		return nil, err
	}
	r, err := openNow(ctx, bundle, decision)
	if err != nil {
		return nil, err
	}
	return tried(ctx, r)
}

// localBundle is a bundle at a path; nil for "".
func localBundle(path string) (*follow.Origin, error) {
	if path == "" {
		return nil, nil
	}
	return follow.Settings{Path: path}.Resolve()
}
