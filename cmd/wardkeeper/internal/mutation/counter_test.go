package mutation

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles/mutant"
)

// Whatever is tried first: survivors are told in the order of the file, each once those before it are known.
func TestSurvivorsAreToldInOrder(t *testing.T) {
	t.Parallel()
	var told []int
	var left int
	c := newCounter(Config{
		Justified: []Justification{{File: "a.rego", At: "x", Change: "negated", Reason: "why"}},
		Survived:  func(s Survivor) { told = append(told, s.Line) },
		Progress:  func(_, _, unjustified int) { left = unjustified },
	}, []mutant.Mutant{{Name: "a.rego", Line: 1}, {Name: "a.rego", Line: 2}, {Name: "a.rego", Line: 3, At: "x", Change: "negated"}, {Name: "a.rego", Line: 4}})
	c.add(3, survived)
	c.add(2, survived)
	require.Empty(t, told)
	require.Equal(t, 1, left, "one is justified")
	c.add(0, survived)
	require.Equal(t, []int{1}, told)
	c.add(1, tested)
	require.Equal(t, []int{1, 3, 4}, told)
	require.Equal(t, 1, c.result.KilledTests)
	require.Len(t, c.result.Unjustified(), 2)
}
