package follow

import (
	"context"
	"time"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// SetPolling makes the pauses of a source short enough for tests.
func (o *Origin) SetPolling(p Polling) *Origin {
	switch s := o.source.(type) {
	case *httpSource:
		s.polling = p
	case *ociSource:
		s.polling = p
	case *localSource:
		s.interval, s.settleDelay = p.Min, p.Min
	}
	return o
}

// SetMaxAge sets how long a policy may decide without being confirmed.
func (o *Origin) SetMaxAge(age time.Duration) *Origin {
	o.maxAge = age
	return o
}

// Name is what the source is called in messages.
func (o *Origin) Name() string { return o.source.String() }

// SetOpen replaces [bundles.Open].
func (cfg *Config) SetOpen(open func(context.Context, bundles.Config) (*bundles.Revision, error)) {
	cfg.open = open
}

// SetCheckTimeout sets how long a gate may take.
func (o *Origin) SetCheckTimeout(limit time.Duration) *Origin {
	o.checkTimeout = limit
	return o
}

// VerifyLike verifies by the current keys of another origin.
func (o *Origin) VerifyLike(other func() *Origin) *Origin {
	o.verification = func() *bundles.Verification { return other().keyring.verification() }
	return o
}
