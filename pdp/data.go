package pdp

import (
	"context"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/version"

	"github.com/wardkeeper/wardkeeper/bundles/input"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// maxWhole limits the inputs of a request for all the rules below a path, which are slow to evaluate and have long
// results.
const maxWhole = 10

// maxInputValues limits the number of values in the inputs of a request. A shared value counts once for each input.
const maxInputValues = 2 * authzen.MaxValues

// DataRequest asks for the document at one path for each input, as clients of OPA's API do.
type DataRequest struct {
	Path []string // below data
	// Decision asks for the document at the entrypoint, whatever its path. Path is then ignored.
	Decision bool
	Inputs   []DataInput
}

// DataInput is the input that the policy sees: a value as package authzen parses it.
type DataInput struct {
	Value any
	Sent  bool // false: the input is undefined
}

// DataResult has an answer for each input, in the order of the inputs. One policy gave all of them.
type DataResult struct {
	Answers    []DataAnswer
	Provenance Provenance
}

// DataAnswer is a document for one input. If Err is set, the document is unknown.
type DataAnswer struct {
	Value   any
	Defined bool
	// Decision is the value read as a decision; nil if it is not one.
	Decision *Decision
	Action   string // of the question, if known
	// NotQuestion says why an input at the entrypoint is not a question and so got no facts. It is nil otherwise.
	NotQuestion error
	Err         error
}

// Provenance identifies the program and the policy that gave an answer.
type Provenance struct {
	OPA      string // the version of the embedded OPA
	Commit   string // the commit that the program was built from, "" if unknown
	Built    string // when the program was built
	Host     string // where the program was built
	Bundle   string // the name of the policy
	Revision string
	Label    string // the author's name for the revision, may be empty
}

// Decides reports whether a path is that of the decision or of a part of it.
func (e *Engine) Decides(path []string) bool {
	p := e.policy.Load()
	if p == nil {
		return false
	}
	_, decides := p.documents.decides(path)
	return decides
}

// Data returns a document for each input. For the decision or a part of it, an input that is an AuthZEN question gets
// its facts if there is a source. All other inputs are evaluated as sent, as are all inputs at other paths. If any input
// contains facts of its own, the whole request is refused.
func (e *Engine) Data(ctx context.Context, r DataRequest) (DataResult, error) {
	if e.recorder == nil {
		return e.data(ctx, r, nil)
	}
	records := newRecords(ctx, len(r.Inputs))
	result, err := e.data(ctx, r, records)
	for i := range records {
		if records[i].Question.Subject.Type == "" { // nothing has looked for a question yet
			records[i].Question, _ = authzen.EvaluationOf(r.Inputs[i].Value)
		}
		if err != nil {
			records[i].endWith(err)
			continue
		}
		records[i].answerWith(&result.Answers[i])
	}
	if failed := e.record(ctx, records); failed != nil {
		return DataResult{}, failed
	}
	return result, err
}

// answerWith completes the record of a document.
func (r *Record) answerWith(a *DataAnswer) {
	switch {
	case a.Decision != nil:
		r.Decision = *a.Decision
	case a.Defined:
		r.Value = a.Value
	}
	r.endWith(a.Err)
}

// data returns a document for each input. What is found out about each goes into its record, if there are records.
func (e *Engine) data(ctx context.Context, r DataRequest, records []Record) (DataResult, error) {
	if err := checkInputs(r.Inputs); err != nil {
		return DataResult{}, err
	}
	questions, indexOf, err := questionsAmong(ctx, r.Inputs)
	if err != nil {
		return DataResult{}, err
	}
	ev, faults, err := e.beginEach(ctx, questions)
	if err != nil {
		return DataResult{}, err
	}
	answers := make([]DataAnswer, len(r.Inputs))
	var task longTask
	result := DataResult{Answers: answers, Provenance: ev.provenance()}
	if part, decides := ev.documents.decides(r.Path); decides || r.Decision {
		for i, in := range r.Inputs {
			ev.recordNext(records, i)
			a := DataAnswer{}
			if q, ok := indexOf[i]; ok && faults[q] != nil {
				a = DataAnswer{Action: questions[q].Action.Name, Err: faults[q]}
			} else if err := task.step(ctx); err != nil {
				a.Err = err
			} else {
				a = ev.decisionDocument(ctx, in)
			}
			if a.Defined {
				a.Value, a.Defined = partOf(a.Value, part)
			}
			ev.endRecord()
			answers[i] = a
		}
		return result, nil
	}
	for i := range records {
		records[i].Document, records[i].Policy = r.Path, ev.Policy
	}
	document, err := ev.documents.at(r.Path, e.serveData)
	if err != nil {
		return DataResult{}, &Error{Kind: Internal, Message: "The path cannot be asked for.", Err: err}
	}
	if document == nil {
		return result, nil // all undefined
	}
	if document.IsPackage() && len(r.Inputs) > maxWhole {
		return DataResult{}, invalid("All the rules beneath a path are evaluated for at most %d inputs at a time: ask for one of them, or send fewer inputs.", maxWhole)
	}
	for i, in := range r.Inputs {
		if err := task.step(ctx); err != nil {
			answers[i].Err = err
			continue
		}
		ev.recordNext(records, i)
		answers[i] = ev.documentOf(ev.askWithoutFacts(ctx, in, document))
		ev.endRecord()
	}
	return result, nil
}

func checkInputs(inputs []DataInput) error {
	left := maxInputValues
	for _, in := range inputs {
		if members, ok := in.Value.(map[string]any); ok {
			if _, forged := members["facts"]; forged {
				return invalid(`The input has a member "facts": leave it out, for facts come from the directory alone.`)
			}
		}
		if left -= countValues(in.Value, left); left < 0 {
			return invalid("The inputs have more than %d values together, counting shared ones for each: send fewer in one request.", maxInputValues)
		}
	}
	return nil
}

// countValues counts the values in a value, including itself. It stops counting after most.
func countValues(value any, most int) int {
	n := 1
	count := func(inner any) bool {
		n += countValues(inner, most-n)
		return n <= most
	}
	switch value := value.(type) {
	case map[string]any:
		for _, inner := range value {
			if !count(inner) {
				break
			}
		}
	case []any:
		for _, inner := range value {
			if !count(inner) {
				break
			}
		}
	}
	return n
}

// questionsAmong returns the inputs that are AuthZEN questions. indexOf maps the index of an input to that of its
// question.
func questionsAmong(ctx context.Context, inputs []DataInput) (all []Request, indexOf map[int]int, err error) {
	indexOf = map[int]int{}
	var task longTask
	for i, in := range inputs {
		if err := task.step(ctx); err != nil {
			return nil, nil, err
		}
		if question, err := authzen.EvaluationOf(in.Value); err == nil {
			indexOf[i] = len(all)
			all = append(all, question)
		}
	}
	return all, indexOf, nil
}

func (p *Policy) provenance() Provenance {
	return Provenance{
		OPA: version.Version, Commit: version.Vcs, Built: version.Timestamp, Host: version.Hostname,
		Bundle: p.documents.entrypoint[0], Revision: p.revision.ID, Label: p.revision.Label,
	}
}

// decisionDocument returns the decision in the form that the policy gave it. It is read as strictly as any decision: an
// undefined one stays undefined, and a malformed one is an error.
func (ev *evaluation) decisionDocument(ctx context.Context, in DataInput) DataAnswer {
	question, notQuestion := authzen.EvaluationOf(in.Value)
	if ev.record != nil {
		ev.record.Question = question
	}
	var term *ast.Term
	var err error
	if notQuestion == nil && ev.facts.View != nil {
		term, err = ev.askOne(ctx, question, ev.decision)
	} else {
		term, err = ev.askWithoutFacts(ctx, in, ev.decision)
	}
	a := ev.documentOf(term, err)
	a.Action = question.Action.Name
	if ev.facts.View != nil && in.Sent {
		a.NotQuestion = notQuestion
	}
	if a.Err != nil {
		return a
	}
	d, err := readDecision(term)
	if err != nil {
		ev.engine.log.ErrorContext(ctx, "policy fault: the decision is undefined or malformed",
			"action", ev.actionForLog(a.Action), "revision", ev.revision.ID, "error", err)
		if term != nil { // a client might take a malformed decision for an allow
			return DataAnswer{Action: a.Action, Err: &Error{Kind: Internal, Message: "The policy's decision is malformed.", Err: err}}
		}
		d = Decision{Fault: true}
	}
	if limited := d.limitedTo(contextOf(in.Value), ev.offers.Obligations); len(limited.Obligations) < len(d.Obligations) {
		d, a.Value = limited, limited.document()
	}
	d.Revision = ev.revision.ID
	a.Decision = &d
	return a
}

// askWithoutFacts evaluates a query with an input as sent, within the engine's timeout.
func (ev *evaluation) askWithoutFacts(ctx context.Context, in DataInput, query evaluator) (term *ast.Term, err error) {
	defer ev.engine.recovered(ctx, "a decision panicked", &err)
	if err := ev.checkLength(); err != nil {
		return nil, err
	}
	limit := ev.limitTime(ctx)
	defer limit.end()
	if !in.Sent {
		return evaluate(limit.Context, query, nil)
	}
	value, err := ast.InterfaceToValue(in.Value)
	if err != nil {
		return nil, &Error{Kind: Invalid, Message: "The input cannot be read.", Err: err}
	}
	return evaluate(limit.Context, query, input.Of(ast.NewTerm(value)))
}

// contextOf returns the member context of an input, whether or not the input is a question.
func contextOf(value any) map[string]any {
	members, _ := value.(map[string]any)
	context, _ := members["context"].(map[string]any)
	return context
}

// document returns a decision in the form that a policy would give it.
func (d Decision) document() map[string]any {
	members := map[string]any{"allow": d.Allow, "reasons": d.Reasons}
	if len(d.Obligations) > 0 {
		all := make([]any, len(d.Obligations))
		for i, o := range d.Obligations {
			all[i] = map[string]any{"id": o.ID, "type": o.Type, "properties": o.Properties}
		}
		members["obligations"] = all
	}
	if len(d.Advice) > 0 {
		members["advice"] = d.Advice
	}
	if len(d.Context) > 0 {
		members["context"] = d.Context
	}
	return members
}

// documentOf converts a value to an answer.
func (ev *evaluation) documentOf(term *ast.Term, err error) DataAnswer {
	if err == nil {
		err = ev.addToLength(term)
	}
	if err != nil || term == nil {
		return DataAnswer{Err: err}
	}
	value, err := ast.JSON(term.Value)
	if err != nil {
		return DataAnswer{Err: &Error{Kind: Internal, Message: "The document cannot be written.", Err: err}}
	}
	return DataAnswer{Value: value, Defined: true}
}

// Input returns what the policy sees of a question: the question and the facts as they are now, as plain Go values with
// numbers as [encoding/json.Number]. It is for replay and explanation: the same policy decides the same for it,
// elsewhere or later. The error is an [*Error].
func (e *Engine) Input(ctx context.Context, r Request) (value any, err error) {
	defer e.recovered(ctx, "a decision panicked", &err)
	limit := e.limitTime(ctx)
	defer limit.end()
	ev, err := e.begin(limit.Context, r)
	if err != nil {
		return nil, err
	}
	in, _, err := ev.input(limit.Context, r, facts.ReadsAll())
	if err != nil {
		return nil, err
	}
	if value, err = ast.JSON(in.Term().Value); err != nil {
		return nil, &Error{Kind: Internal, Message: "The question could not be read.", Err: err}
	}
	return value, nil
}
