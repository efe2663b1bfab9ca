//go:build linux

package directory

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
)

const (
	janeActive      = "locations: []\nusers:\n- id: jane\n"
	janeDeactivated = "  status: deactivated\n"
)

// startWriting writes the beginning of a file in place, and leaves the file open.
func startWriting(t *testing.T, path, beginning string) *os.File {
	t.Helper()
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	require.NoError(t, err)
	t.Cleanup(func() { _ = file.Close() })
	_, err = file.WriteString(beginning)
	require.NoError(t, err)
	return file
}

// The beginning of a YAML directory is often a valid directory, in which a deactivated user may be active.
func TestFileIsNotReadWhileItIsWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "directory.yaml")
	fixture.WriteFile(t, path, janeActive+janeDeactivated+"- id: old\n")
	var loaded []string // written by the watcher; read after Close
	f, log := openTestFile(t, path, func(cfg *FileConfig) {
		cfg.OnReload = func(d *Directory) { loaded = append(loaded, d.users[0].Record().Status) }
	})
	before := f.Directory()

	file := startWriting(t, path, janeActive)
	warned := func() bool { return strings.Contains(log.String(), "is being written") }
	require.Eventually(t, warned, fixture.Timeout, time.Millisecond, "the watcher found the file unchanged, but open for writing")
	for range 20 {
		assert.ErrorContains(t, f.Reload(), "directory file: "+path+" is being written")
		time.Sleep(2 * time.Millisecond) // lets the watcher retry
	}
	assert.Same(t, before, f.Directory())
	assert.Zero(t, f.Status().Failures)
	assert.NoError(t, f.Status().Err)
	assert.Equal(t, 1, strings.Count(log.String(), "is being written"), "logged once")
	assert.NotContains(t, log.String(), "level=ERROR")

	_, err := file.WriteString(janeDeactivated)
	require.NoError(t, err)
	assert.Error(t, f.Reload())
	require.NoError(t, file.Close())
	eventuallyStatus(t, f, "reloaded", func(s Status) bool { return s.Reloads == 1 })
	assert.Equal(t, "deactivated", fixture.UserOf(t, f.Directory(), "jane").Record().Status)
	assert.False(t, hasUser(t, f, "old"))

	// A file that replaces the one being written is not itself being written.
	startWriting(t, path, janeActive)
	fixture.WriteFile(t, path+".new", janeActive+janeDeactivated+"- id: new\n")
	require.NoError(t, os.Rename(path+".new", path))
	eventuallyStatus(t, f, "replaced", func(s Status) bool { return s.Reloads == 2 })
	assert.True(t, hasUser(t, f, "new"))
	require.NoError(t, f.Close())
	assert.Equal(t, []string{"deactivated", "deactivated"}, loaded)
}

func TestOpenFileWaitsForWriters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "directory.yaml")
	file := startWriting(t, path, janeActive)
	cfg := FileConfig{Path: path, Vocabulary: fixture.Vocabulary(), Logger: slog.New(slog.DiscardHandler), Settle: time.Millisecond}
	_, err := openFile(cfg, 20*time.Millisecond)
	assert.EqualError(t, err, "directory file: "+path+" is being written")

	time.AfterFunc(20*time.Millisecond, func() {
		_, err := file.WriteString(janeDeactivated)
		assert.NoError(t, err)
		assert.NoError(t, file.Close())
	})
	f, err := openFile(cfg, time.Minute)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, f.Close()) })
	assert.Equal(t, "deactivated", fixture.UserOf(t, f.Directory(), "jane").Record().Status)
}
