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
