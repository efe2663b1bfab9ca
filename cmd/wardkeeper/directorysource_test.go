package main

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
)

// The memory limit is adjusted after each load of a directory file, the first one included.
func TestEachLoadOfADirectoryFileIsReported(t *testing.T) {
	settled := 0
	path := writeFile(t, "d.json", `{"locations": [], "users": []}`)
	d := &fileDirectory{path: path, logger: slog.New(slog.DiscardHandler), settled: func() { settled++ }}
	t.Cleanup(d.close)
	adopt, err := d.judgedBy(nil)
	require.NoError(t, err)
	adopt()
	require.Equal(t, 1, settled)
	replaceFile(t, path, []byte(`{"locations": [], "users": [{"id": "a"}]}`))
	require.NoError(t, d.file.Load().Reload())
	require.Equal(t, 2, settled)
}
