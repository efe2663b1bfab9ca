package pdp_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// recorder keeps the records of each call, or fails.
type recorder struct {
	mu    sync.Mutex
	calls [][]pdp.Record
	err   error
	panic bool
	wait  bool // until the context ends
}

func (r *recorder) Record(ctx context.Context, records []pdp.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, slices.Clone(records))
	if r.panic {
		panic("recorder")
	}
	if r.wait {
		<-ctx.Done()
		return ctx.Err()
	}
	return r.err
}

func recording(t *testing.T, r pdp.Recorder) *pdp.Engine {
	t.Helper()
	policy := builtIn(t, "bench.yaml").Policy()
	return pdp.New(pdp.Config{Policy: policy, Source: fixed{sample(t, "bench.yaml")}, Recorder: r, Timeout: 20 * time.Second})
}

// entrances are the calls of the engine that answer.
func entrances() map[string]func(*pdp.Engine, context.Context) (records int, err error) {
	allowed, denied := askedOfEach()[0].request, askedOfEach()[2].request
	question := map[string]any{
		"subject": map[string]any{"type": "user", "id": "regina"}, "action": map[string]any{"name": "user.edit"},
		"resource": map[string]any{"type": "user", "id": "ed"}, "context": map[string]any{"current_location": "metro"},
	}
	search := pdp.SearchRequest{Subject: allowed.Subject, Action: allowed.Action, Resource: allowed.Resource, Context: allowed.Context}
	return map[string]func(*pdp.Engine, context.Context) (int, error){
		"question": func(e *pdp.Engine, ctx context.Context) (int, error) {
			_, err := e.Decide(ctx, allowed)
			return 1, err
		},
		"batch": func(e *pdp.Engine, ctx context.Context) (int, error) {
			items := []pdp.Item{{Request: allowed}, {Request: denied}, {Err: &pdp.Error{Kind: pdp.Invalid}}}
			_, err := e.DecideAll(ctx, items, authzen.ExecuteAll)
			return 3, err
		},
		"batch that ends early": func(e *pdp.Engine, ctx context.Context) (int, error) {
			_, err := e.DecideAll(ctx, []pdp.Item{{Request: denied}, {Request: allowed}}, authzen.DenyOnFirstDeny)
			return 1, err
		},
		"subjects": func(e *pdp.Engine, ctx context.Context) (int, error) {
			_, err := e.SearchSubjects(ctx, search)
			return 1, err
		},
		"resources": func(e *pdp.Engine, ctx context.Context) (int, error) {
			_, err := e.SearchResources(ctx, search)
			return 1, err
		},
		"actions": func(e *pdp.Engine, ctx context.Context) (int, error) {
			_, err := e.SearchActions(ctx, search)
			return 1, err
		},
		"decision of OPA's API": func(e *pdp.Engine, ctx context.Context) (int, error) {
			_, err := e.Data(ctx, pdp.DataRequest{Path: []string{"authz", "decision", "allow"}, Inputs: []pdp.DataInput{{Value: question, Sent: true}, {Value: "x", Sent: true}}})
			return 2, err
		},
		"document of OPA's API": func(e *pdp.Engine, ctx context.Context) (int, error) {
			_, err := e.Data(ctx, pdp.DataRequest{Path: []string{"authz", "allow"}, Inputs: []pdp.DataInput{{Value: question, Sent: true}}})
			return 1, err
		},
	}
}

func TestEveryAnswerIsRecordedOnce(t *testing.T) {
	t.Parallel()
	for name, ask := range entrances() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var r recorder
			caller := pdp.Caller{Door: "test", Name: "somebody", RequestID: "r1"}
			n, err := ask(recording(t, &r), pdp.WithCaller(t.Context(), caller))
			require.NoError(t, err)
			require.Len(t, r.calls, 1, "the records of a batch are kept together")
			require.Len(t, r.calls[0], n)
			for _, record := range r.calls[0] {
				require.Equal(t, caller, record.Caller)
				require.NotZero(t, record.Time)
				require.Positive(t, record.Duration)
				require.NotNil(t, record.Policy)
			}
		})
	}
}

func TestRecordsHaveWhatWasDecided(t *testing.T) {
	t.Parallel()
	var r recorder
	engine := recording(t, &r)
	for i, question := range askedOfEach() {
		d, err := engine.Decide(t.Context(), question.request)
		require.NoError(t, err)
		record := r.calls[i][0]
		require.Equal(t, question.request, record.Question)
		require.Equal(t, d, record.Decision)
		require.NoError(t, record.Err)
		require.NotNil(t, record.Facts.Subject, question.name)
		require.NotNil(t, record.View)
	}
	n := len(r.calls)
	_, err := pdp.New(pdp.Config{Recorder: &r}).Decide(t.Context(), askedOfEach()[0].request)
	require.Equal(t, pdp.Unavailable, pdp.KindOf(err))
	require.Equal(t, err, r.calls[n][0].Err, "that there was no answer is recorded too")

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = engine.Decide(ended, askedOfEach()[0].request)
	require.Equal(t, pdp.Timeout, pdp.KindOf(err))
	require.Equal(t, err, r.calls[n+1][0].Err)

	result, err := engine.SearchResources(t.Context(), pdp.SearchRequest{Subject: askedOfEach()[0].request.Subject,
		Action: askedOfEach()[0].request.Action, Resource: authzen.Entity{Type: "user"}, Context: askedOfEach()[0].request.Context})
	require.NoError(t, err)
	require.NotEmpty(t, result.Hits)
	record := r.calls[n+2][0]
	require.Equal(t, "resource", record.Search)
	require.Equal(t, result, record.Result)
	require.Nil(t, record.Facts, "nothing of the candidates is in the record")
}

// What cannot be recorded is not answered, through no entrance.
func TestAnswersAreWithheldIfTheyCannotBeRecorded(t *testing.T) {
	t.Parallel()
	for name, ask := range entrances() {
		for how, r := range map[string]*recorder{"fails": {err: errors.New("disk full")}, "panics": {panic: true}} {
			t.Run(name+"/"+how, func(t *testing.T) {
				t.Parallel()
				_, err := ask(recording(t, r), t.Context())
				require.Error(t, err)
				want := pdp.Unavailable
				if r.panic {
					want = pdp.Internal
				}
				require.Equal(t, want, pdp.KindOf(err))
				require.Len(t, r.calls, 1)
			})
		}
	}
	engine := pdp.New(pdp.Config{Policy: builtIn(t, "bench.yaml").Policy(), Source: fixed{sample(t, "bench.yaml")},
		Recorder: &recorder{wait: true}, Timeout: 50 * time.Millisecond})
	d, err := engine.Decide(t.Context(), askedOfEach()[0].request)
	require.Equal(t, pdp.Unavailable, pdp.KindOf(err), "a recorder that blocks is waited for as long as a policy")
	require.Equal(t, pdp.Decision{}, d)
}
