package suggest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNearest(t *testing.T) {
	commands := []string{"ask", "directory", "serve", "version"}
	for word, want := range map[string]string{"srve": "serve", "serv": "serve", "aks": "ask", "directroy": "directory", "zzz": "", "": ""} {
		require.Equal(t, want, nearest(word, commands), word)
	}
	require.Equal(t, 3, distance("kitten", "sitting"))
}
