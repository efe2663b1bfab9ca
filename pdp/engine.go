// Package pdp decides: it gathers the facts of a question, asks the active policy and reads its answer strictly.
//
// It knows no rule of any model; those are in policies. What it does know of the domain is how records join: which
// locations lie beneath which, and that in a practice group nothing counts while the assignment at the group does not.
// It knows no HTTP and no source; those are around it.
package pdp

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// Config is what an engine is made of.
type Config struct {
	Policy  *Policy       // the active policy; nil: nothing is decided until [Engine.Activate]
	Source  Source        // nil: facts are absent
	Timeout time.Duration // for each evaluation; 0 means 1 s
	Logger  *slog.Logger  // nil: slog.Default()
	// Stale says that the active policy has not been confirmed for so long that it must not decide any more; nil: it never
	// is. It is asked for each request, so it has to be quick. Safe for concurrent use.
	Stale func() bool
	// ServeData lets [Engine.Data] give data of the policy that is not the result of a rule.
	ServeData bool
}

// Engine decides. It is safe for concurrent use.
type Engine struct {
	policy    atomic.Pointer[Policy] // nil until the first one
	source    Source
	timeout   time.Duration
	log       *slog.Logger
	stale     func() bool
	keep      *keeper
	serveData bool
}

// New makes an engine.
func New(cfg Config) *Engine {
	e := &Engine{source: cfg.Source, timeout: cfg.Timeout, log: cfg.Logger, stale: cfg.Stale, keep: newKeeper(keptAccounts),
		serveData: cfg.ServeData}
	e.policy.Store(cfg.Policy)
	if e.timeout == 0 {
		e.timeout = time.Second
	}
	if e.log == nil {
		e.log = slog.Default()
	}
	if e.stale == nil {
		e.stale = func() bool { return false }
	}
	return e
}

// Activate makes a policy the one that decides. What has begun goes on under the policy that it began with: no decision,
// batch or page of a search mixes two.
func (e *Engine) Activate(p *Policy) { e.policy.Store(p) }

// Policy is the active one, nil where there is none yet.
func (e *Engine) Policy() *Policy { return e.policy.Load() }

// Offers is what the active policy offers besides decisions.
func (e *Engine) Offers() Offers {
	if p := e.policy.Load(); p != nil {
		return p.offers
	}
	return Offers{}
}

// inForce is the policy that may decide now.
func (e *Engine) inForce() (*Policy, error) {
	p := e.policy.Load()
	switch {
	case p == nil:
		return nil, &Error{Kind: Unavailable, Message: "There is no policy to decide by yet: try again later."}
	case e.stale():
		return nil, &Error{Kind: Unavailable, Message: "The policy has not been confirmed for too long: nothing is decided by it."}
	}
	return p, nil
}

// Decide answers one question. A denial is no error; an error is never an allow, and is an [*Error] whose kind says
// whether the question, the facts or the policy is at fault.
func (e *Engine) Decide(ctx context.Context, r Request) (Decision, error) {
	s, err := e.sit(ctx, r)
	if err != nil {
		return Decision{}, err
	}
	return s.decide(ctx, r)
}

// DecideAll answers a batch of questions, all under one revision and one state of the directory. It stops as the
// semantic says; the last outcome is then the one that stopped it. The facts of all are as new as the strictest needs.
func (e *Engine) DecideAll(ctx context.Context, items []Item, semantic authzen.Semantic) ([]Outcome, error) {
	asked := make([]Request, 0, len(items))
	for _, item := range items {
		if item.Err == nil {
			asked = append(asked, item.Request)
		}
	}
	s, faults, err := e.sitForEach(ctx, asked)
	if err != nil {
		return nil, err
	}
	if err := s.checkNamed(asked); err != nil {
		return nil, err
	}
	s.share(asked)
	outcomes := make([]Outcome, 0, len(items))
	for _, item := range items {
		if item.Err == nil {
			item.Err, faults = faults[0], faults[1:]
		}
		outcome := Outcome{Err: item.Err}
		if item.Err == nil {
			if outcome.Err = next(ctx); outcome.Err == nil {
				outcome.Decision, outcome.Err = s.decide(ctx, item.Request)
			}
		}
		outcomes = append(outcomes, outcome)
		permitted := outcome.Err == nil && outcome.Decision.Allow
		if semantic == authzen.DenyOnFirstDeny && !permitted || semantic == authzen.PermitOnFirstPermit && permitted {
			break
		}
	}
	return outcomes, nil
}
