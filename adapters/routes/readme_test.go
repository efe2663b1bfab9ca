package routes

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReadmeShowsTheExample(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	example, err := os.ReadFile("example.yaml")
	require.NoError(t, err)
	_, shown, _ := strings.Cut(string(readme), "```yaml\n")
	shown, _, _ = strings.Cut(shown, "```\n")
	require.Equal(t, string(example), shown)
}
