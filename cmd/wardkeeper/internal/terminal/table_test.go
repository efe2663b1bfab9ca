package terminal

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTableWrapsAndAlignsValues(t *testing.T) {
	text := Table([]string{"", "one", "zwölf"}, [][]string{
		{"é", Value(nil), Value([]any{"a", []any{"b", nil}, map[string]any{"c": true}})},
		{"long", Value(map[string]any{"y": 1.5, "x": []any{}}), Value(strings.Repeat("word ", 15) + strings.Repeat("x", 70))},
	})
	require.Equal(t, strings.Join([]string{
		"        one            zwölf",
		"        ---            -----",
		"  é                    a, [b, null], {c: true}",
		"  long  x: [], y: 1.5  " + strings.TrimSpace(strings.Repeat("word ", 12)),
	}, "\n"), strings.Join(strings.Split(text, "\n")[:4], "\n"))
	for line := range strings.Lines(text) {
		require.Less(t, len(line), 100)
	}
	require.Equal(t, 15, strings.Count(text, "word"))
	require.Equal(t, 70, strings.Count(text, "x")-1)
}
