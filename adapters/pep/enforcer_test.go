package pep_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/adapters/pep"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// answers is a decider that gives the same answers to every request and records the questions.
type answers struct {
	bodies []string // a JSON response each
	err    error
	asked  []authzen.Evaluation
}

func (a *answers) Decide(_ context.Context, questions []authzen.Evaluation) ([]authzen.Response, error) {
	a.asked = append(a.asked, questions...)
	var responses []authzen.Response
	for _, body := range a.bodies {
		r, err := authzen.DecodeResponse([]byte(body))
		if err != nil {
			return nil, err
		}
		responses = append(responses, r)
	}
	return responses, a.err
}

var question = authzen.Evaluation{
	Subject: authzen.Entity{Type: "user", ID: "alice"}, Action: authzen.Action{Name: "user.view"},
	Resource: authzen.Entity{Type: "user", ID: "jane"}, Context: map[string]any{"current_location": "metro"},
}

const (
	email   = `{"id":"N","type":"notification","properties":{"channel":"email"}}`
	pigeon  = `{"id":"P","type":"notification","properties":{"channel":"pigeon"}}`
	confirm = `{"id":"C","type":"custom","properties":{"action":"confirm","cause":"multiple_locations"}}`
	warn    = `{"id":"W","type":"custom","properties":{"action":"warn"}}`
	logout  = `{"id":"S","type":"session_termination","properties":{}}`
	reason  = `{"code":"no","message":"No.","rule":"X-1"}`
)

func TestEnforce(t *testing.T) {
	for name, c := range map[string]struct {
		answer  string
		err     error
		verdict pep.Verdict
		before  string // ids done before the action, or for a denial
		after   string // ids done by Done
		reasons []pep.Reason
	}{
		"allow":                {answer: `{"decision":true}`, verdict: pep.Permitted},
		"denial":               {answer: `{"decision":false}`, verdict: pep.Denied},
		"denial with a reason": {answer: `{"decision":false,"context":{"reasons":[` + reason + `]}}`, reasons: []pep.Reason{{Code: "no", Message: "No.", Rule: "X-1"}}},
		"denial with more than sentences": {answer: `{"decision":false,"context":{"reasons":[{"code":"missing_field","field":"role","rule":7}]}}`,
			reasons: []pep.Reason{{Code: "missing_field", More: map[string]any{"field": "role"}}}},
		"denial with texts":                {answer: `{"decision":false,"context":{"reasons":["No.",7,{}]}}`, reasons: []pep.Reason{{Message: "No."}}},
		"denial with reason_user":          {answer: `{"decision":false,"context":{"reason_user":{"en":"No."}}}`, reasons: []pep.Reason{{Message: "No."}}},
		"denial with obligations":          {answer: `{"decision":false,"context":{"obligations":[` + email + `,` + warn + `]}}`, before: "N"},
		"no answer":                        {err: errors.New("refused"), verdict: pep.Unavailable},
		"allow with an error":              {answer: `{"decision":true,"context":{"error":{"status":500,"message":"jane"}}}`, verdict: pep.Unavailable},
		"denial with an error":             {answer: `{"decision":false,"context":{"error":"jane"}}`, verdict: pep.Unavailable},
		"obligations done":                 {answer: allow(logout, email), verdict: pep.Permitted, before: "S", after: "N"},
		"obligation without a handler":     {answer: allow(email, warn), before: "N", reasons: unsupported},
		"obligation that cannot be done":   {answer: allow(pigeon, logout), before: "S", reasons: unsupported},
		"unknown type":                     {answer: allow(`{"id":"T","type":"step-up","properties":{}}`), reasons: unsupported},
		"custom without an action":         {answer: allow(`{"id":"T","type":"custom","properties":{}}`), reasons: unsupported},
		"custom whose action is no text":   {answer: allow(`{"id":"T","type":"custom","properties":{"action":["confirm"]}}`), reasons: unsupported},
		"to be confirmed":                  {answer: allow(confirm, email), verdict: pep.ConfirmationRequired},
		"to be confirmed, and unhandled":   {answer: allow(confirm, warn), reasons: unsupported},
		"obligations that are not a list":  {answer: `{"decision":true,"context":{"obligations":{}}}`, verdict: pep.Unavailable},
		"obligation that is not an object": {answer: allow(`"N"`), verdict: pep.Unavailable},
		"obligation without a type":        {answer: allow(`{"id":"N","properties":{}}`), verdict: pep.Unavailable},
		"obligation without an id":         {answer: allow(`{"type":"notification"}`), verdict: pep.Unavailable},
		"obligation with odd properties":   {answer: allow(`{"id":"N","type":"notification","properties":[]}`), verdict: pep.Unavailable},
		"null obligations":                 {answer: `{"decision":true,"context":{"obligations":null}}`, verdict: pep.Permitted},
	} {
		t.Run(name, func(t *testing.T) {
			var done []string
			do := func(_ context.Context, o pep.Obligation) error { done = append(done, o.ID); return nil }
			decider := &answers{err: c.err}
			if c.answer != "" {
				decider.bodies = []string{c.answer}
			}
			e, err := pep.New(pep.Config{Decider: decider, Handlers: map[string]pep.Handler{
				"notification":        {Can: func(o pep.Obligation) bool { return o.Properties["channel"] == "email" }, After: do},
				"session_termination": {Before: do},
				pep.Confirm:           {},
			}})
			require.NoError(t, err)
			o := e.Enforce(t.Context(), question)
			assert.Equal(t, c.verdict, o.Verdict, o.Err)
			assert.Equal(t, c.before, strings.Join(done, " "))
			assert.Equal(t, c.reasons, o.Reasons)
			if o.Err != nil {
				assert.NotContains(t, o.Err.Error(), "jane", "errors are logged")
			}
			done = nil
			require.NoError(t, o.Done(t.Context()))
			assert.Equal(t, c.after, strings.Join(done, " "))
			assert.Equal(t, map[string]any{"current_location": "metro", "supported_obligations": []any{"custom", "notification", "session_termination"}}, decider.asked[0].Context)
			assert.NotContains(t, question.Context, "supported_obligations")
		})
	}
}

func allow(obligations ...string) string {
	return `{"decision":true,"context":{"obligations":[` + strings.Join(obligations, ",") + `]}}`
}

var unsupported = []pep.Reason{{Code: "obligation_unsupported", Message: "The application cannot do what this would require of it.", Rule: "ALL-13"}}

func TestFailedHandlerBeforeTheActionDenies(t *testing.T) {
	e, err := pep.New(pep.Config{Decider: &answers{bodies: []string{allow(logout, email)}}, Handlers: map[string]pep.Handler{
		"session_termination": {Before: func(context.Context, pep.Obligation) error { return errors.New("no session store") }},
		"notification":        {After: func(context.Context, pep.Obligation) error { panic("the action is not done") }},
	}})
	require.NoError(t, err)
	o := e.Enforce(t.Context(), question)
	assert.Equal(t, pep.Denied, o.Verdict)
	assert.EqualError(t, o.Err, `the obligation "S": no session store`)
	assert.NoError(t, o.Done(t.Context()))
}

func TestDoneTriesEveryObligation(t *testing.T) {
	tried := 0
	fail := pep.Handler{After: func(context.Context, pep.Obligation) error { tried++; return errors.New("no mail server") }}
	e, err := pep.New(pep.Config{Decider: &answers{bodies: []string{allow(logout, email)}},
		Handlers: map[string]pep.Handler{"session_termination": fail, "notification": fail}})
	require.NoError(t, err)
	o := e.Enforce(t.Context(), question)
	require.True(t, o.Permitted())
	require.Error(t, o.Done(t.Context()))
	assert.Equal(t, 2, tried)
}

func TestWithoutHandlersEveryObligationDenies(t *testing.T) {
	decider := &answers{bodies: []string{allow(email)}}
	e, err := pep.New(pep.Config{Decider: decider})
	require.NoError(t, err)
	assert.Equal(t, pep.Denied, e.Enforce(t.Context(), question).Verdict)
	assert.Equal(t, []any{}, decider.asked[0].Context["supported_obligations"])
}

func TestAskDoesNoObligation(t *testing.T) {
	do := func(context.Context, pep.Obligation) error { panic("done") }
	e, err := pep.New(pep.Config{Decider: &answers{bodies: []string{allow(email), `{"decision":false}`, allow(confirm)}},
		Handlers: map[string]pep.Handler{"notification": {Before: do, After: do}, pep.Confirm: {}}})
	require.NoError(t, err)
	var verdicts []pep.Verdict
	for _, o := range e.Ask(t.Context(), []authzen.Evaluation{question, question, question}) {
		verdicts = append(verdicts, o.Verdict)
	}
	assert.Equal(t, []pep.Verdict{pep.Permitted, pep.Denied, pep.ConfirmationRequired}, verdicts)
	for _, o := range e.Ask(t.Context(), []authzen.Evaluation{question}) {
		assert.Equal(t, pep.Unavailable, o.Verdict, "three answers to one question")
	}
	assert.Empty(t, e.Ask(t.Context(), nil))
}

func TestHandlersThatNoObligationCanHaveAreRefused(t *testing.T) {
	for _, kind := range []string{"", "custom", "custom/", "/confirm", "notification/email"} {
		_, err := pep.New(pep.Config{Decider: &answers{}, Handlers: map[string]pep.Handler{kind: {}}})
		assert.Error(t, err, kind)
	}
	_, err := pep.New(pep.Config{})
	assert.Error(t, err)
}

func TestRefusals(t *testing.T) {
	denied := pep.Outcome{Reasons: []pep.Reason{{Code: "no", Message: "<b>No.</b>\r\n", Rule: "X-1"}, {Message: "Not yours."}}, Advice: []pep.Reason{{Message: "Ask.", More: map[string]any{"locations": []any{"ghi", "<b>"}}}}}
	for name, c := range map[string]struct {
		refusal pep.Refusal
		status  int
		json    string
		header  http.Header
	}{
		"denied": {denied.Refusal(), 403, `{"title":"Forbidden","status":403,"code":"denied","detail":"<b>No.</b>\r\n","reasons":[{"code":"no","message":"<b>No.</b>\r\n","rule":"X-1"},{"message":"Not yours."}],"advice":[{"locations":["ghi","<b>"],"message":"Ask."}]}`, nil},
		"unavailable": {pep.Outcome{Verdict: pep.Unavailable}.Refusal(), 503, `{"title":"Service Unavailable","status":503,"code":"unavailable","detail":"Whether you may do this could not be found out. Try again."}`,
			http.Header{"Retry-After": {"1"}}},
		"unauthenticated": {pep.Unauthenticated(), 401, `{"title":"Unauthorized","status":401,"code":"unauthenticated","detail":"Sign in first."}`, http.Header{"Www-Authenticate": {"Bearer"}}},
		"bad request":     {pep.BadRequest("The path has a dot segment."), 400, `{"title":"Bad Request","status":400,"code":"bad_request","detail":"The path has a dot segment."}`, nil},
		"no route":        {pep.NoRoute(), 403, `{"title":"Forbidden","status":403,"code":"denied","detail":"Nobody may do this.","reasons":[{"code":"no_route","message":"No route allows this request."}]}`, nil},
		"to be confirmed": {pep.Outcome{Verdict: pep.ConfirmationRequired, Confirm: []pep.Obligation{{ID: "C", Type: "custom", Properties: map[string]any{"action": "confirm", "cause": "multiple_locations"}}}}.Refusal(), 403,
			`{"title":"Forbidden","status":403,"code":"confirmation_required","detail":"This has to be confirmed first.","confirm":[{"id":"C","type":"custom","properties":{"action":"confirm","cause":"multiple_locations"}}]}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			c.refusal.Write(w, "application/json, text/html;q=0")
			assert.Equal(t, c.status, w.Code)
			assert.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
			assert.Equal(t, c.json, w.Body.String())
			assert.True(t, json.Valid(w.Body.Bytes()))
			assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
			for field, values := range c.header {
				assert.Equal(t, values, w.Header()[field])
			}

			w = httptest.NewRecorder()
			c.refusal.Write(w, "text/html,application/xhtml+xml,*/*;q=0.8")
			assert.Equal(t, c.status, w.Code)
			assert.Equal(t, "text/html; charset=utf-8", w.Header().Get("Content-Type"))
			assert.NotContains(t, w.Body.String(), "\n", "a proxy carries it in a header field")
			assert.NotContains(t, w.Body.String(), "<b>")
		})
	}
	_, body := denied.Refusal().Body("text/html")
	assert.Contains(t, string(body), "&lt;b&gt;No.&lt;/b&gt;")
	assert.Contains(t, string(body), "<li>Not yours.</li><li>Ask.</li>")
	assert.Zero(t, pep.Outcome{Verdict: pep.Permitted}.Refusal())
}

// A handler that panics must not keep the other obligations from being performed.
func TestPanicOfAHandlerLosesNoOtherObligation(t *testing.T) {
	for _, decision := range []string{"true", "false"} {
		for phase, first := range map[string]func(func(context.Context, pep.Obligation) error) pep.Handler{
			"before": func(do func(context.Context, pep.Obligation) error) pep.Handler { return pep.Handler{Before: do} },
			"after":  func(do func(context.Context, pep.Obligation) error) pep.Handler { return pep.Handler{After: do} },
		} {
			var done []string
			e, err := pep.New(pep.Config{
				Decider: &answers{bodies: []string{`{"decision":` + decision + `,"context":{"obligations":[` + logout + "," + email + `]}}`}},
				Handlers: map[string]pep.Handler{
					"session_termination": first(func(context.Context, pep.Obligation) error { panic("jane") }),
					"notification":        first(func(_ context.Context, o pep.Obligation) error { done = append(done, o.ID); return nil }),
				}})
			require.NoError(t, err)
			o := e.Enforce(t.Context(), question)
			assert.Equal(t, decision == "true" && phase == "after", o.Permitted(), "what has to be done before the action was not done")
			failed := errors.Join(o.Err, o.Done(t.Context()))
			assert.Equal(t, []string{"N"}, done, phase)
			require.ErrorContains(t, failed, "panicked")
			assert.NotContains(t, failed.Error(), "jane")
		}
	}
}

// panicking is a decider with a mistake.
type panicking struct{}

func (panicking) Decide(context.Context, []authzen.Evaluation) ([]authzen.Response, error) {
	panic("jane")
}

func TestPanicOfTheDeciderIsNoAnswer(t *testing.T) {
	e, err := pep.New(pep.Config{Decider: panicking{}})
	require.NoError(t, err)
	o := e.Enforce(t.Context(), question)
	assert.Equal(t, pep.Unavailable, o.Verdict)
	require.ErrorContains(t, o.Err, "panicked")
	assert.NotContains(t, o.Err.Error(), "jane")
}

func TestHandlerThatPanicsWhenAskedCannotDoTheObligation(t *testing.T) {
	var done []string
	e, err := pep.New(pep.Config{
		Decider: &answers{bodies: []string{`{"decision":true,"context":{"obligations":[` + logout + "," + email + `]}}`}},
		Handlers: map[string]pep.Handler{
			"session_termination": {Can: func(pep.Obligation) bool { panic("jane") }},
			"notification":        {After: func(_ context.Context, o pep.Obligation) error { done = append(done, o.ID); return nil }},
		}})
	require.NoError(t, err)
	o := e.Enforce(t.Context(), question)
	assert.Equal(t, pep.Denied, o.Verdict)
	assert.Equal(t, []string{"N"}, done, "what can be done is done")
	assert.NotContains(t, o.Err.Error(), "jane")
}
