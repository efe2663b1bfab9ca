package bundles

import (
	"context"
	"time"
)

// Hurry makes the times of a source and of a judgement fit for tests.
func (f *Following) Hurry(p Polling) *Following {
	switch s := f.source.(type) {
	case *httpSource:
		s.polling = p
	case *ociSource:
		s.polling = p
	case *localSource:
		s.every, s.settle = p.Min, p.Min
	}
	return f
}

// Aged sets how long a policy may decide without being confirmed.
func (f *Following) Aged(age time.Duration) *Following {
	f.maxAge = age
	return f
}

// Name is what the source is called in messages.
func (f *Following) Name() string { return f.source.String() }

// Compiles has bundles compiled by a function of the test's.
func (cfg *FollowConfig) Compiles(compile func(context.Context, Config) (*Revision, error)) {
	cfg.open = compile
}

// Judged sets how long a gate may take.
func (f *Following) Judged(limit time.Duration) *Following {
	f.judging = limit
	return f
}

// AsItCame opens an archive as it comes from a source.
func (cfg Config) AsItCame(raw []byte) Config {
	cfg.Archive, cfg.raw = nil, raw
	return cfg
}

// VerifiedAs verifies as another origin says at the time.
func (f *Following) VerifiedAs(other func() *Following) *Following {
	f.verifying = func() *Verification { return other().keyring.now() }
	return f
}
