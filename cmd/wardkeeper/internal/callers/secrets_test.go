package callers

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRead(t *testing.T) {
	const one, two = "0123456789abcdef", "0123456789ABCDEF"
	for text, want := range map[string][]string{
		"  " + one + "\r\n":                 {one},
		one + "\n" + two:                    {one, two},
		"\n" + one + "\r\n " + two + "\n\n": {one, two},
	} {
		tokens, err := Read(writeFile(t, text))
		require.NoError(t, err)
		require.Equal(t, want, tokens)
	}
	var most []string
	for i := range maxTokens {
		most = append(most, fmt.Sprintf("%s-%d", one, i))
	}
	tokens, err := Read(writeFile(t, strings.Join(most, "\n")))
	require.NoError(t, err)
	require.Equal(t, most, tokens)

	for text, want := range map[string]string{
		"":                                    "is empty",
		" \n\n":                               "is empty",
		"0123456789abcde\n":                   "too short",
		one + "\n0123456789abcde":             "line 2 is too short",
		one + "\n" + one + "\n":               "line 2 repeats an earlier token",
		one + "\n\n" + two:                    "line 2 is empty",
		one + "\n#" + two:                     "line 2 begins with #",
		"0123456789 abcdef":                   "cannot be sent",
		"0123456789abcd\u00e9f":               "cannot be sent",
		one + "\r" + two:                      "cannot be sent",
		strings.Join(append(most, two), "\n"): "more than 16",
	} {
		_, err := Read(writeFile(t, text))
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "0123", "a message must not show a token")
	}
	_, err = Read(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)

	open := writeFile(t, strings.Repeat("x", 40))
	require.False(t, WorldReadable(open))
	require.NoError(t, os.Chmod(open, 0o644))
	require.True(t, WorldReadable(open))
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}
