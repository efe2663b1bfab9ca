package terminal

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestProgress(t *testing.T) {
	for _, terminal := range []bool{false, true} {
		var out bytes.Buffer
		at := time.Unix(0, 0)
		p := NewProgress(&out)
		require.False(t, p.terminal)
		p.terminal, p.now, p.next = terminal, func() time.Time { return at }, at.Add(time.Second)
		for i := range 250 { // 25 seconds
			p.Of(i, 250, "user")
			at = at.Add(100 * time.Millisecond)
		}
		p.Clear()
		if !terminal {
			require.Equal(t, "wardkeeper: 10 of 250 users\nwardkeeper: 110 of 250 users\nwardkeeper: 210 of 250 users\n", out.String())
			continue
		}
		require.Equal(t, 25, bytes.Count(out.Bytes(), []byte("\r")))
		require.Contains(t, out.String(), "\rwardkeeper: 10 of 250 users\x1b[K\rwardkeeper: 20 of 250 users\x1b[K")
		require.True(t, bytes.HasSuffix(out.Bytes(), []byte("\r\x1b[K")))
	}
}
