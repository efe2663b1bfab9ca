package pdp

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/input"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/tracing"
)

// evaluation decides a question, a batch or a page of a search under one policy and one view of the directory. It is not
// safe for concurrent use.
type evaluation struct {
	*Policy
	engine   *Engine
	facts    facts.Builder // without a view, policies see no facts
	answered int           // bytes of the policy's answers so far
	overrun  *time.Timer   // of limitTime
	// lastMatched reports whether the last candidate of a list was a hit.
	lastMatched bool
	spans       int     // that may still be traced
	record      *Record // of the question that is decided; nil if it is not recorded
}

// begin takes the policy in force and a view that is as fresh as all the questions require. The caller limits the time
// with ctx. The error is an [*Error], even if the source panics.
func (e *Engine) begin(ctx context.Context, questions ...Request) (ev *evaluation, err error) {
	return e.beginBy(ctx, facts.Requirement{}, questions)
}

// beginBy is like begin with a requirement of its own, beside those of the questions.
func (e *Engine) beginBy(ctx context.Context, own facts.Requirement, questions []Request) (ev *evaluation, err error) {
	defer e.recovered(ctx, "a source panicked", &err)
	p, err := e.policyInForce()
	if err != nil {
		return nil, err
	}
	required, err := p.requirement(questions)
	if err != nil {
		return nil, err
	}
	required.Current = own.Current
	var view facts.View
	if e.source != nil {
		if view, err = e.view(ctx, required); err != nil {
			return nil, err
		}
		// If another policy was activated in the meantime, the view may contain values that only that policy knows, so that
		// policy decides. It may require fresher facts, so the view is taken again, as fresh as any policy can require.
		if e.policy.Load() != p && required.ReadOnly {
			required.ReadOnly = false
			if view, err = e.view(ctx, required); err != nil {
				return nil, err
			}
		}
		p = e.policy.Load()
	}
	ev = &evaluation{Policy: p, engine: e,
		facts: facts.Builder{View: view, Lenient: p.disclosed != nil, Subjects: e.evictor, Users: e.evictor}}
	if tracing.On(ctx) {
		ev.spans = maxSpans
	}
	return ev, nil
}

// maxSpans limits the spans of a batch or a page: the first questions show what there is to see.
const maxSpans = 64

// startSpan begins a span, if the evaluation is traced.
func (ev *evaluation) startSpan(ctx context.Context, what string) (context.Context, tracing.Span) {
	if ev.spans == 0 {
		return ctx, tracing.Span{}
	}
	ev.spans--
	return tracing.Start(ctx, what)
}

// view takes a view of the source. It fails if the source has none.
func (e *Engine) view(ctx context.Context, required facts.Requirement) (facts.View, error) {
	view, err := e.source.View(ctx, required)
	if err != nil {
		return nil, asError(ctx, err)
	}
	if view == nil {
		return nil, &Error{Kind: Unavailable, Message: "Membership facts are unavailable."}
	}
	return view, nil
}

// beginEach is like begin for questions of different callers. If the token of a question is malformed or unknown to the
// source, only that question has a fault; the others are answered.
func (e *Engine) beginEach(ctx context.Context, questions []Request) (ev *evaluation, faults []error, err error) {
	if ev, faults, err = e.beginValid(ctx, questions); err != nil {
		return nil, nil, err
	}
	if err := facts.CheckNamed(questions, func(name string) facts.Action { return ev.catalogue[name].Action }); err != nil {
		return nil, nil, asError(ctx, err)
	}
	return ev, faults, nil
}

func (e *Engine) beginValid(ctx context.Context, questions []Request) (ev *evaluation, faults []error, err error) {
	faults = make([]error, len(questions))
	ev, err = e.beginWithin(ctx, questions...)
	hasToken := func(r Request) bool { return r.Context[atLeastMember] != nil }
	if KindOf(err) != Invalid || !slices.ContainsFunc(questions, hasToken) {
		return ev, faults, err
	}
	var valid []Request
	var task longTask
	for i, r := range questions {
		if err := task.step(ctx); err != nil {
			return nil, nil, err
		}
		if hasToken(r) {
			_, faults[i] = e.beginWithin(ctx, r)
		}
		switch {
		case faults[i] == nil:
			valid = append(valid, r)
		case KindOf(faults[i]) != Invalid:
			return nil, nil, faults[i]
		}
	}
	ev, err = e.beginWithin(ctx, valid...)
	return ev, faults, err
}

// beginWithin is like begin with its own timeout, for evaluations of several questions.
func (e *Engine) beginWithin(ctx context.Context, questions ...Request) (*evaluation, error) {
	limit := e.limitTime(ctx)
	defer limit.end()
	return e.begin(limit.Context, questions...)
}

// decide answers one question in full. The caller limits the time with ctx.
func (ev *evaluation) decide(ctx context.Context, r Request) (Decision, error) {
	a, err := ev.ask(ctx, r, ev.decision)
	if err == nil {
		err = ev.addToLength(a.term)
	}
	if err != nil {
		return Decision{}, err
	}
	d, err := readDecision(a.term)
	if err != nil {
		ev.engine.log.ErrorContext(ctx, "policy fault: the decision is malformed and counts as a denial",
			"action", ev.actionForLog(r.Action.Name), "revision", ev.revision.ID, "error", err)
		d = Decision{Fault: true}
	}
	d = d.limitedTo(r.Context, ev.offers.Obligations)
	d.Revision = ev.revision.ID
	if err := ev.addIncluded(ctx, &d, a, r); err != nil {
		return Decision{}, err
	}
	return d, nil
}

// decideOne is like decide for one of several questions, each of which has the engine's timeout.
func (ev *evaluation) decideOne(ctx context.Context, r Request) (Decision, error) {
	limit := ev.limitTime(ctx)
	defer limit.end()
	return ev.decide(limit.Context, r)
}

// answer is the value of a rule for one question.
type answer struct {
	term      *ast.Term       // nil: undefined
	facts     *facts.Facts    // nil if there is no source
	disclosed map[string]bool // the records that the answer discloses; set only if the question asks for them
}

// ask gathers the facts of a question and evaluates a query. The caller limits the time with ctx. The error is an
// [*Error], even after a panic. An answer that depends on a suspended record is withheld.
func (ev *evaluation) ask(ctx context.Context, r Request, query *bundles.Query) (a answer, err error) {
	defer ev.engine.recovered(ctx, "a decision panicked", &err)
	if err := ctx.Err(); err != nil {
		return answer{}, asError(ctx, err)
	}
	if err := ev.checkLength(); err != nil {
		return answer{}, err
	}
	in, f, err := ev.input(ctx, r, ev.reads(r.Action.Name))
	if err != nil {
		return answer{}, err
	}
	evaluating, span := ev.startSpan(ctx, "evaluate")
	term, err := evaluate(evaluating, query, in)
	span.EndWith(err)
	if err != nil {
		return answer{}, err
	}
	a = answer{term: term, facts: f}
	if ev.record != nil {
		ev.record.Facts = f
	}
	if f == nil {
		return a, nil
	}
	if err := ev.checkFaults(ctx, f, in, term); err != nil {
		return answer{}, err
	}
	if includes(r, freshnessMember) || ev.isGuarded(r) {
		if a.disclosed, err = ev.disclosedRecords(ctx, in); err != nil {
			return answer{}, err
		}
	}
	return a, nil
}

// askOne is like ask for one of several questions, each of which has the engine's timeout.
func (ev *evaluation) askOne(ctx context.Context, r Request, query *bundles.Query) (*ast.Term, error) {
	limit := ev.limitTime(ctx)
	defer limit.end()
	a, err := ev.ask(limit.Context, r, query)
	return a.term, err
}

// input returns what the policy reads of a question, and the facts. The facts are nil if there is no source.
func (ev *evaluation) input(ctx context.Context, r Request, reads facts.Reads) (in *input.Object, f *facts.Facts, err error) {
	if ev.facts.View != nil {
		gathering, span := ev.startSpan(ctx, "facts")
		f, err = ev.facts.Gather(gathering, r, ev.catalogue[r.Action.Name].Action)
		span.EndWith(err)
		if err != nil {
			return nil, nil, asError(ctx, err)
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, asError(ctx, err)
	}
	if in, err = ev.facts.Input(r, f, reads); err != nil {
		return nil, nil, &Error{Kind: Invalid, Message: "The question cannot be read.", Err: err}
	}
	return in, f, nil
}

// checkFaults returns an error if an answer must be withheld because it depends on a suspended record. A denial that
// reveals nothing about the record is not withheld.
func (ev *evaluation) checkFaults(ctx context.Context, f *facts.Facts, in *input.Object, term *ast.Term) error {
	fault := f.Fault()
	if fault == nil || !denies(term) {
		return fault
	}
	if f.UserFault() == nil {
		return nil
	}
	disclosed, err := ev.disclosedRecords(ctx, in)
	if err == nil && disclosed["user"] {
		return f.UserFault()
	}
	return err
}

// denies reports whether an answer is a denial, either of the decision or of a boolean rule.
func denies(term *ast.Term) bool {
	if term == nil {
		return false
	}
	if object, ok := term.Value.(ast.Object); ok {
		term = object.Get(keyAllow)
	}
	return term != nil && ast.Boolean(false).Compare(term.Value) == 0
}

// disclosedRecords asks the policy which records the answer discloses: subject, organization, user. A policy without
// such a rule discloses none.
func (ev *evaluation) disclosedRecords(ctx context.Context, in *input.Object) (map[string]bool, error) {
	disclosed := map[string]bool{}
	if ev.disclosed == nil {
		return disclosed, nil
	}
	term, err := evaluate(ctx, ev.disclosed, in)
	if err != nil || term == nil {
		return disclosed, err
	}
	names, err := readStrings(term.Value)
	if err != nil {
		return nil, &Error{Kind: Internal, Message: "What the policy sees could not be read.", Err: err}
	}
	for _, name := range names {
		disclosed[name] = true
	}
	return disclosed, nil
}

// actionForLog returns the name of an action if the policy's catalogue has it, because callers must not be able to write
// to the log.
func (ev *evaluation) actionForLog(action string) string {
	if _, known := ev.catalogue[action]; known {
		return action
	}
	return "other"
}

// evaluator is a [*bundles.Query] or a [*bundles.Document].
type evaluator interface {
	Eval(ctx context.Context, in *input.Object, tracers ...topdown.QueryTracer) (*ast.Term, error)
}

// evaluate evaluates a query. It returns nil for an undefined value, and stops when the context ends.
func evaluate(ctx context.Context, query evaluator, in *input.Object) (*ast.Term, error) {
	term, err := query.Eval(ctx, in)
	switch {
	case errors.Is(err, bundles.ErrCanceled):
		return nil, &Error{Kind: Timeout, Message: "It took too long to decide this.", Err: context.Cause(ctx)}
	case err != nil:
		return nil, &Error{Kind: Internal, Message: "The policy could not be evaluated.", Err: redact(err)}
	}
	return term, nil
}

// redact removes the messages of built-in functions from an error, because they usually quote the value on which the
// function failed.
func redact(err error) error {
	if e, ok := errors.AsType[*topdown.Error](err); ok && e.Code == topdown.BuiltinErr {
		return fmt.Errorf("%s at %v", e.Code, e.Location)
	}
	return err
}

// recovered turns a panic into an error. It must be deferred directly.
func (e *Engine) recovered(ctx context.Context, what string, err *error) {
	if cause := recover(); cause != nil {
		e.log.ErrorContext(ctx, what, "cause", cause, "stack", string(debug.Stack()))
		*err = &Error{Kind: Internal, Message: "The question could not be decided."}
	}
}
