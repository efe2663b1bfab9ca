package pdp_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// failing is a view that fails at one call: the one with index left.
type failing struct {
	facts.View
	left int
	fail func(ctx context.Context) error
}

func (f *failing) call(ctx context.Context) error {
	if f.left--; f.left == -1 {
		return f.fail(ctx)
	}
	return nil
}

func (f *failing) Location(ctx context.Context, id string) (*facts.Location, error) {
	if err := f.call(ctx); err != nil {
		return nil, err
	}
	return f.View.Location(ctx, id)
}

func (f *failing) User(ctx context.Context, id string) (*facts.User, error) {
	if err := f.call(ctx); err != nil {
		return nil, err
	}
	return f.View.User(ctx, id)
}

func (f *failing) UserByUsername(ctx context.Context, username string) (*facts.User, error) {
	if err := f.call(ctx); err != nil {
		return nil, err
	}
	return f.View.UserByUsername(ctx, username)
}

func (f *failing) Users(ctx context.Context, q facts.UserQuery) (facts.Users, error) {
	if err := f.call(ctx); err != nil {
		return facts.Users{}, err
	}
	return f.View.Users(ctx, q)
}

func (f *failing) Locations(ctx context.Context, q facts.LocationQuery) ([]*facts.Location, error) {
	if err := f.call(ctx); err != nil {
		return nil, err
	}
	return f.View.Locations(ctx, q)
}

// failingSource counts View as the first call.
type failingSource struct{ *failing }

func (f failingSource) View(ctx context.Context, need facts.Requirement) (facts.View, error) {
	if err := f.call(ctx); err != nil {
		return nil, err
	}
	return f.failing, nil
}

// Any call to the source may fail. The result must be an error of the right kind, and never an allow, a denial or a hit.
func TestUnavailableFactsFailClosed(t *testing.T) {
	t.Parallel()
	w := generate(12)
	admin, directory := admin(w), w.directory(t)
	var goAway context.CancelFunc // cancels the request
	for name, failure := range map[string]struct {
		fail func(context.Context) error
		kind pdp.Kind
	}{
		"any error":         {func(context.Context) error { return errors.New("secret cause") }, pdp.Unavailable},
		"a context's error": {func(context.Context) error { return context.DeadlineExceeded }, pdp.Unavailable},
		"unavailable":       {func(context.Context) error { return &pdp.Error{Kind: pdp.Unavailable, Message: "gone"} }, pdp.Unavailable},
		"an error wrapped": {func(context.Context) error {
			return fmt.Errorf("source: %w", &pdp.Error{Kind: pdp.Invalid, Message: "odd"})
		}, ""},
		"a panic": {func(context.Context) error { panic("secret cause") }, pdp.Internal},
		"no end":  {func(ctx context.Context) error { goAway(); <-ctx.Done(); return ctx.Err() }, pdp.Timeout},
	} {
		for what, asked := range requests(admin, w) {
			view := &failing{View: directory, fail: failure.fail}
			engine := patientEngine(t, failingSource{view})
			calls, skips := 0, 8
			if fewerQuestions() {
				skips = 1
			}
			for call := 0; call < 1000; call += 1 + call/skips {
				view.left = call
				var ctx context.Context
				ctx, goAway = context.WithCancel(context.Background())
				where := fmt.Sprintf("%s at call %d of %s", name, call, what)
				var allowed bool
				var err error
				require.NotPanics(t, func() { allowed, err = asked(ctx, engine) }, where)
				goAway()
				if view.left >= 0 {
					require.NoError(t, err)
					calls = call
					break // there is no such call
				}
				require.Error(t, err, where)
				require.False(t, allowed, where)
				var kind *pdp.Error
				require.ErrorAs(t, err, &kind, where)
				if failure.kind != "" {
					require.Equal(t, failure.kind, pdp.KindOf(err), where)
				}
				require.NotContains(t, kind.Message, "secret", where)
			}
			require.Positive(t, calls, "%s makes no calls", what)
		}
	}
}

// requests returns questions and searches that are allowed or have hits if facts are available.
func requests(admin string, w *world) map[string]func(context.Context, *pdp.Engine) (bool, error) {
	question := ask(admin, "user.view", "user", admin, "r0", "r0", nil)
	named := ask(admin, "user.invite", "user", "nobody@example.org", "r0", "r0", map[string]any{
		"username": "name01@example.org", "new_location": "r0", "locations": []any{"r0", "g0"}, "system": "s0"})
	anywhere := ask("", "user.view", "user", admin, "", "", nil)
	anywhere.Context = nil
	found := func(result pdp.SearchResult, err error) (bool, error) {
		return len(result.Hits) > 0 || result.Page != nil, err
	}
	return map[string]func(context.Context, *pdp.Engine) (bool, error){
		"a question": func(ctx context.Context, e *pdp.Engine) (bool, error) {
			d, err := e.Decide(ctx, question)
			return d.Allow || len(d.Reasons) > 0, err
		},
		"a question that names much": func(ctx context.Context, e *pdp.Engine) (bool, error) {
			d, err := e.Decide(ctx, named)
			return d.Allow || len(d.Reasons) > 0, err
		},
		"a batch": func(ctx context.Context, e *pdp.Engine) (bool, error) {
			outcomes, err := e.DecideAll(ctx, []pdp.Item{{Request: question}}, authzen.ExecuteAll)
			if err != nil {
				return len(outcomes) > 0, err
			}
			return outcomes[0].Decision.Allow, outcomes[0].Err
		},
		"a search for users": func(ctx context.Context, e *pdp.Engine) (bool, error) {
			return found(e.SearchResources(ctx, searchOf(question, whole)))
		},
		"a search for locations": func(ctx context.Context, e *pdp.Engine) (bool, error) {
			return found(e.SearchResources(ctx, searchOf(ask(admin, "user.list", "location", "", "", "r0", nil), whole)))
		},
		"a search for locations to switch to": func(ctx context.Context, e *pdp.Engine) (bool, error) {
			return found(e.SearchResources(ctx, searchOf(ask(admin, "location.switch", "location", "", "", "", nil), whole)))
		},
		"a search for subjects": func(ctx context.Context, e *pdp.Engine) (bool, error) {
			return found(e.SearchSubjects(ctx, searchOf(question, &authzen.Page{Limit: new(1)})))
		},
		"an access review": func(ctx context.Context, e *pdp.Engine) (bool, error) {
			return found(e.SearchSubjects(ctx, searchOf(anywhere, &authzen.Page{Limit: new(1)})))
		},
		"a search for actions": func(ctx context.Context, e *pdp.Engine) (bool, error) {
			return found(e.SearchActions(ctx, searchOf(question, &authzen.Page{Limit: new(1)})))
		},
	}
}

// patientEngine returns an engine that logs nothing and has a long timeout.
func patientEngine(tb testing.TB, source facts.Source) *pdp.Engine {
	tb.Helper()
	return pdp.New(pdp.Config{Policy: builtInPolicy(), Source: source, Timeout: time.Minute, Logger: slog.New(slog.DiscardHandler)})
}

func TestCanceledCallerGetsTimeout(t *testing.T) {
	w := generate(12)
	engine := over(t, w)
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	for what, asked := range requests(admin(w), w) {
		allowed, err := asked(gone, engine)
		require.Error(t, err, what)
		require.Equal(t, pdp.Timeout, pdp.KindOf(err), what)
		require.False(t, allowed, what)
	}
}

// The engine has its own timeout, which does not depend on the caller's.
func TestSlowSourceTimesOut(t *testing.T) {
	w := generate(12)
	view := &failing{View: w.directory(t), fail: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
	engine := pdp.New(pdp.Config{Policy: builtInPolicy(), Source: fixed{view}, Timeout: 10 * time.Millisecond})
	d, err := engine.Decide(context.Background(), ask(admin(w), "user.view", "user", admin(w), "", "r0", nil))
	require.Equal(t, pdp.Timeout, pdp.KindOf(err))
	require.Empty(t, d)
}

func TestEndlessPolicyTimesOut(t *testing.T) {
	engine, _ := generalLogged(t, `
		decision if {
			some i in numbers.range(1, 100000)
			some j in numbers.range(1, 100000)
			some k in numbers.range(1, 100000)
			i + j + k < 0
		}

		decision if input.action.name == "go"`, 30*time.Millisecond)
	d, err := engine.Decide(context.Background(), ask("a", "stop", "doc", "1", "", "", nil))
	require.Error(t, err)
	require.Equal(t, pdp.Timeout, pdp.KindOf(err))
	require.Empty(t, d)
}

func TestConflictingRulesAreAnError(t *testing.T) {
	engine, _ := generalLogged(t, strings.TrimSpace(`
decision := true if input.action.name == "x"

decision := false if input.resource.id == "1"
`), time.Minute)
	d, err := engine.Decide(context.Background(), ask("a", "x", "doc", "1", "", "", nil))
	require.Error(t, err)
	require.Equal(t, pdp.Internal, pdp.KindOf(err))
	require.Empty(t, d)
	require.True(t, decide(t, engine, ask("a", "x", "doc", "2", "", "", nil)).Allow)
}
