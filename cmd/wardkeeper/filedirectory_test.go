package main

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
)

// The memory limit is adjusted after each load of a directory file, the first one included.
func TestEachLoadOfADirectoryFileIsReported(t *testing.T) {
	loads := 0
	path := writeFile(t, "d.json", `{"locations": [], "users": []}`)
	d := &fileDirectory{path: path, logger: slog.New(slog.DiscardHandler), onLoad: func() { loads++ }}
	t.Cleanup(d.close)
	require.NoError(t, d.check(nil))
	d.activate()
	require.Equal(t, 1, loads)
	replaceFile(t, path, []byte(`{"locations": [], "users": [{"id": "a"}]}`))
	require.NoError(t, d.file.Load().Reload())
	require.Equal(t, 2, loads)
}
