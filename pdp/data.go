package pdp

import (
	"context"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/version"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// maxWhole is how many inputs a request may have for all the rules beneath a path, which is much to compute and to say.
const maxWhole = 10

// DataRequest asks for the document at one path, once for each input, as clients of OPA's API do.
type DataRequest struct {
	Path []string // below data
	// Decision asks for the document at the entrypoint, wherever that is; Path does not count then.
	Decision bool
	Inputs   []DataInput
}

// DataInput is what a policy is to see as its input: a value as package authzen parses it.
type DataInput struct {
	Value any
	Sent  bool // false: the input is undefined
}

// DataResult has an answer for each input, in their order and all by one policy.
type DataResult struct {
	Answers    []DataAnswer
	Provenance Provenance
}

// DataAnswer is what a document is for one input. Where Err is set, it is not known.
type DataAnswer struct {
	Value   any
	Defined bool
	// Decision is what the value says where it is the decision's, and nil otherwise.
	Decision *Decision
	Action   string // that the decision was asked about, as far as that is known
	// Unasked is why the input got no facts where a question would have: it is none. nil elsewhere.
	Unasked error
	Err     error
}

// Provenance says by what an answer was made.
type Provenance struct {
	OPA      string // the version of OPA inside
	Commit   string // what the program was built from, "" where it does not know
	Built    string // when
	Host     string // where
	Bundle   string // what the policy is called
	Revision string
	Label    string // what its author calls the revision, "" where there is none
}

// Decides says whether a path is that of the decision, or of a part of it.
func (e *Engine) Decides(path []string) bool {
	p := e.policy.Load()
	if p == nil {
		return false
	}
	_, decides := p.documents.decides(path)
	return decides
}

// Data answers what a document is. At the entrypoint, and for a part of the decision, an input that is an AuthZEN request gets its facts like any other
// question, where there is a source of them; any other input is evaluated as sent, and so is every input at any other
// path. An input that brings facts of its own is refused, and the request with it.
func (e *Engine) Data(ctx context.Context, r DataRequest) (DataResult, error) {
	for _, in := range r.Inputs {
		if members, ok := in.Value.(map[string]any); ok {
			if _, forged := members["facts"]; forged {
				return DataResult{}, &Error{Kind: Invalid, Message: `The input has a member "facts": leave it out, for facts come from the directory alone.`}
			}
		}
	}
	if err := checkInputs(r.Inputs); err != nil {
		return DataResult{}, err
	}
	asked, of, err := questions(ctx, r.Inputs)
	if err != nil {
		return DataResult{}, err
	}
	s, faults, err := e.sitForEach(ctx, asked)
	if err != nil {
		return DataResult{}, err
	}
	if err := s.checkNamed(asked); err != nil {
		return DataResult{}, err
	}
	answers := make([]DataAnswer, len(r.Inputs))
	result := DataResult{Answers: answers, Provenance: s.provenance()}
	part, decides := s.documents.decides(r.Path)
	if decides || r.Decision {
		for i, in := range r.Inputs {
			a := DataAnswer{}
			if q, ok := of[i]; ok && faults[q] != nil {
				a = DataAnswer{Action: asked[q].Action.Name, Err: faults[q]}
			} else if err := next(ctx); err != nil {
				a.Err = err
			} else {
				a = s.decideData(ctx, in)
			}
			if a.Defined {
				a.Value, a.Defined = partOf(a.Value, part)
			}
			answers[i] = a
		}
		return result, nil
	}
	document, err := s.documents.at(r.Path, e.serveData)
	if err != nil {
		return DataResult{}, &Error{Kind: Internal, Message: "The path cannot be asked for.", Err: err}
	}
	if document == nil {
		return result, nil // undefined, each of them
	}
	if document.IsPackage() && len(r.Inputs) > maxWhole {
		return DataResult{}, invalid("All the rules beneath a path are evaluated for at most %d inputs at a time: ask for one of them, or send fewer inputs.", maxWhole)
	}
	for i, in := range r.Inputs {
		if err := next(ctx); err != nil {
			answers[i].Err = err
			continue
		}
		answers[i] = s.documentOf(s.askAsSent(ctx, in, document))
	}
	return result, nil
}

// maxInputValues bounds how many values the inputs of a request have, what they share counted for each.
const maxInputValues = 2 * authzen.MaxValues

func checkInputs(inputs []DataInput) error {
	left := maxInputValues
	for _, in := range inputs {
		if left -= valuesIn(in.Value, left); left < 0 {
			return invalid("The inputs have more than %d values together, what they share counted for each: send fewer in a request.", maxInputValues)
		}
	}
	return nil
}

// valuesIn counts the values in a value, itself included, as far as a bound and no further.
func valuesIn(value any, most int) int {
	n := 1
	count := func(inner any) bool {
		n += valuesIn(inner, most-n)
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

// questions are those of the inputs that are AuthZEN questions, and which of them each input is.
func questions(ctx context.Context, inputs []DataInput) (all []Request, of map[int]int, err error) {
	of = map[int]int{}
	for i, in := range inputs {
		if err := next(ctx); err != nil {
			return nil, nil, err
		}
		if question, err := authzen.EvaluationOf(in.Value); err == nil {
			of[i] = len(all)
			all = append(all, question)
		}
	}
	return all, of, nil
}

func (p *Policy) provenance() Provenance {
	return Provenance{
		OPA: version.Version, Commit: version.Vcs, Built: version.Timestamp, Host: version.Hostname,
		Bundle: p.documents.path[0], Revision: p.revision.ID, Label: p.revision.Label,
	}
}

// decideData answers with the decision as the policy words it, having read it as strictly as any decision: one that is
// undefined is given as undefined, and one that is ill-shaped is an error.
func (s *sitting) decideData(ctx context.Context, in DataInput) DataAnswer {
	question, notOne := authzen.EvaluationOf(in.Value)
	var term *ast.Term
	var err error
	if notOne == nil && s.view != nil {
		term, err = s.ask(ctx, question, s.decision)
	} else {
		term, err = s.askAsSent(ctx, in, s.decision)
	}
	a := s.documentOf(term, err)
	a.Action = question.Action.Name
	if s.view != nil && in.Sent {
		a.Unasked = notOne
	}
	if a.Err != nil {
		return a
	}
	d, err := readDecision(term)
	if err != nil {
		s.engine.log.ErrorContext(ctx, "policy fault: the decision is undefined or ill-shaped",
			"action", s.named(a.Action), "revision", s.revision.ID, "error", err)
		if term != nil { // a client might take it for an allow
			return DataAnswer{Action: a.Action, Err: &Error{Kind: Internal, Message: "The policy's decision is ill-shaped.", Err: err}}
		}
		d = Decision{Fault: true}
	}
	if can := d.supportedBy(contextOf(in.Value), s.offers.Obligations); len(can.Obligations) < len(d.Obligations) {
		d, a.Value = can, can.document()
	}
	d.Revision = s.revision.ID
	a.Decision = &d
	return a
}

// contextOf is the context of a question, or of what has one like a question.
func contextOf(value any) map[string]any {
	members, _ := value.(map[string]any)
	context, _ := members["context"].(map[string]any)
	return context
}

// document is a decision as a policy would word it.
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

// documentOf makes an answer of a value.
func (s *sitting) documentOf(term *ast.Term, err error) DataAnswer {
	if err == nil {
		err = s.says(term)
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

// term is the input as a policy sees it, nil where none was sent.
func (in DataInput) term() (*ast.Term, error) {
	if !in.Sent {
		return nil, nil
	}
	value, err := ast.InterfaceToValue(in.Value)
	if err != nil {
		return nil, &Error{Kind: Invalid, Message: "The input cannot be read.", Err: err}
	}
	return ast.NewTerm(value), nil
}
