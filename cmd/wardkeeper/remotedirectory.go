package main

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/factsource"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/guard"
	"github.com/wardkeeper/wardkeeper/pdp/httpapi"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/cache"
	"github.com/wardkeeper/wardkeeper/pdp/membership/relay"
)

// remoteDirectory is an application or a database behind a cache. Each record is checked when it is fetched.
type remoteDirectory struct {
	*cache.Cache
	claims    guard.Claims        // that sidecars share; nil if they share none
	listening func() relay.Status // who listens to the database; nil if no sidecar listens for others
	origin    membership.Origin
	name      string // for logs

	// Used only by check and activate.
	vocabulary, checked *pdp.Vocabulary // in force; to be put in force by activate, nil for no change
}

var _ factSource = (*remoteDirectory)(nil)

func openRemote(name string, cfg factsource.Config) (*remoteDirectory, error) {
	s, err := factsource.Open(cfg)
	if err != nil {
		return nil, err
	}
	return &remoteDirectory{Cache: s.Facts, claims: s.Claims, listening: s.Listening, origin: cfg.Origin, name: name}, nil
}

// check implements [factSource]. It cannot read all records: a record that the vocabulary does not admit is quarantined when it
// is fetched.
func (d *remoteDirectory) check(v *pdp.Vocabulary) error {
	d.checked = nil
	if v != nil && !reflect.DeepEqual(v, d.vocabulary) {
		d.checked = v
	}
	return nil
}

// activate implements [factSource].
func (d *remoteDirectory) activate() {
	if d.checked == nil {
		return
	}
	d.SetVocabulary(*d.checked)
	d.vocabulary, d.checked = d.checked, nil
}

func (d *remoteDirectory) checkExists() error { return nil }

// checkTimeout limits how long serve --check waits for a directory or Redis.
const checkTimeout = 5 * time.Second

func (d *remoteDirectory) checkReachable(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	err := d.CheckFacts(ctx)
	if err != nil {
		err = fmt.Errorf("cannot read %s: %w", d.name, err)
	}
	return errors.Join(err, d.CheckShared(ctx))
}

func (d *remoteDirectory) logAttrs() []any { return []any{"directory", d.name} }

// String implements [fmt.Stringer].
func (d *remoteDirectory) String() string { return d.name }

func (d *remoteDirectory) reload() {
	if origin, ok := d.origin.(interface{ Renew() }); ok {
		origin.Renew()
	}
}

func (d *remoteDirectory) close() { _ = d.Close() } // it writes nothing

// membershipStatus describes the facts for /ready.
func (d *remoteDirectory) membershipStatus() httpapi.MembershipStatus {
	s := d.Status()
	status := httpapi.MembershipStatus{
		Quarantined: len(s.Quarantined), NotConfirmed: s.Confirming && !s.Confirmed, SharedCacheDown: s.Shared && !s.StreamLive,
	}
	if s.Confirming { // otherwise the configured age budgets apply
		status.MissingProofs = s.Unproven
	}
	return status
}
