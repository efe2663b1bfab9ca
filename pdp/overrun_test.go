package pdp_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// unstoppable is a policy with one step that does not check for cancellation. Its time grows with the square of the number: that of
// eight million takes about a second.
func unstoppable(t *testing.T, number int) *pdp.Policy {
	return general(t, fmt.Sprintf("decision if {\n\tinput.action.name == \"slow\"\n\tbits.lsh(1, %d) > 0\n}", number)).Policy()
}

func TestOverrunIsReportedWhileItGoesOn(t *testing.T) {
	if testing.Short() {
		t.Skip("evaluates for a second")
	}
	for number := 8_000_000; ; number *= 2 { // until the step is longer than the timeout and the grace, on any machine
		engine := pdp.New(pdp.Config{Policy: unstoppable(t, number), Timeout: 50 * time.Millisecond})
		var returned, reported atomic.Bool
		ctx := pdp.WithOverrun(t.Context(), func() { reported.Store(!returned.Load()) })
		_, err := engine.Decide(ctx, ask("a", "slow", "doc", "1", "", "", nil))
		returned.Store(true)
		require.Equal(t, pdp.Timeout, pdp.KindOf(err))
		if reported.Load() {
			return
		}
		require.Less(t, number, 200_000_000, "no overrun is reported while it goes on")
	}
}

func TestStoppedEvaluationIsNotAnOverrun(t *testing.T) {
	engine := pdp.New(pdp.Config{Policy: general(t, endless).Policy(), Timeout: 50 * time.Millisecond})
	for stopped := false; !stopped; { // on a busy machine, an evaluation may stop too late
		var told atomic.Bool
		ctx := pdp.WithOverrun(t.Context(), func() { told.Store(true) })
		began := time.Now()
		_, err := engine.Decide(ctx, ask("a", "slow", "doc", "1", "", "", nil))
		require.Equal(t, pdp.Timeout, pdp.KindOf(err))
		stopped = time.Since(began) < 250*time.Millisecond
		time.Sleep(400 * time.Millisecond)
		require.False(t, stopped && told.Load(), "an evaluation that stopped in time is reported")
	}
}

// endless is a rule with very many short steps.
const endless = `decision if {
	input.action.name == "slow"
	some a in numbers.range(1, 1000)
	some b in numbers.range(1, 1000)
	some c in numbers.range(1, 1000)
	a + b + c < 0
}`

// canceling is a view that cancels a context when a user is looked up.
type canceling struct {
	facts.View
	cancel context.CancelFunc
	asked  *atomic.Int64
}

func (c canceling) User(ctx context.Context, id string) (*facts.User, error) {
	c.asked.Add(1)
	c.cancel()
	return c.View.User(ctx, id)
}

// After cancellation nothing more is looked up or evaluated.
func TestCanceledWorkStopsAtItsNextStep(t *testing.T) {
	read := ask("regina", "user.view", "user", "ed", "", "metro", nil)
	many := make([]pdp.Item, 1000)
	for i := range many {
		many[i].Request = read
	}
	inputs := make([]pdp.DataInput, 1000)
	for i := range inputs {
		inputs[i] = pdp.DataInput{Value: map[string]any{
			"subject": map[string]any{"type": "user", "id": "regina"}, "action": map[string]any{"name": "user.view"},
			"resource": map[string]any{"type": "user", "id": "ed"}, "context": map[string]any{"current_location": "metro"},
		}, Sent: true}
	}
	for name, work := range map[string]func(context.Context, *pdp.Engine) error{
		"decision": func(ctx context.Context, e *pdp.Engine) error {
			_, err := e.Decide(ctx, read)
			return err
		},
		"batch": func(ctx context.Context, e *pdp.Engine) error {
			outcomes, err := e.DecideAll(ctx, many, authzen.ExecuteAll)
			require.NoError(t, err)
			return outcomes[len(outcomes)-1].Err
		},
		"documents": func(ctx context.Context, e *pdp.Engine) error {
			result, err := e.Data(ctx, pdp.DataRequest{Decision: true, Inputs: inputs})
			require.NoError(t, err)
			return result.Answers[len(inputs)-1].Err
		},
		"resources": func(ctx context.Context, e *pdp.Engine) error {
			_, err := e.SearchResources(ctx, searchOf(read, nil))
			return err
		},
		"subjects": func(ctx context.Context, e *pdp.Engine) error {
			_, err := e.SearchSubjects(ctx, searchOf(read, nil))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			view := canceling{sample(t, "bench.yaml"), cancel, new(atomic.Int64)}
			err := work(ctx, withSource(t, fixed{view}))
			require.Equal(t, pdp.Timeout, pdp.KindOf(err), "%v", err)
			require.LessOrEqual(t, view.asked.Load(), int64(2))
		})
	}
}

// Not even a quick evaluation is started.
func TestExpiredContextEvaluatesNothing(t *testing.T) {
	engine := general(t, `decision if input.action.name == "read"`)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	tracer := topdown.NewBufferTracer()
	value, err := engine.Query().Eval(ctx, nil, tracer)
	require.Error(t, err)
	require.Nil(t, value)
	require.Empty(t, *tracer)
}

// A probe that cannot be stopped does not block callers.
func TestConcurrentChecksShareOneProbe(t *testing.T) {
	stuck := general(t, `decision := bits.lsh(1, 16000000) > 0`).Policy()
	engine := pdp.New(pdp.Config{Policy: stuck, Timeout: 20 * time.Millisecond})
	for range 5 {
		require.Equal(t, pdp.Timeout, pdp.KindOf(engine.CheckPolicy(t.Context())))
	}
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	require.Equal(t, 1, strings.Count(string(stacks), "pdp.(*health).probe("))
	engine.Activate(general(t, "default decision := false").Policy())
	// On a busy machine, even a quick probe can take longer than the timeout.
	require.Eventually(t, func() bool { return engine.CheckPolicy(t.Context()) == nil }, time.Minute, 10*time.Millisecond,
		"another policy is probed by itself")
}
