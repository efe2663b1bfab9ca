package follow

import (
	"context"
	"time"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// SetPolling makes the pauses of a source short enough for tests.
func (b *BundleSource) SetPolling(p Polling) *BundleSource {
	switch s := b.source.(type) {
	case *httpSource:
		s.polling = p
	case *ociSource:
		s.polling = p
	case *localSource:
		s.interval, s.settleDelay = p.Min, p.Min
	}
	return b
}

// SetMaxAge sets how long a policy may decide without being confirmed.
func (b *BundleSource) SetMaxAge(age time.Duration) *BundleSource {
	b.maxAge = age
	return b
}

// Name returns the name of the source in messages.
func (b *BundleSource) Name() string { return b.source.String() }

// SetOpen replaces [bundles.Open].
func (cfg *Config) SetOpen(open func(context.Context, bundles.Config) (*bundles.Revision, error)) {
	cfg.open = open
}

// SetCheckTimeout sets how long a gate may take.
func (b *BundleSource) SetCheckTimeout(limit time.Duration) *BundleSource {
	b.checkTimeout = limit
	return b
}

// VerifyLike verifies by the current keys of another source.
func (b *BundleSource) VerifyLike(other func() *BundleSource) *BundleSource {
	b.verification = func() *bundles.Verification { return other().keyring.verification() }
	return b
}
