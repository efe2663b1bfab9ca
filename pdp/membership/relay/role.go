package relay

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// listenForAll takes a role that nobody has, and listens to the origin until this fails or ctx ends. The error says why it failed;
// it is nil if another sidecar has the role, or ctx has ended.
func (r *Relay) listenForAll(ctx context.Context) error {
	role, _ := r.wantedRole()
	select {
	case <-time.After(r.hesitation(role)):
	case <-ctx.Done():
		return nil
	}
	if now, wanted := r.wantedRole(); !wanted || now != role {
		return nil // another sidecar was faster
	}
	term, err := r.cfg.Election.Campaign(ctx, role)
	if err != nil || term == nil {
		return nil // why Redis does not answer is seen by the stream
	}
	listening, cancel := context.WithCancel(ctx)
	defer cancel()
	l := newListener(r, listening, cancel, term)
	r.setListens(l, role)
	defer r.setListens(nil, role)
	renewing := start(listening, l.renew)
	r.cfg.Watcher.Watch(listening, l)
	renewing.end()
	if err = l.failure(); !errors.Is(err, membership.ErrDeposed) {
		_ = r.cfg.Election.Resign(context.WithoutCancel(ctx), l.current()) // otherwise the lease expires
	}
	l.log("no longer listening to the database for all sidecars", "no longer ready to listen to the database for all sidecars", "reason", reason(err))
	if errors.Is(err, membership.ErrDeposed) {
		return nil
	}
	return err
}

func (r *Relay) wantedRole() (role membership.Role, wanted bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.wanted()
}

// wanted returns a role that nobody has, as last seen. Only who sees the leader's proofs stands by: others would not see its own. The
// caller must hold the lock.
func (r *Relay) wanted() (role membership.Role, wanted bool) {
	if r.vacant {
		return membership.Leader, true
	}
	return membership.Standby, r.noStandby && r.reported && !r.alone
}

// hesitation returns how long to wait before taking a role. All sidecars see at once that nobody has it, and it is best that the
// standby leads.
func (r *Relay) hesitation(role membership.Role) time.Duration {
	if role == membership.Standby {
		return rand.N(r.cfg.Lease)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.noStandby {
		return rand.N(r.cfg.Lease / 10)
	}
	return r.cfg.Lease/2 + rand.N(r.cfg.Lease/10)
}

func reason(err error) string {
	if err == nil {
		return "this sidecar ends"
	}
	return err.Error()
}

// setListens notes that this sidecar has a role; nil: it no longer has.
func (r *Relay) setListens(l *listener, role membership.Role) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.listens = l; l != nil && role == membership.Leader {
		r.status.Takeovers++
	}
}
