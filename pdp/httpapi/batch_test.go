package httpapi

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// newBatchDecider returns a Decider that denies the action "deny", fails for "fail" and allows anything else.
func newBatchDecider() *fakeDecider {
	return &fakeDecider{decideAll: func(_ context.Context, items []pdp.Item, s authzen.Semantic) ([]pdp.Outcome, error) {
		var all []pdp.Outcome
		for _, item := range items {
			o := pdp.Outcome{Err: item.Err}
			switch item.Request.Action.Name {
			case "deny":
				o.Decision.Reasons = []any{"no"}
			case "fail":
				o.Decision.Allow = true // the allow of a failed item must not be sent
				o.Err = &pdp.Error{Kind: pdp.Unavailable, Message: "There is no directory.", Err: errors.New("redis is down")}
			default:
				o.Decision.Allow = true
			}
			all = append(all, o)
			allowed := o.Err == nil && o.Decision.Allow
			if s == authzen.DenyOnFirstDeny && !allowed || s == authzen.PermitOnFirstPermit && allowed {
				break
			}
		}
		return all, nil
	}}
}

// batchBody returns a request with one evaluation per action.
func batchBody(semantic string, actions ...string) string {
	for i, a := range actions {
		actions[i] = `{"action":{"name":"` + a + `"}}`
	}
	return `{"subject":{"type":"user","id":"alice"},"resource":{"type":"user","id":"jane"},"options":{"evaluations_semantic":"` +
		semantic + `"},"evaluations":[` + strings.Join(actions, ",") + `]}`
}

func TestEvaluationsFollowTheSemantic(t *testing.T) {
	h := start(t, Config{Decider: newBatchDecider()})
	const (
		yes    = `{"decision":true}`
		no     = `{"decision":false,"context":{"reasons":["no"]}}`
		failed = `{"decision":false,"context":{"error":{"status":503,"message":"There is no directory."}}}`
		empty  = `{"decision":false,"context":{"error":{"status":400,"message":"The member \"name\" is empty at /evaluations/1/action: send a non-empty string."}}}`
	)
	for body, want := range map[string]string{
		batchBody("execute_all", "a", "deny", "fail", "b"):            yes + "," + no + "," + failed + "," + yes,
		batchBody("execute_all", "a", "", "b"):                        yes + "," + empty + "," + yes,
		batchBody("deny_on_first_deny", "a", "deny", "b"):             yes + "," + no,
		batchBody("deny_on_first_deny", "a", "fail", "b"):             yes + "," + failed,
		batchBody("deny_on_first_deny", "a", "", "b"):                 yes + "," + empty,
		batchBody("permit_on_first_permit", "deny", "fail", "a", "b"): no + "," + failed + "," + yes,
		batchBody("permit_on_first_permit", "deny", "", "a", "b"):     no + "," + empty + "," + yes,
	} {
		a := h.post("/access/v1/evaluations", body)
		assert.Equal(t, 200, a.status)
		assert.Equal(t, `{"evaluations":[`+want+`]}`, a.body)
	}
	assert.True(t, contains(h.log, "redis is down"))
	h.post("/access/v1/evaluations", batchBody("some", "a")).requireError(t, 400)
	assert.Contains(t, h.post("/access/v1/evaluations", batchBody("execute_all", make([]string, 1001)...)).requireError(t, 400), "at most 1000")
	a := h.post("/access/v1/evaluations", batchBody("execute_all", make([]string, 1000)...))
	assert.Equal(t, 1000, strings.Count(a.body, `"status":400`))
}

func TestBatchErrorFailsTheRequest(t *testing.T) {
	h := start(t, Config{Decider: &fakeDecider{decideAll: func(context.Context, []pdp.Item, authzen.Semantic) ([]pdp.Outcome, error) {
		return []pdp.Outcome{{Decision: pdp.Decision{Allow: true}}}, &pdp.Error{Kind: pdp.Unavailable, Err: errors.New("redis is down")}
	}}})
	h.post("/access/v1/evaluations", batchBody("execute_all", "a")).requireError(t, 503)

	h = start(t, Config{Decider: &fakeDecider{decideAll: func(context.Context, []pdp.Item, authzen.Semantic) ([]pdp.Outcome, error) {
		return []pdp.Outcome{{Decision: pdp.Decision{Allow: true, Context: map[string]any{"x": math.NaN()}}}}, nil
	}}})
	h.post("/access/v1/evaluations", batchBody("execute_all", "a")).requireError(t, 500)
}

func TestWrongNumberOfOutcomesIsAnError(t *testing.T) {
	many := func(n int) *fakeDecider {
		return &fakeDecider{decideAll: func(context.Context, []pdp.Item, authzen.Semantic) ([]pdp.Outcome, error) {
			all := make([]pdp.Outcome, n)
			for i := range all {
				all[i].Decision.Allow = true
			}
			return all, nil
		}}
	}
	for _, n := range []int{0, 1, 3} {
		h := start(t, Config{Decider: many(n)})
		h.post("/access/v1/evaluations", batchBody("execute_all", "a", "b")).requireError(t, 500)
	}
	for _, n := range []int{0, 3} {
		h := start(t, Config{Decider: many(n)})
		h.post("/access/v1/evaluations", batchBody("deny_on_first_deny", "a", "b")).requireError(t, 500)
	}
	h := start(t, Config{Decider: many(2)})
	a := h.post("/access/v1/evaluations", batchBody("execute_all", "a", ""))
	assert.Equal(t, 1, strings.Count(a.body, `"decision":true`), "a malformed item is denied even if the Decider allows it")
	assert.Contains(t, a.body, `"status":400`)
}
