package follow_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/follow"
	"github.com/wardkeeper/wardkeeper/bundles/internal/bundletest"
)

// The file is replaced in every possible way. A faulty file leaves the last good policy active.
func TestReplacedFileIsActivated(t *testing.T) {
	t.Parallel()
	path := bundletest.WriteFile(t, "bundle.tar.gz", bundletest.Signed(bundletest.Release(1)).Pack())
	f := startFollower(t, source(t, map[string]any{"path": path, "key_file": bundletest.KeyFile(t, bundletest.TrustedKey)}))
	require.EqualValues(t, 1, f.Status().Active.Sequence, "at once")
	require.True(t, f.Status().Active.Verified)

	require.NoError(t, os.WriteFile(path, bundletest.Signed(bundletest.Release(2)).Pack(), 0o600))
	f.untilSequence(2)
	require.NoError(t, os.Rename(bundletest.WriteFile(t, "next", bundletest.Signed(bundletest.Release(3)).Pack()), path))
	f.untilSequence(3)
	fourth, fifth := bundletest.WriteFile(t, "fourth", bundletest.Signed(bundletest.Release(4)).Pack()), bundletest.WriteFile(t, "fifth", bundletest.Signed(bundletest.Release(5)).Pack())
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(fourth, link))
	require.NoError(t, os.Rename(link, path))
	f.untilSequence(4)
	require.NoError(t, os.Symlink(fifth, link))
	require.NoError(t, os.Rename(link, path))
	f.untilSequence(5)

	require.NoError(t, os.WriteFile(fifth, bundletest.Signed(bundletest.Release(6)).Pack()[:500], 0o600))
	require.Equal(t, bundles.Malformed, f.untilOutcome(follow.Refused).Attempt.Reason)
	require.True(t, f.decides("read5"))
	require.NoError(t, os.WriteFile(fifth, bundletest.Signed(bundletest.Release(6)).Pack(), 0o600))
	f.untilSequence(6)
	require.NoError(t, os.Remove(path))
	require.Equal(t, bundles.Unavailable, f.untilOutcome(follow.Unavailable).Attempt.Reason)
	require.True(t, f.decides("read6"))
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	f.until("a pipe", func(s follow.Status) bool {
		return s.Attempt.Outcome == follow.Unavailable && strings.Contains(s.Attempt.Err.Error(), "not a regular file")
	})
	require.NoError(t, os.Rename(bundletest.WriteFile(t, "next", bundletest.Signed(bundletest.Release(7)).Pack()), path))
	f.untilSequence(7)
	require.NoError(t, os.WriteFile(path, bundletest.Signed(bundletest.Release(6)).Pack(), 0o600))
	f.until("an older one", func(s follow.Status) bool { return s.Attempt.Reason == bundles.Replayed }) // while it is written it is malformed
	require.True(t, f.decides("read7"))
}

// The new content has the same size and modification time.
func TestChangeWithinClockTickIsFound(t *testing.T) {
	t.Parallel()
	at := time.Now().Add(time.Second)
	path := bundletest.WriteFile(t, "app.rego", nil)
	write := func(word string) {
		file, err := os.OpenFile(path, os.O_WRONLY, 0)
		require.NoError(t, err)
		_, err = file.WriteString("package app\n\ndefault decision := " + word + "\n") // in one write, without truncating first
		require.NoError(t, err)
		require.NoError(t, file.Close())
		require.NoError(t, os.Chtimes(path, at, at))
	}
	write("true ")
	f := startFollower(t, source(t, map[string]any{"path": filepath.Dir(path)}))
	require.True(t, f.decides("read"))
	write("false")
	f.until("another decision", func(follow.Status) bool { return !f.decides("read") })
	f.untilOutcome(follow.Unchanged)
	write("maybe")
	now := f.untilOutcome(follow.Refused)
	require.Equal(t, bundles.Compile, now.Attempt.Reason)
	f.until("another look", func(s follow.Status) bool { return s.Attempt.At.After(now.Attempt.At.Add(50 * time.Millisecond)) })
	require.EqualValues(t, 1, f.Status().Refused[bundles.Compile], "the same is not checked again")
}

// One case is a volume mounted by Kubernetes: links to files behind a link that is replaced.
func TestChangedDirectoryIsActivated(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bundletest.Unpack(t, dir, bundletest.Release(1))
	f := startFollower(t, source(t, map[string]any{"path": dir}))
	require.True(t, f.decides("read1"))
	bundletest.Unpack(t, dir, bundletest.Files{"app/app.rego": "package app\n\ndecision := {\n"})
	require.Equal(t, bundles.Compile, f.untilOutcome(follow.Refused).Attempt.Reason)
	require.True(t, f.decides("read1"))
	bundletest.Unpack(t, dir, bundletest.Release(2))
	f.untilSequence(2)
	bundletest.Unpack(t, dir, bundletest.Files{"app/app_test.rego": "package", "notes.txt": "x", "app/notes.json": "{"})
	require.NoError(t, os.Remove(filepath.Join(dir, "notes.md")))
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "app", "pipe.rego"), 0o600))
	require.Equal(t, bundles.Malformed, f.until("a pipe", func(s follow.Status) bool {
		return s.Attempt.Outcome == follow.Refused
	}).Attempt.Reason)
	require.NoError(t, os.Remove(filepath.Join(dir, "app", "pipe.rego")))
	require.EqualValues(t, 2, f.untilOutcome(follow.Unchanged).Activations)

	mounted := t.TempDir()
	mount := func(name string, p bundletest.Files) {
		flat := bundletest.Files{"app.rego": p["app/app.rego"], "data.yaml": `{"app": {"table": ` + p["app/table/data.json"] + `, "words": {"hello": "good day"}}}`}
		bundletest.Unpack(t, filepath.Join(mounted, name), flat)
		require.NoError(t, os.Symlink(name, filepath.Join(mounted, "..tmp")))
		require.NoError(t, os.Rename(filepath.Join(mounted, "..tmp"), filepath.Join(mounted, "..data")))
	}
	mount("..2026_01", bundletest.Release(1))
	for _, name := range []string{"app.rego", "data.yaml"} {
		require.NoError(t, os.Symlink(filepath.Join("..data", name), filepath.Join(mounted, name)))
	}
	volume := startFollower(t, source(t, map[string]any{"path": mounted}))
	require.True(t, volume.decides("read1"))
	mount("..2026_02", bundletest.Release(2))
	volume.until("the next", func(s follow.Status) bool { return s.Activations == 2 })
	require.True(t, volume.decides("read2"))
}

// Start succeeds if a good bundle was saved.
func TestStartFailsWithoutGoodPath(t *testing.T) {
	t.Parallel()
	path := bundletest.WriteFile(t, "bundle.tar.gz", []byte("nothing"))
	settings := map[string]any{"path": path, "state_dir": t.TempDir(), "key_file": bundletest.KeyFile(t, bundletest.TrustedKey)}
	_, cfg := newFollower(t, source(t, settings))
	_, err := follow.Start(t.Context(), cfg)
	require.Equal(t, bundles.Malformed, bundletest.RefusalOf(t, err, "nothing").Reason)
	require.NoError(t, os.WriteFile(path, bundletest.Signed(bundletest.Release(1)).Pack(), 0o600))
	startFollower(t, source(t, settings)).Close()
	require.NoError(t, os.WriteFile(path, bundletest.Release(2).Pack(), 0o600))
	f := startFollower(t, source(t, settings))
	require.True(t, f.Status().FromDisk)
	require.Equal(t, bundles.Unsigned, f.Status().Attempt.Reason)
	require.True(t, f.decides("read1"))
	require.NoError(t, os.WriteFile(path, bundletest.Signed(bundletest.Release(2)).Pack(), 0o600))
	require.False(t, f.untilSequence(2).FromDisk)
}

// A file that changes while it is read is read again once it settles; a file that never settles is reported.
func TestPartlyWrittenFileIsNotRead(t *testing.T) {
	if testing.Short() {
		t.Skip("keeps a processor busy")
	}
	t.Parallel()
	long := bundletest.Signed(bundletest.Release(1).With(bundletest.Files{"notes.md": bundletest.Random(7 << 20)})).Pack() // takes some time to read
	path := bundletest.WriteFile(t, "bundle.tar.gz", long)
	f := startFollower(t, source(t, map[string]any{"path": path, "key_file": bundletest.KeyFile(t, bundletest.TrustedKey)}))
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() { // changes without pause
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				at := time.Unix(int64(i), 0)
				_ = os.Chtimes(path, at, at)
			}
		}
	}()
	f.until("restless", func(s follow.Status) bool {
		return s.Attempt.Outcome == follow.Unavailable && strings.Contains(s.Attempt.Err.Error(), "changes each time it is read")
	})
	require.True(t, f.decides("read1"))
	close(stop)
	<-stopped
	require.EqualValues(t, 1, f.untilOutcome(follow.Unchanged).Activations)
	require.EqualValues(t, 1, f.checks.Load())

	half := bundletest.Signed(bundletest.Release(2)).Pack()
	next, err := os.Create(path)
	require.NoError(t, err)
	for _, b := range half {
		_, err := next.Write([]byte{b})
		require.NoError(t, err)
	}
	require.NoError(t, next.Close())
	f.untilSequence(2)
	require.Zero(t, f.Status().Refused[bundles.Signature])
}
