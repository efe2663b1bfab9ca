package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/follow"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/logging"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/httpapi"
)

// ready returns the checks of what a decision needs, for /ready.
func (s *sidecar) ready(ctx context.Context) []httpapi.Check {
	checks := []httpapi.Check{{Name: "policy", Err: s.engine.CheckPolicy(ctx)}}
	if s.engine.Policy() != nil { // the first policy opens the directory
		err := s.engine.CheckFacts(ctx)
		_, degraded := errors.AsType[*pdp.DegradedError](err)
		checks = append(checks, httpapi.Check{Name: "directory", Err: err, Degraded: degraded})
	}
	if s.decisions != nil {
		answering, err := s.decisions.check()
		lasting, recent := s.decisions.checkSinks()
		checks = append(checks, httpapi.Check{Name: "decision_log", Err: err, Degraded: answering}, // answers leave, and sinks get their records later:
			httpapi.Check{Name: "decision_sinks", Err: cmp.Or(lasting, recent), Degraded: true, Recent: lasting == nil})
	}
	for i := range checks {
		if err := checks[i].Err; err != nil {
			checks[i].Err = errors.New(s.decisions.public(logging.Redact(err.Error()))) // libraries quote addresses
		}
	}
	return checks
}

// isReady reports whether questions can be decided, if not all, for Envoy's health checks.
func (s *sidecar) isReady(ctx context.Context) bool {
	return !s.stopping.Load() && !slices.ContainsFunc(s.ready(ctx), func(c httpapi.Check) bool { return c.Err != nil && !c.Degraded })
}

// policyStatus describes the active policy and the attempts to replace it, for /ready and /v1/revision.
func (s *sidecar) policyStatus() httpapi.PolicyStatus {
	var status httpapi.PolicyStatus
	if p := s.engine.Policy(); p != nil {
		r, evaluator := p.Revision(), p.Evaluator()
		status = httpapi.PolicyStatus{
			ID: r.ID, Label: r.Label, Sequence: r.Sequence, Source: r.Source, Entrypoint: r.Entrypoint,
			Evaluator: evaluator.Name, Because: evaluator.Because,
			SignedBy: r.SignedBy, Verified: r.Verified, Activated: r.Opened,
		}
	}
	if s.follower == nil {
		return status
	}
	f := s.follower.Status()
	status.Activated, status.Confirmed, status.FromDisk, status.Stale = f.Activated, f.Confirmed, f.FromDisk, s.follower.Stale()
	status.Attempt, status.Refused = s.policyAttempt(f.Attempt), s.policyAttempt(f.Refusal)
	return status
}

// policyAttempt converts an attempt. It returns nil if there was none.
func (s *sidecar) policyAttempt(a follow.Attempt) *httpapi.PolicyAttempt {
	if a.At.IsZero() {
		return nil
	}
	attempt := &httpapi.PolicyAttempt{At: a.At, Outcome: string(a.Outcome), Reason: string(a.Reason)}
	if a.Err != nil {
		attempt.Message = s.decisions.public(a.Err.Error())
	}
	return attempt
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
