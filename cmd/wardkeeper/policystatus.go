package main

import (
	"fmt"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/follow"
	"github.com/wardkeeper/wardkeeper/pdp/httpapi"
)

// onActivate has f called now and whenever another policy has become active.
func (d *decisions) onActivate(f func()) {
	d.activated.Store(&f)
	f()
}

// actions are those that the active policy names; none where there is no policy yet.
func (d *decisions) actions() []string {
	if p := d.engine.Policy(); p != nil {
		return p.Actions()
	}
	return nil
}

// policyStatus is what the front door tells of the policy.
func (d *decisions) policyStatus() httpapi.PolicyStatus {
	var s httpapi.PolicyStatus
	if p := d.engine.Policy(); p != nil {
		r := p.Revision()
		s = httpapi.PolicyStatus{
			ID: r.ID, Label: r.Label, Sequence: r.Sequence, Source: r.Source, Entrypoint: r.Entrypoint,
			SignedBy: r.SignedBy, Verified: r.Verified, Activated: r.Opened,
		}
	}
	if d.follower == nil {
		return s
	}
	followed := d.follower.Status()
	s.Activated, s.Confirmed, s.FromDisk, s.Stale = followed.Activated, followed.Confirmed, followed.FromDisk, d.follower.Stale()
	s.Attempt, s.Refused = attempted(followed.Attempt), attempted(followed.Refusal)
	return s
}

// attempted is what is told of an attempt; nil where there was none.
func attempted(a follow.Attempt) *httpapi.PolicyAttempt {
	if a.At.IsZero() {
		return nil
	}
	told := &httpapi.PolicyAttempt{At: a.At, Outcome: string(a.Outcome), Reason: string(a.Reason)}
	if a.Err != nil {
		told.Message = a.Err.Error()
	}
	return told
}

func policyName(r *bundles.Revision) string {
	name := r.ID
	if r.Label != "" {
		name += " " + r.Label
	}
	if r.Sequence > 0 {
		name += fmt.Sprintf(", release %d", r.Sequence)
	}
	return fmt.Sprintf("%s (%s)", name, r.Source)
}
