//go:build linux

package rotation

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBeingWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte("x"), 0o600))
	open := func(flag int) *os.File {
		file, err := os.OpenFile(path, flag, 0)
		require.NoError(t, err)
		t.Cleanup(func() { _ = file.Close() })
		return file
	}
	says := func(file *os.File) [2]bool {
		writing, known := beingWritten(file)
		return [2]bool{writing, known}
	}
	free, written, unknown := [2]bool{false, true}, [2]bool{true, true}, [2]bool{}
	reader := open(os.O_RDONLY)
	open(os.O_RDONLY)
	assert.Equal(t, free, says(reader), "others read it")
	for _, flag := range []int{os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_APPEND} {
		writer := open(flag)
		assert.Equal(t, written, says(reader))
		require.NoError(t, writer.Close())
		assert.Equal(t, free, says(reader))
	}
	null, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer null.Close()
	assert.Equal(t, unknown, says(null), "no lease on a device")
	require.NoError(t, reader.Close())
	assert.Equal(t, unknown, says(reader), "closed")
}

// If the sidecar does not own a file, one that was just written may be incomplete.
func TestUnknownWritersAreWaitedFor(t *testing.T) {
	assert.True(t, mayChange(true, true, time.Hour))
	assert.False(t, mayChange(false, true, 0))
	assert.True(t, mayChange(false, false, quietPeriod/2))
	assert.False(t, mayChange(false, false, quietPeriod))
}
