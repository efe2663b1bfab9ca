package hostile_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/adapters/hostile"
)

func TestCasesAreMany(t *testing.T) {
	classes, raws := map[string]int{}, map[string]bool{}
	for _, c := range hostile.Cases(hostile.DefaultSite()) {
		classes[c.Class]++
		require.False(t, raws[string(c.Raw)], "%q", c.Raw)
		raws[string(c.Raw)] = true
	}
	require.Greater(t, len(raws), 1000)
	require.Greater(t, len(classes), 30)
	t.Log(len(raws), classes)
}

func TestCasesOfHTTP2AreMany(t *testing.T) {
	classes := map[string]int{}
	for _, c := range hostile.CasesOfHTTP2(hostile.DefaultSite()) {
		classes[c.Class]++
		require.Regexp(t, "^wkcase[0-9]+$", c.ID)
	}
	require.Greater(t, len(classes), 30)
	t.Log(classes)
}
