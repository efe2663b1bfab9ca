package httpapi

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// The paths of section 10.1 and of the metadata document (section 9).
const (
	evaluationPath     = "/access/v1/evaluation"
	evaluationsPath    = "/access/v1/evaluations"
	searchSubjectPath  = "/access/v1/search/subject"
	searchResourcePath = "/access/v1/search/resource"
	searchActionPath   = "/access/v1/search/action"
	metadataPath       = "/.well-known/authzen-configuration"
)

// evaluation answers one question (section 6).
func (x *exchange) evaluation() error {
	x.tally.asks = true
	body, err := x.body()
	if err != nil {
		return err
	}
	e, err := authzen.DecodeEvaluation(body)
	if err != nil {
		return err
	}
	return x.decide(e)
}

func (x *exchange) decide(e authzen.Evaluation) error {
	x.tally.action = x.s.metrics.action(e.Action.Name)
	ctx, cancel := x.deadline()
	defer cancel()
	d, err := x.s.decider.Decide(ctx, e)
	if err = x.settle(ctx, err); err != nil {
		return err
	}
	if x.out, err = appendDecision(x.out[:0], &d); err != nil {
		return unwritable(err)
	}
	x.tally.revision = d.Revision
	x.tally.answered(x.tally.action, &d)
	return nil
}

// evaluations answers several questions, or one where there are not several (section 7).
func (x *exchange) evaluations() error {
	x.tally.asks, x.large = true, true
	body, err := x.body()
	if err != nil {
		return err
	}
	batch, err := authzen.DecodeEvaluations(body)
	if err != nil {
		return err
	}
	if batch.Single {
		return x.decide(batch.Items[0].Evaluation)
	}
	x.tally.batch = true
	items := make([]pdp.Item, len(batch.Items))
	for i, item := range batch.Items {
		items[i].Request = item.Evaluation
		if item.Err != nil {
			items[i].Err = invalid(item.Err.Error())
		}
	}
	ctx, cancel := x.deadline()
	defer cancel()
	outcomes, err := x.s.decider.DecideAll(ctx, items, batch.Semantic)
	// What was not decided in time is an error of its own question, as long as somebody is there to be told.
	if settled := x.settle(ctx, err); err != nil || x.gone() || errors.Is(settled, errOverdue) {
		return settled
	}
	// A caller pairs answers with questions by their place: a list of another length would pair them wrongly.
	if n := len(outcomes); n == 0 || n > len(items) || batch.Semantic == authzen.ExecuteAll && n < len(items) {
		return &pdp.Error{Kind: pdp.Internal, Err: fmt.Errorf("%d answers for %d questions", n, len(items))}
	}
	return x.answerAll(items, outcomes)
}

// answerAll writes the answers, and counts them only once all are written.
func (x *exchange) answerAll(items []pdp.Item, outcomes []pdp.Outcome) (err error) {
	var first fault // one line of the log for a whole batch
	out := append(x.out[:0], `{"evaluations":[`...)
	for i := range outcomes {
		if i > 0 {
			out = append(out, ',')
		}
		if items[i].Err != nil {
			outcomes[i].Err = items[i].Err // what could not be read was not decided, whatever is said
		}
		if outcomes[i].Err != nil {
			f := faultOf(outcomes[i].Err)
			if f.status >= http.StatusInternalServerError && first.status == 0 {
				first = f
			}
			out = appendItemError(out, f)
			continue
		}
		if out, err = appendDecision(out, &outcomes[i].Decision); err != nil {
			return unwritable(err)
		}
	}
	x.out = append(out, "]}"...)
	x.logCause(first)
	for i := range outcomes {
		action := x.s.metrics.action(items[i].Request.Action.Name)
		if outcomes[i].Err != nil {
			x.tally.undecided(action)
			continue
		}
		x.tally.revision = outcomes[i].Decision.Revision
		x.tally.answered(action, &outcomes[i].Decision)
	}
	return nil
}

// unwritable is for what a policy said and JSON cannot. The error of the encoder would quote it.
func unwritable(err error) error {
	return &pdp.Error{Kind: pdp.Internal, Err: fmt.Errorf("the answer cannot be written as JSON (%T)", err)}
}
