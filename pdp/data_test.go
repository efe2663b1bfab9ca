package pdp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// sent returns an input as a server parses it.
func sent(tb testing.TB, text string) pdp.DataInput {
	tb.Helper()
	value, err := authzen.ParseValue([]byte(text))
	require.NoError(tb, err, text)
	return pdp.DataInput{Value: value, Sent: true}
}

// documents requests a path for some inputs, each given as JSON.
func documents(tb testing.TB, e *pdp.Engine, path []string, inputs ...string) []pdp.DataAnswer {
	tb.Helper()
	r := pdp.DataRequest{Path: path}
	for _, in := range inputs {
		r.Inputs = append(r.Inputs, sent(tb, in))
	}
	result, err := e.Data(context.Background(), r)
	require.NoError(tb, err)
	require.Len(tb, result.Answers, len(inputs))
	return result.Answers
}

// document returns the document at a path as JSON; "" if it is undefined.
func document(tb testing.TB, e *pdp.Engine, path []string, input string) string {
	tb.Helper()
	a := documents(tb, e, path, input)[0]
	require.NoError(tb, a.Err)
	if !a.Defined {
		require.Nil(tb, a.Value)
		return ""
	}
	return show(a.Value)
}

const seeing = `package app

default decision := {"allow": false}

decision := {"allow": true, "context": {"seen": input}} if input.resource

seen := object.get(input, "facts", "none")
`

// All other inputs and paths are evaluated as sent, and so is everything if there is no source.
func TestOnlyQuestionsAtTheEntrypointGetFacts(t *testing.T) {
	t.Parallel()
	w := generate(12)
	files := fstest.MapFS{"app.rego": {Data: []byte(seeing)}}
	policy := prepared(t, open(t, files, "app/decision"))
	sourced := pdp.New(pdp.Config{Timeout: time.Minute, Policy: policy, Source: fixed{w.directory(t)}})
	bare := pdp.New(pdp.Config{Timeout: time.Minute, Policy: policy})
	question := show(ask(admin(w), "user.view", "user", admin(w), "", "r0", nil))
	further := `{"more":1.50,` + question[1:]
	seen := func(e *pdp.Engine, input string) map[string]any {
		a := documents(t, e, []string{"app", "decision"}, input)[0]
		require.NoError(t, a.Err)
		require.True(t, a.Decision.Allow)
		require.Equal(t, a.Value.(map[string]any)["allow"], a.Decision.Allow)
		return a.Decision.Context["seen"].(map[string]any)
	}

	in := seen(sourced, further)
	require.Equal(t, admin(w), in["facts"].(map[string]any)["subject"].(map[string]any)["id"])
	delete(in, "facts")
	require.JSONEq(t, question, show(in), "what AuthZEN does not know is dropped, as at its own endpoint")
	require.JSONEq(t, further, show(seen(bare, further)))
	for _, notOne := range []string{
		`{"resource":{"type":"user","id":"x"}}`,
		`{"subject":{"type":"user","id":"x"},"action":{"name":""},"resource":{"type":"user","id":"x"}}`,
		`{"subject":{"type":"user","id":7},"action":{"name":"a"},"resource":{"type":"user","id":"x"}}`,
		`{"subject":"x","action":"a","resource":"r"}`,
		`{"subject":{"type":"user","id":"x","properties":[]},"action":{"name":"a"},"resource":{"type":"user","id":"x"}}`,
	} {
		require.JSONEq(t, notOne, show(seen(sourced, notOne)))
		require.Equal(t, "", documents(t, sourced, []string{"app", "decision"}, notOne)[0].Action)
	}
	require.Equal(t, `"none"`, document(t, sourced, []string{"app", "seen"}, question))
	require.Equal(t, `"none"`, document(t, bare, []string{"app", "seen"}, question))
	require.Equal(t, show(admin(w)), document(t, sourced, []string{"app", "decision", "context", "seen", "facts", "subject", "id"}, question), "a part of it, too")
	require.Equal(t, "user.view", documents(t, bare, []string{"app", "decision"}, question)[0].Action)
	require.Nil(t, documents(t, bare, []string{"app", "seen"}, question)[0].Decision)
}

func TestDataAgreesWithDecide(t *testing.T) {
	t.Parallel()
	w := generate(3)
	engine := over(t, w)
	generator := newQuestionGenerator(w, 3)
	allowed := 0
	for range 300 {
		r := generator.question()
		question, err := json.Marshal(r)
		require.NoError(t, err)
		if _, err := authzen.DecodeEvaluation(question); err != nil {
			continue // made invalid on purpose
		}
		a := documents(t, engine, []string{"authz", "decision"}, string(question))[0]
		require.NoError(t, a.Err)
		require.Equal(t, show(decide(t, engine, r)), show(*a.Decision))
		if a.Decision.Allow {
			allowed++
		}
	}
	require.Greater(t, allowed, 30)
}

func TestPartOfTheDecisionIsDecidedWithFacts(t *testing.T) {
	w := generate(12)
	engine := over(t, w)
	may := show(ask(admin(w), "user.view", "user", admin(w), "", "r0", nil))
	mayNot := show(ask("nobody", "user.view", "user", admin(w), "", "r0", nil))
	for _, c := range []struct {
		path     []string
		question string
		want     any
		defined  bool
	}{
		{[]string{"allow"}, may, true, true},
		{[]string{"allow"}, mayNot, false, true},
		{[]string{"reasons", "0", "code"}, mayNot, "unknown_subject", true},
		{[]string{"reasons", "1"}, mayNot, nil, false},
		{[]string{"reasons", "00"}, mayNot, nil, false},
		{[]string{"reasons", "code"}, mayNot, nil, false},
		{[]string{"reasons"}, may, nil, false},
		{[]string{"allow", "x"}, may, nil, false},
	} {
		a := documents(t, engine, append([]string{"authz", "decision"}, c.path...), c.question)[0]
		require.NoError(t, a.Err)
		require.Equal(t, c.defined, a.Defined, c.path)
		require.Equal(t, c.want, a.Value, c.path)
		require.NotNil(t, a.Decision)
	}
	malformed := general(t, `decision := {"allow": "yes"}`)
	require.Equal(t, pdp.Internal, pdp.KindOf(documents(t, malformed, []string{"app", "decision", "allow"}, may)[0].Err))
}

func TestDataRefusesMalformedDecisions(t *testing.T) {
	engine, log := generalLogged(t, `
decision := input.says if not input.fails

decision := {"allow": true} if input.fails

decision := {"allow": false} if input.fails
`, time.Minute)
	of := func(input string) pdp.DataAnswer {
		log.Reset()
		result, err := engine.Data(context.Background(), pdp.DataRequest{Decision: true, Inputs: []pdp.DataInput{sent(t, input)}})
		require.NoError(t, err)
		path := documents(t, engine, []string{"app", "decision"}, input)[0]
		require.Equal(t, show(path), show(result.Answers[0]), "by its path, too")
		return path
	}
	for _, good := range []string{`true`, `false`, `{"allow":true,"obligations":[{"id":"1","type":"custom"}]}`, `{"allow":false,"reasons":["no"]}`} {
		a := of(`{"says":` + good + `}`)
		require.NoError(t, a.Err)
		require.Equal(t, good, show(a.Value), "in the policy's own words")
		require.Equal(t, engine.Policy().Revision().ID, a.Decision.Revision)
		require.Empty(t, log.String())
	}
	for _, bad := range []string{`"true"`, `1`, `null`, `[true]`, `{}`, `{"allow":"true"}`, `{"allow":true,"obligations":[{"id":"1"}]}`, `{"allow":true,"alow":true}`} {
		a := of(`{"says":` + bad + `}`)
		require.Equal(t, pdp.Internal, pdp.KindOf(a.Err), bad)
		require.Nil(t, a.Value)
		require.False(t, a.Defined)
		require.Contains(t, log.String(), "policy fault")
	}
	a := of(`{}`)
	require.NoError(t, a.Err)
	require.False(t, a.Defined)
	require.Equal(t, &pdp.Decision{Fault: true, Revision: engine.Policy().Revision().ID}, a.Decision)
	require.Contains(t, log.String(), "policy fault")
	require.Equal(t, pdp.Internal, pdp.KindOf(of(`{"fails":true}`).Err))
}

// A policy that is activated during a batch does not affect it.
func TestBatchKeepsItsPolicy(t *testing.T) {
	made := func(says string) *pdp.Policy {
		return prepared(t, open(t, fstest.MapFS{"app.rego": {Data: []byte("package app\n\ndecision := " + says + "\n\nother := " + says + "\n")}}, "app/decision"))
	}
	policies := []*pdp.Policy{made("true"), made("false")}
	source := &activating{fixed: fixed{generate(12).directory(t)}, policies: policies}
	source.engine = pdp.New(pdp.Config{Timeout: time.Minute, Policy: policies[0], Source: source})
	for i := range 6 {
		r := pdp.DataRequest{Path: []string{"app", []string{"decision", "other"}[i%2]}, Inputs: make([]pdp.DataInput, 50)}
		result, err := source.engine.Data(context.Background(), r)
		require.NoError(t, err)
		says, revision := i%2 == 1, policies[(i+1)%2].Revision().ID // the policy activated along with the view
		require.Equal(t, revision, result.Provenance.Revision)
		for _, a := range result.Answers {
			require.Equal(t, says, a.Value)
			require.True(t, a.Decision == nil || a.Decision.Revision == revision)
		}
	}
}

// activating is a source that activates the other policy with each view.
type activating struct {
	fixed
	engine   *pdp.Engine
	policies []*pdp.Policy
}

func (a *activating) View(context.Context, facts.Requirement) (facts.View, error) {
	other := a.policies[0]
	if a.engine.Policy() == other {
		other = a.policies[1]
	}
	a.engine.Activate(other)
	return a.fixed.view, nil
}

func TestDataErrorKinds(t *testing.T) {
	one := pdp.DataRequest{Decision: true, Inputs: []pdp.DataInput{{}}}
	none := pdp.New(pdp.Config{})
	_, err := none.Data(context.Background(), one)
	require.Equal(t, pdp.Unavailable, pdp.KindOf(err))
	require.False(t, none.Decides([]string{"authz", "decision"}))

	stale := pdp.New(pdp.Config{Timeout: time.Minute, Policy: builtInPolicy(), Stale: func() bool { return true }})
	_, err = stale.Data(context.Background(), one)
	require.Equal(t, pdp.Unavailable, pdp.KindOf(err))
	require.True(t, stale.Decides([]string{"authz", "decision"}))
	require.False(t, stale.Decides([]string{"authz"}))

	w := generate(12)
	for kind, fail := range map[pdp.Kind]func(context.Context) error{
		pdp.Unavailable: func(context.Context) error { return errors.New("secret") },
		pdp.Internal:    func(context.Context) error { panic("secret") },
	} {
		view := &failing{View: w.directory(t), fail: fail}
		question := show(ask(admin(w), "user.view", "user", admin(w), "", "r0", nil))
		a := documents(t, patientEngine(t, fixed{view}), []string{"authz", "decision"}, question)[0]
		require.Equal(t, kind, pdp.KindOf(a.Err))
		require.False(t, a.Defined)
		require.Equal(t, "user.view", a.Action)
	}

	endless, _ := generalLogged(t, `
		endless if {
			some i in numbers.range(1, 100000)
			some j in numbers.range(1, 100000)
			i + j < 0
		}

		decision if endless`, 30*time.Millisecond)
	for _, path := range [][]string{{"app", "endless"}, {"app", "decision"}, {"app"}, nil} {
		require.Equal(t, pdp.Timeout, pdp.KindOf(documents(t, endless, path, `{}`)[0].Err), path)
	}
}

// Each document is compiled once, their number is limited, and a path without a rule is not kept.
func TestCompiledDocumentsAreBounded(t *testing.T) {
	t.Parallel()
	engine := general(t, "decision := true\n\necho := input")
	for i := range 1000 {
		name := fmt.Sprint("n", i)
		require.Empty(t, document(t, engine, []string{"no", "such", name}, `{}`))
		require.Empty(t, document(t, engine, []string{name}, `{}`))
	}
	require.Zero(t, pdp.Documents(engine))
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for i := range 600 {
				name := fmt.Sprint("n", i)
				result, err := engine.Data(context.Background(), pdp.DataRequest{Path: []string{"app", "echo", name},
					Inputs: []pdp.DataInput{{Value: map[string]any{name: name}, Sent: true}}})
				if err != nil || result.Answers[0].Value != name {
					t.Errorf("%s: %v %v", name, result, err)
				}
			}
		})
	}
	group.Wait()
	require.Equal(t, 256, pdp.Documents(engine))
}

func TestPolicyFaultIsLoggedWithoutTheQuestion(t *testing.T) {
	log := &bytes.Buffer{}
	files := fstest.MapFS{"app.rego": {Data: []byte("package app\n\ndecision if input.action.name == \"nothing\"\n")}}
	engine := pdp.New(pdp.Config{Timeout: time.Minute, Policy: prepared(t, open(t, files, "app/decision")), Logger: slog.New(slog.NewTextHandler(log, nil))})
	documents(t, engine, []string{"app", "decision"}, show(ask("mallory", "other", "doc", "1", "", "", nil)))
	require.Contains(t, log.String(), engine.Policy().Revision().ID)
	require.Contains(t, log.String(), "action=other")
	require.NotContains(t, log.String(), "mallory")
}
