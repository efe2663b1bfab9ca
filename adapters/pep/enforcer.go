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

// Handler performs obligations of one kind. A nil Before or After does nothing. No action follows a denial, so
// [Enforcer.Enforce] then calls both (PEP-4). Their errors are logged, and must name nobody (PEP-11).
type Handler struct {
	// Can reports whether this obligation can be performed, for instance a notification by its channel. nil means that all
	// can. If it panics, the obligation cannot.
	Can func(o Obligation) bool
	// Before is called before the action. An error denies the action.
	Before func(ctx context.Context, o Obligation) error
	// After is called once the action has succeeded. The application must repeat an obligation whose After failed.
	After func(ctx context.Context, o Obligation) error
}

// Confirm is the kind of the obligation to ask the person for confirmation (pdp/OBLIGATIONS.md). Its handler needs no
// functions: if one is registered, an allow with this obligation becomes [ConfirmationRequired], and the application asks
// again with "confirmed": true in the context.
const Confirm = custom + "/confirm"

// Config configures an enforcer. Decider is required.
type Config struct {
	Decider Decider
	// Handlers has the obligations that the application can perform, by [Obligation.Kind]. An allow with any other obligation
	// is a denial.
	Handlers map[string]Handler
}

// Enforcer enforces decisions. It is safe for concurrent use.
type Enforcer struct {
	decider   Decider
	handlers  map[string]Handler
	supported []any // the types of the handlers
}

// New returns an enforcer. It returns an error if Decider is nil or a handler is registered for a kind that no obligation can
// have.
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

// Enforce asks one question and performs the obligations that are due before the action. The action may be done only if the
// verdict is [Permitted]; call [Outcome.Done] once it has succeeded.
func (e *Enforcer) Enforce(ctx context.Context, question authzen.Evaluation) Outcome {
	o := e.Ask(ctx, []authzen.Evaluation{question})[0]
	e.before(ctx, &o)
	return o
}

// Ask asks questions in one batch and performs no obligations. It is for what a page offers, before any action. It returns an
// outcome for each question, in order.
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
	responses, err := e.decide(ctx, asked)
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

// decide turns a panic of the decider into an error: what is not decided is not permitted.
func (e *Enforcer) decide(ctx context.Context, questions []authzen.Evaluation) (responses []authzen.Response, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the decider panicked with a value of type %T", p) // the value may name persons
		}
	}()
	return e.decider.Decide(ctx, questions)
}

// outcome evaluates a response in view of the registered handlers.
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
		case !ok || !h.can(obligation):
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

// unsupported is the reason that a decision point gives in the same case (ALL-13).
var unsupported = Reason{Code: "obligation_unsupported", Message: "The application cannot do what this would require of it.", Rule: "ALL-13"}

// before performs what is due before a permitted action. After a denial it performs every obligation that has a handler
// (PEP-4), because no action follows. Without a confirmation or an answer nothing has been decided, so it performs none.
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

// can reports whether the handler can perform an obligation. A panic is that of a program that does not know what to do.
func (h Handler) can(o Obligation) (can bool) {
	defer func() {
		can = recover() == nil && can
	}()
	return h.Can == nil || h.Can(o)
}

func (h Handler) before() func(context.Context, Obligation) error { return h.Before }
func (h Handler) after() func(context.Context, Obligation) error  { return h.After }

// task is an obligation with its handler.
type task struct {
	obligation Obligation
	handler    Handler
}

// run performs all tasks, even after one has failed, and joins their errors.
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

// call turns a panic into an error, so that the other obligations are still performed. It omits the panic's value, which may
// name persons.
func call(ctx context.Context, o Obligation, do func(context.Context, Obligation) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("its handler panicked with a value of type %T", p)
		}
	}()
	return do(ctx, o)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
