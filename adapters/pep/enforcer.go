package pep

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// Handler does obligations of one kind. A nil function has nothing to do.
type Handler struct {
	// Can reports whether this one can be done, for instance a notification by its channel. nil means that every one can.
	Can func(o Obligation) bool
	// Before is called before the action. An error denies the action.
	Before func(ctx context.Context, o Obligation) error
	// After is called once the action has been done. What fails there the application must repeat until it is done.
	After func(ctx context.Context, o Obligation) error
}

// Confirm is the kind of the obligation to have the person confirm (pdp/OBLIGATIONS.md). It needs no functions: with a handler for it,
// an answer that carries one becomes [ConfirmationRequired], and the application asks again with "confirmed": true in the context.
const Confirm = custom + "/confirm"

// Config configures an enforcer. Decider is required.
type Config struct {
	Decider Decider
	// Handlers are what the application can do, by [Obligation.Kind]. An allow that carries anything else is a denial.
	Handlers map[string]Handler
}

// Enforcer enforces decisions. It is safe for concurrent use.
type Enforcer struct {
	decider   Decider
	handlers  map[string]Handler
	supported []any // the types of the handlers
}

// New returns an enforcer. It fails if a handler is registered for a kind that no obligation can have.
func New(c Config) (*Enforcer, error) {
	if c.Decider == nil {
		return nil, errors.New("pep: Config.Decider is required")
	}
	e := &Enforcer{decider: c.Decider, handlers: maps.Clone(c.Handlers), supported: []any{}}
	for _, kind := range sortedKeys(c.Handlers) {
		obligation, action, hasAction := strings.Cut(kind, "/")
		if obligation == "" || hasAction != (obligation == custom) || hasAction && action == "" {
			return nil, fmt.Errorf(`pep: no obligation is of the kind %q: use the type, or "custom/ACTION"`, kind)
		}
		if !slices.Contains(e.supported, any(obligation)) {
			e.supported = append(e.supported, obligation)
		}
	}
	return e, nil
}

// Enforce asks one question and does what has to be done before the action. Only [Permitted] permits; then call [Outcome.Done] once
// the action has been done.
func (e *Enforcer) Enforce(ctx context.Context, question authzen.Evaluation) Outcome {
	o := e.Ask(ctx, []authzen.Evaluation{question})[0]
	e.before(ctx, &o)
	return o
}

// Ask asks questions in one batch and does nothing about the obligations: for what a page offers, where nothing is done yet.
// There is an outcome for each question, in order.
func (e *Enforcer) Ask(ctx context.Context, questions []authzen.Evaluation) []Outcome {
	outcomes := make([]Outcome, len(questions))
	if len(questions) == 0 {
		return outcomes
	}
	asked := make([]authzen.Evaluation, len(questions))
	for i, q := range questions {
		q.Context = maps.Clone(q.Context)
		if q.Context == nil {
			q.Context = map[string]any{}
		}
		q.Context["supported_obligations"] = e.supported
		asked[i] = q
	}
	responses, err := e.decider.Decide(ctx, asked)
	if err == nil && len(responses) != len(questions) {
		err = fmt.Errorf("the decision point answered %d of %d questions", len(responses), len(questions))
	}
	for i := range outcomes {
		if err != nil {
			outcomes[i] = Outcome{Verdict: Unavailable, Err: err}
			continue
		}
		outcomes[i] = e.outcome(responses[i])
	}
	return outcomes
}

// outcome judges a response by what the application can do.
func (e *Enforcer) outcome(r authzen.Response) Outcome {
	a, err := read(r)
	if err != nil {
		return Outcome{Verdict: Unavailable, Err: err}
	}
	o := Outcome{Verdict: Denied, Reasons: a.reasons, Advice: a.advice, Obligations: a.obligations}
	var unhandled error
	for _, obligation := range a.obligations {
		h, ok := e.handlers[obligation.Kind()]
		switch {
		case !ok || h.Can != nil && !h.Can(obligation):
			unhandled = errors.Join(unhandled, fmt.Errorf("the application cannot do the obligation %.200q", obligation.ID))
		case obligation.Kind() == Confirm:
			o.Confirm = append(o.Confirm, obligation)
		default:
			o.todo = append(o.todo, task{obligation, h})
		}
	}
	switch {
	case !a.allow:
	case unhandled != nil:
		o.Err, o.Reasons, o.Advice = unhandled, []Reason{unsupported}, nil
	case len(o.Confirm) > 0:
		o.Verdict, o.Reasons = ConfirmationRequired, nil
	default:
		o.Verdict, o.Reasons = Permitted, nil
	}
	if o.Verdict != ConfirmationRequired {
		o.Confirm = nil
	}
	return o
}

// unsupported is the reason that a decision point gives for the same (ALL-13).
var unsupported = Reason{Code: "obligation_unsupported", Message: "The application cannot do what this would require of it.", Rule: "ALL-13"}

// before does what has to be done before an action that is permitted. Of a denial it does all that can be done (PEP-4): there is no
// action to wait for. While a confirmation is missing nothing has been decided to be done.
func (e *Enforcer) before(ctx context.Context, o *Outcome) {
	switch o.Verdict {
	case Permitted:
		if err := run(ctx, o.todo, Handler.before); err != nil {
			o.Verdict, o.Reasons, o.Err = Denied, []Reason{unsupported}, err
		}
	case Denied:
		o.Err = errors.Join(o.Err, run(ctx, o.todo, Handler.before), run(ctx, o.todo, Handler.after))
	}
}

func (h Handler) before() func(context.Context, Obligation) error { return h.Before }
func (h Handler) after() func(context.Context, Obligation) error  { return h.After }

// task is an obligation and who does it.
type task struct {
	obligation Obligation
	handler    Handler
}

// run does all tasks, even after one has failed.
func run(ctx context.Context, tasks []task, phase func(Handler) func(context.Context, Obligation) error) error {
	var failed error
	for _, t := range tasks {
		do := phase(t.handler)
		if do == nil {
			continue
		}
		if err := call(ctx, t.obligation, do); err != nil {
			failed = errors.Join(failed, fmt.Errorf("the obligation %.200q: %w", t.obligation.ID, err))
		}
	}
	return failed
}

// call makes an error of a panic: the other obligations must not be lost with it. The value is left out, since it may name persons.
func call(ctx context.Context, o Obligation, do func(context.Context, Obligation) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("its handler panicked with a value of type %T", p)
		}
	}()
	return do(ctx, o)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
