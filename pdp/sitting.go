package pdp

import (
	"context"
	"errors"
	"maps"
	"runtime/debug"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// sitting is one policy and one state of the directory, which everything that belongs together is decided by.
type sitting struct {
	*Policy
	engine *Engine
	view   View // nil: facts are absent
	keep   keeping
	length int // of what the policy has answered so far
	builder
}

// sit takes the policy and the facts as they stand, as new as all the questions need. Whatever goes wrong, a panic
// included, is an error.
func (e *Engine) sit(ctx context.Context, asked ...Request) (s *sitting, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			e.log.ErrorContext(ctx, "a source panicked", "cause", cause, "stack", string(debug.Stack()))
			s, err = nil, &Error{Kind: Internal, Message: "The question could not be decided."}
		}
	}()
	s = &sitting{engine: e, keep: keeping{subject: e.keep, user: e.keep}}
	if s.Policy, err = e.inForce(); err != nil || e.source == nil {
		return s, err
	}
	need := Need{Using: len(asked) > 0}
	for _, r := range asked {
		// What is no token makes its own question fail, where its facts are gathered.
		if one, err := s.need(r); err == nil {
			need = need.and(one)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	if s.view, err = e.source.View(ctx, need); err != nil {
		return nil, asError(ctx, err)
	}
	if s.view == nil {
		return nil, &Error{Kind: Unavailable, Message: "Membership facts are unavailable."}
	}
	// The policy is taken last: where another one came meanwhile, with facts that it alone admits, it is the one to judge them.
	s.Policy, err = e.inForce()
	return s, err
}

// sitForEach is sit for questions of different callers: where the source does not take the token of one, that is the error
// of this one alone.
func (e *Engine) sitForEach(ctx context.Context, asked []Request) (s *sitting, faults []error, err error) {
	faults = make([]error, len(asked))
	s, err = e.sit(ctx, asked...)
	with := func(r Request) bool { return r.Context[atLeastMember] != nil }
	if KindOf(err) != Invalid || !slices.ContainsFunc(asked, with) {
		return s, faults, err
	}
	var others []Request
	for i, r := range asked {
		if err := next(ctx); err != nil {
			return nil, nil, err
		}
		if with(r) {
			_, faults[i] = e.sit(ctx, r)
		}
		switch {
		case faults[i] == nil:
			others = append(others, r)
		case KindOf(faults[i]) != Invalid:
			return nil, nil, faults[i]
		}
	}
	s, err = e.sit(ctx, others...)
	return s, faults, err
}

// decide answers one question in full.
func (s *sitting) decide(ctx context.Context, r Request) (d Decision, err error) {
	term, seen, err := s.askSeen(ctx, r, s.decision)
	if err == nil {
		err = s.says(term)
	}
	if err != nil {
		return Decision{}, err
	}
	d, err = readDecision(term)
	if err != nil {
		s.engine.log.ErrorContext(ctx, "policy fault: the decision is ill-shaped and counts as a denial",
			"action", s.named(r.Action.Name), "revision", s.revision.ID, "error", err)
		d = Decision{Fault: true}
	}
	d = d.supportedBy(r.Context, s.offers.Obligations)
	d.Revision = s.revision.ID
	if seen != nil && wantsFreshness(r) {
		if d.Fault {
			seen.sees = nil
		}
		d.Context = maps.Clone(d.Context)
		if d.Context == nil {
			d.Context = map[string]any{}
		}
		d.Context[freshness] = seen.told(d.Revision, time.Now())
	}
	return d, nil
}

// tried answers one question of a list, which keeps allows alone.
func (s *sitting) tried(ctx context.Context, r Request) (Decision, error) {
	before := s.length
	d, err := s.decide(ctx, r)
	if !d.Allow {
		s.length = before
	}
	return d, err
}

// named is an action as the log may name it: one of the policy's tables, and not any word of a caller's.
func (s *sitting) named(action string) string {
	if _, known := s.catalogue[action]; known {
		return action
	}
	return "other"
}

// may answers one question with no reasons, as lists need it.
func (s *sitting) may(ctx context.Context, r Request, query *bundles.Query) (bool, error) {
	if query == nil {
		d, err := s.tried(ctx, r)
		return d.Allow, err
	}
	term, err := s.ask(ctx, r, query)
	return err == nil && term != nil && ast.Boolean(true).Compare(term.Value) == 0, err
}

// ask gathers the facts and evaluates, within the engine's time. Whatever goes wrong, a panic included, is an error.
func (s *sitting) ask(ctx context.Context, r Request, query *bundles.Query) (*ast.Term, error) {
	term, _, err := s.askSeen(ctx, r, query)
	return term, err
}

// askSeen does, and gives the gathered records as well; nil where facts are absent.
func (s *sitting) askSeen(ctx context.Context, r Request, query *bundles.Query) (term *ast.Term, seen *gathering, err error) {
	defer s.recovered(ctx, &term, &err)
	if err := ctx.Err(); err != nil {
		return nil, nil, asError(ctx, err)
	}
	if err := s.roomLeft(); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.engine.timeout)
	defer cancel()
	in, seen, err := s.enriched(ctx, r, s.reads(r.Action.Name))
	if err != nil {
		return nil, nil, err
	}
	if term, err = evaluate(ctx, query, in); err == nil {
		err = s.settle(ctx, seen, in, term)
	}
	if err == nil && seen != nil && wantsFreshness(r) {
		seen.sees, err = s.seesIn(ctx, in)
	}
	if err != nil {
		return nil, nil, err
	}
	return term, seen, nil
}

// enriched is what the policy reads of a question, with the facts beside it.
func (s *sitting) enriched(ctx context.Context, r Request, reads readings) (in *ast.Term, seen *gathering, err error) {
	if _, err := s.need(r); err != nil {
		return nil, nil, err
	}
	var facts *ast.Term
	if s.view != nil {
		if facts, seen, err = s.gather(ctx, s.view, s.keep, &s.builder, r); err != nil {
			return nil, nil, asError(ctx, err)
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, asError(ctx, err)
	}
	in, err = s.input(r, facts, reads)
	return in, seen, err
}

// askAsSent evaluates with an input as it was sent and no facts, and is bounded like ask.
func (s *sitting) askAsSent(ctx context.Context, sent DataInput, query evaluator) (term *ast.Term, err error) {
	defer s.recovered(ctx, &term, &err)
	if err := s.roomLeft(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.engine.timeout)
	defer cancel()
	in, err := sent.term()
	if err != nil {
		return nil, err
	}
	return evaluate(ctx, query, in)
}

// recovered makes an error of a panic; it has to be deferred itself.
func (s *sitting) recovered(ctx context.Context, term **ast.Term, err *error) {
	if cause := recover(); cause != nil {
		s.engine.log.ErrorContext(ctx, "a decision panicked", "cause", cause, "stack", string(debug.Stack()))
		*term, *err = nil, &Error{Kind: Internal, Message: "The question could not be decided."}
	}
}

// asError gives a failure to learn a fact its kind: what is no [*Error] means that the source is unavailable.
func asError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return &Error{Kind: Timeout, Message: "It took too long to decide this.", Err: err}
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	return &Error{Kind: Unavailable, Message: "Membership facts are unavailable.", Err: err}
}
