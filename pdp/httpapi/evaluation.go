package httpapi

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// evaluation answers one evaluation (pdp/authzen/PROTOCOL.md section 6).
func (rc *requestContext) evaluation() error {
	rc.stats.evaluation = true
	body, err := rc.jsonBody(authzen.MaxBody)
	if err != nil {
		return err
	}
	e, err := authzen.DecodeEvaluation(body)
	if err != nil {
		return err
	}
	return rc.decide(e)
}

func (rc *requestContext) decide(e authzen.Evaluation) error {
	rc.stats.action = rc.server.metrics.action(e.Action.Name)
	ctx := rc.startWork()
	defer rc.endWork()
	deciding := ctx
	if rc.mayExplain && pdp.WantsExplanation(e) {
		deciding = pdp.WithExplanations(ctx)
	}
	d, err := rc.server.decider.Decide(deciding, e)
	if err = rc.timeoutIfExpired(ctx, err); err != nil {
		return err
	}
	if rc.out, err = appendDecision(rc.out[:0], &d); err != nil {
		return encodingError(err)
	}
	rc.stats.revision = d.Revision
	rc.stats.countDecision(rc.stats.action, &d)
	return nil
}

// evaluations answers several evaluations (pdp/authzen/PROTOCOL.md section 7).
func (rc *requestContext) evaluations() error {
	rc.stats.evaluation, rc.batchWork = true, true
	body, err := rc.jsonBody(authzen.MaxBody)
	if err != nil {
		return err
	}
	batch, err := authzen.DecodeEvaluations(body)
	if err != nil {
		return err
	}
	if batch.Single {
		return rc.decide(batch.Items[0].Evaluation)
	}
	rc.stats.batch = true
	items := make([]pdp.Item, len(batch.Items))
	for i, item := range batch.Items {
		items[i].Request = item.Evaluation
		if item.Err != nil {
			items[i].Err = invalid(item.Err.Error())
		}
	}
	ctx := rc.startWork()
	defer rc.endWork()
	outcomes, err := rc.server.decider.DecideAll(ctx, items, batch.Semantic)
	// If the time is over, each undecided item has its own timeout error. The response is still useful to a connected
	// client.
	if expired := rc.timeoutIfExpired(ctx, err); err != nil || rc.clientGone() || errors.Is(expired, errAlreadyAnswered) {
		return expired
	}
	// Clients match decisions to evaluations by position, so a list of another length would be matched wrongly.
	if n := len(outcomes); n == 0 || n > len(items) || batch.Semantic == authzen.ExecuteAll && n < len(items) {
		return &pdp.Error{Kind: pdp.Internal, Err: fmt.Errorf("%d answers for %d questions", n, len(items))}
	}
	return rc.writeOutcomes(items, outcomes)
}

// writeOutcomes encodes the outcomes of a batch. It counts them after all have been encoded.
func (rc *requestContext) writeOutcomes(items []pdp.Item, outcomes []pdp.Outcome) (err error) {
	var firstError httpError // the first error that is not the client's; logged once for the batch
	out := append(rc.out[:0], `{"evaluations":[`...)
	for i := range outcomes {
		if i > 0 {
			out = append(out, ',')
		}
		if items[i].Err != nil {
			outcomes[i].Err = items[i].Err // a malformed item cannot be allowed, whatever the Decider returns
		}
		if outcomes[i].Err != nil {
			e := httpErrorOf(outcomes[i].Err)
			if e.status >= http.StatusInternalServerError && firstError.status == 0 {
				firstError = e
			}
			out = appendItemError(out, e)
			continue
		}
		if out, err = appendDecision(out, &outcomes[i].Decision); err != nil {
			return encodingError(err)
		}
	}
	rc.out = append(out, "]}"...)
	rc.noteFailure(firstError)
	for i := range outcomes {
		action := rc.server.metrics.action(items[i].Request.Action.Name)
		if outcomes[i].Err != nil {
			rc.stats.countError(action)
			continue
		}
		rc.stats.revision = outcomes[i].Decision.Revision
		rc.stats.countDecision(action, &outcomes[i].Decision)
	}
	return nil
}
