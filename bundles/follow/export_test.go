package follow

import (
	"context"
	"time"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// Hurry makes the times of a source and of a judgement fit for tests.
func (f *Origin) Hurry(p Polling) *Origin {
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
func (f *Origin) Aged(age time.Duration) *Origin {
	f.maxAge = age
	return f
}

// Name is what the source is called in messages.
func (f *Origin) Name() string { return f.source.String() }

// Compiles has bundles compiled by a function of the test's.
func (cfg *Config) Compiles(compile func(context.Context, bundles.Config) (*bundles.Revision, error)) {
	cfg.open = compile
}

// Judged sets how long a gate may take.
func (f *Origin) Judged(limit time.Duration) *Origin {
	f.judging = limit
	return f
}

// VerifiedAs verifies as another origin says at the time.
func (f *Origin) VerifiedAs(other func() *Origin) *Origin {
	f.verifying = func() *bundles.Verification { return other().keyring.now() }
	return f
}
