package hostile_test

import (
	"log/slog"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/adapters/check"
	"github.com/wardkeeper/wardkeeper/adapters/hostile"
	"github.com/wardkeeper/wardkeeper/adapters/nethttp"
	"github.com/wardkeeper/wardkeeper/adapters/routes"
)

func newTrial(t *testing.T) *hostile.Trial {
	t.Helper()
	table, err := routes.Parse(hostile.RouteFile)
	require.NoError(t, err)
	trial, err := hostile.NewTrial(table, hostile.DefaultSite())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, trial.Close()) })
	return trial
}

func TestGoMiddlewareLetsThroughOnlyWhatWasJudged(t *testing.T) {
	trial := newTrial(t)
	handler, err := trial.Judge.Handler(func(c *check.Checker) func(http.Handler) http.Handler {
		return nethttp.Middleware(nethttp.Config{Checker: c, Logger: slog.New(slog.DiscardHandler)})
	})
	require.NoError(t, err)
	cases := hostile.Cases(trial.Site)
	o, err := trial.Run(t.Context(), hostile.DialTCP(serve(t, handler)), cases, hostile.Allow, false)
	require.NoError(t, err)
	report(t, o)
}

func report(t *testing.T, o hostile.Outcome) {
	t.Helper()
	byClass := map[string]int{}
	for _, v := range o.Violations {
		if byClass[v.Class]++; byClass[v.Class] <= 4 {
			t.Error(v)
		}
	}
	t.Logf("%d cases: %d refused at once, %d requests arrived, %d violations %v", len(o.Answers), o.Refused(), o.Arrived, len(o.Violations), byClass)
}
