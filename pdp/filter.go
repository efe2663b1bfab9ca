package pdp

import (
	"context"
	"errors"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/input"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/filter"
)

// FilterRequest asks for a rule as a condition on the rows of a table.
type FilterRequest struct {
	Path  []string // of the rule below data
	Input DataInput
	// Tables are those that the caller takes for unknown, such as "input.users". None: those that the policy says. Others are an
	// error.
	Tables []string
}

// FilterResult is a condition, and what it comes from. It holds for the facts of the moment.
type FilterResult struct {
	Condition  filter.Condition
	Provenance Provenance
}

// Filter returns a rule that the policy offers as a filter: the condition on a row under which the rule holds for the question in the input.
// The question gets its facts as for a decision. If the input contains facts or one of the tables, if the policy offers no such filter, or
// if a condition cannot express it, the error is of kind [Invalid]. The error is an [*Error], even after a panic.
func (e *Engine) Filter(ctx context.Context, r FilterRequest) (FilterResult, error) {
	if e.recorder == nil {
		return e.filter(ctx, r, nil)
	}
	records := newRecords(ctx, 1)
	records[0].Document = r.Path
	records[0].Question, _ = authzen.EvaluationOf(r.Input.Value)
	result, err := e.filter(ctx, r, &records[0])
	records[0].endWith(err)
	if failed := e.record(ctx, records); failed != nil {
		return FilterResult{}, failed
	}
	return result, err
}

func (e *Engine) filter(ctx context.Context, r FilterRequest, record *Record) (result FilterResult, err error) {
	defer e.recovered(ctx, "a decision panicked", &err)
	if err := checkInputs([]DataInput{r.Input}); err != nil {
		return FilterResult{}, err
	}
	limit := e.limitTime(ctx)
	defer limit.end()
	var questions []Request
	if question, err := authzen.EvaluationOf(r.Input.Value); err == nil {
		questions = []Request{question}
	}
	ev, err := e.begin(limit.Context, questions...)
	if err != nil {
		return FilterResult{}, err
	}
	if record != nil {
		record.Policy, record.View = ev.Policy, ev.facts.View
	}
	offered, err := ev.filterAt(r)
	if err != nil {
		return FilterResult{}, err
	}
	in, err := ev.filterInput(limit.Context, r.Input, questions, record)
	if err != nil {
		return FilterResult{}, err
	}
	result.Provenance = ev.provenance()
	result.Condition, err = conditionOf(limit.Context, offered, in)
	if holds, ok := filter.Unconditional(result.Condition); ok && record != nil {
		record.Value = holds
	}
	return result, err
}

// filterAt returns the filter that a request asks for.
func (ev *evaluation) filterAt(r FilterRequest) (*bundles.Filter, error) {
	offered, err := ev.revision.Filter(r.Path)
	switch {
	case err != nil:
		return nil, &Error{Kind: Internal, Message: "The filter cannot be asked for.", Err: err}
	case offered == nil:
		return nil, invalid("The policy offers no filter at this path: its rule must name its tables, as input.TABLE, in an annotation of its own, compile.unknowns.")
	}
	sent, _ := r.Input.Value.(map[string]any)
	tables := map[string]bool{}
	for _, table := range offered.Unknowns {
		tables[table.String()] = true
		name, _ := table[1].Value.(ast.String)
		if _, known := sent[string(name)]; known {
			return nil, invalid("The input has a member %q, which is the table of the filter: leave it out.", string(name))
		}
	}
	for _, table := range r.Tables {
		if !tables[table] {
			return nil, invalid("The filter is about no such table: leave out unknowns, or name those of the policy.")
		}
	}
	return offered, nil
}

// filterInput returns what the policy sees: the question with its facts, or an input that is no question as it was sent.
func (ev *evaluation) filterInput(ctx context.Context, sent DataInput, questions []Request, record *Record) (*input.Object, error) {
	if len(questions) > 0 && ev.facts.View != nil {
		in, f, err := ev.input(ctx, questions[0], ev.reads(questions[0].Action.Name))
		if err != nil {
			return nil, err
		}
		if record != nil {
			record.Facts = f
		}
		return in, f.Fault()
	}
	if !sent.Sent {
		return input.New(), nil
	}
	value, err := ast.InterfaceToValue(sent.Value)
	if err != nil {
		return nil, &Error{Kind: Invalid, Message: "The input cannot be read.", Err: err}
	}
	return input.Of(ast.NewTerm(value)), nil
}

// conditionOf returns what is left of a filter once the input is known.
func conditionOf(ctx context.Context, offered *bundles.Filter, in *input.Object) (filter.Condition, error) {
	queries, err := offered.Partial(ctx, in)
	switch {
	case errors.Is(err, bundles.ErrCanceled):
		return nil, &Error{Kind: Timeout, Message: "It took too long to find the filter.", Err: context.Cause(ctx)}
	case err != nil:
		return nil, &Error{Kind: Internal, Message: "The policy could not be evaluated.", Err: redact(err)}
	}
	condition, err := filter.Translate(queries, offered.Unknowns)
	if err != nil {
		return nil, &Error{Kind: Invalid, Message: "The policy's filter cannot be expressed: " + err.Error() + ".", Err: err}
	}
	return condition, nil
}
