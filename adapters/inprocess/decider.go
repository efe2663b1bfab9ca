package inprocess

import (
	"context"
	"errors"
	"maps"
	"net/http"

	"github.com/wardkeeper/wardkeeper/adapters/pep"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// Engine makes decisions, as [*pdp.Engine] does. Implementations must bound their time and be safe for concurrent use.
type Engine interface {
	Decide(ctx context.Context, r pdp.Request) (pdp.Decision, error)
	DecideAll(ctx context.Context, items []pdp.Item, s authzen.Semantic) ([]pdp.Outcome, error)
}

// Decider is a [pep.Decider] that uses an engine.
type Decider struct{ engine Engine }

var _ pep.Decider = Decider{}

// New returns a decider.
func New(e Engine) Decider { return Decider{e} }

// Decide implements [pep.Decider]. Up to [authzen.MaxEvaluations] questions are answered with one policy and one view of the
// facts.
func (d Decider) Decide(ctx context.Context, questions []authzen.Evaluation) ([]authzen.Response, error) {
	if len(questions) == 1 {
		decision, err := d.engine.Decide(ctx, questions[0])
		if err != nil {
			return nil, kindOf(err)
		}
		return []authzen.Response{response(decision)}, nil
	}
	responses := make([]authzen.Response, 0, len(questions))
	for start := 0; start < len(questions); start += authzen.MaxEvaluations {
		chunk := questions[start:min(start+authzen.MaxEvaluations, len(questions))]
		items := make([]pdp.Item, len(chunk))
		for i, q := range chunk {
			items[i].Request = q
		}
		outcomes, err := d.engine.DecideAll(ctx, items, authzen.ExecuteAll)
		if err != nil {
			return nil, kindOf(err)
		}
		for _, o := range outcomes {
			if o.Err != nil {
				responses = append(responses, authzen.Response{Context: map[string]any{"error": map[string]any{"status": http.StatusServiceUnavailable}}})
				continue
			}
			responses = append(responses, response(o.Decision))
		}
	}
	return responses, nil
}

// kindOf reduces an error to its kind: errors are logged, and their text may repeat the question.
func kindOf(err error) error {
	if e, ok := errors.AsType[*pdp.Error](err); ok {
		return errors.New("the engine did not decide: " + string(e.Kind))
	}
	return errors.New("the engine did not decide")
}

// response converts a decision to a response of the API.
func response(d pdp.Decision) authzen.Response {
	r := authzen.Response{Decision: d.Allow}
	members := maps.Clone(d.Context)
	if members == nil {
		members = map[string]any{}
	}
	if len(d.Reasons) > 0 {
		members["reasons"] = d.Reasons
	}
	if len(d.Advice) > 0 {
		members["advice"] = d.Advice
	}
	if len(d.Obligations) > 0 {
		obligations := make([]any, len(d.Obligations))
		for i, o := range d.Obligations {
			obligations[i] = map[string]any{"id": o.ID, "type": o.Type, "properties": o.Properties}
		}
		members["obligations"] = obligations
	}
	if len(members) > 0 {
		r.Context = members
	}
	return r
}
