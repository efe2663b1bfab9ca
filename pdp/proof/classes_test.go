package proof_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/proof"
)

func TestClassesAreListed(t *testing.T) {
	t.Parallel()
	p := policyOf(t, "must := []", `must := [{"type": "custom", "id": "R-2/busy", "properties": {"action": "confirm", "cause": "busy"}}]`)
	report, err := proof.Verify(t.Context(), proof.Verification{Policy: p, Classes: true})
	require.NoError(t, err)
	require.Len(t, report.Answers, report.Classes)
	var allowed []proof.Class
	for _, c := range report.Answers {
		require.NotEmpty(t, c.Sentences)
		require.NotNil(t, c.Example)
		require.Equal(t, c.Allow, strings.Contains(c.Example.Answer, `"decision":true`), c.Example)
		if c.Allow {
			allowed = append(allowed, c)
		}
	}
	require.Len(t, allowed, 1)
	require.Equal(t, "regional", allowed[0].World)
	require.Equal(t, "allowed: must custom (R-2/busy)", allowed[0].Outcome)
	first := slices.IndexFunc(report.Answers, func(c proof.Class) bool { return c.Action == "user.view" })
	require.Equal(t, allowed[0], report.Answers[first], "what is allowed comes first")
	for _, s := range allowed[0].Sentences {
		require.Contains(t, s.Words, "holding chief at the region")
	}

	// The less space there is, the less is said of a class. None is left out.
	fewWords := false
	for limit := 1 << 14; ; limit /= 2 {
		small, err := proof.Verify(t.Context(), proof.Verification{Policy: p, Classes: true, MaxNodes: limit})
		require.NoError(t, err)
		if len(small.Findings[0].Why) > 0 { // a world was not explored
			break
		}
		require.GreaterOrEqual(t, len(small.Answers), len(report.Answers))
		for _, c := range small.Answers {
			fewWords = fewWords || strings.Contains(c.Sentences[0].Words, "too many to be put into words")
		}
		require.InDelta(t, casesOf(report), casesOf(small), 1e-6*casesOf(report))
	}
	require.True(t, fewWords)
}

func casesOf(r *proof.Report) (sum float64) {
	for _, c := range r.Answers {
		sum += c.Cases
	}
	return sum
}
