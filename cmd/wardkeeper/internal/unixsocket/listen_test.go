//go:build unix

package unixsocket

import (
	"context"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tempDir returns a folder whose path is short enough for sockets. That of t.TempDir is too long in tests with long names.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "socket")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func listen(t *testing.T, path string, mode fs.FileMode) net.Listener {
	t.Helper()
	l, err := Listen(path, mode)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// leaveStale leaves a socket that no server listens on, as a killed server does.
func leaveStale(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	require.NoError(t, err)
	l.SetUnlinkOnClose(false)
	require.NoError(t, l.Close())
}

func TestSocketHasExactlyTheMode(t *testing.T) {
	for _, umask := range []int{0, 0o022, 0o077, 0o177} {
		for _, mode := range []fs.FileMode{0o600, 0o660, 0o666, 0o777} {
			path := filepath.Join(tempDir(t), "s")
			before := syscall.Umask(umask)
			l, err := Listen(path, mode)
			syscall.Umask(before)
			require.NoError(t, err)
			info, err := os.Lstat(path)
			require.NoError(t, err)
			require.Equal(t, fs.ModeSocket|mode, info.Mode(), "umask %04o", umask)
			require.NoError(t, l.Close())
		}
	}
}

// A client that connects before the mode of the new socket is set must not get more access than the mode allows.
func TestSocketIsCreatedWithItsMode(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux gives a socket its mode when it is created")
	}
	defer syscall.Umask(syscall.Umask(0))
	path := filepath.Join(tempDir(t), "s")
	l, err := bind(path, 0o600)
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	info, err := os.Lstat(path)
	require.NoError(t, err)
	require.Equal(t, fs.ModeSocket|0o600, info.Mode())
}

func TestStaleSocketIsReplaced(t *testing.T) {
	path := filepath.Join(tempDir(t), "s")
	leaveStale(t, path)
	l := listen(t, path, 0o600)
	c, err := Dial(t.Context(), path)
	require.NoError(t, err)
	require.NoError(t, c.Close())
	require.NoError(t, l.Close())
	require.NoFileExists(t, path)
}

func TestSocketOfALiveServerIsLeftAlone(t *testing.T) {
	path := filepath.Join(tempDir(t), "s")
	first := listen(t, path, 0o600)
	_, err := Listen(path, 0o600)
	require.EqualError(t, err, "another server listens at "+path+": stop it, or choose another path")
	require.NoError(t, Check(path), "it may be the server that is to be restarted")
	accepted := make(chan error, 2)
	go func() {
		for range 2 { // the second server connects first, to see whether the first is alive
			c, err := first.Accept()
			if err == nil {
				err = c.Close()
			}
			accepted <- err
		}
	}()
	c, err := Dial(t.Context(), path)
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Close()) }()
	require.NoError(t, <-accepted)
	require.NoError(t, <-accepted)
}

func TestDatagramSocketIsLeftAlone(t *testing.T) {
	path := filepath.Join(tempDir(t), "s")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Close()) }()
	_, err = Listen(path, 0o600)
	require.ErrorContains(t, err, "cannot tell whether a server listens at "+path)
	_, err = os.Lstat(path)
	require.NoError(t, err)
}

func TestOtherFilesAreLeftAlone(t *testing.T) {
	for name, c := range map[string]struct {
		create func(path string) error
		kind   string
	}{
		"file":    {func(path string) error { return os.WriteFile(path, []byte("theirs"), 0o600) }, "a file"},
		"empty":   {func(path string) error { return os.WriteFile(path, nil, 0o600) }, "a file"},
		"folder":  {func(path string) error { return os.Mkdir(path, 0o700) }, "a folder"},
		"pipe":    {func(path string) error { return syscall.Mkfifo(path, 0o600) }, "a device or pipe"},
		"nowhere": {func(path string) error { return os.Symlink("nowhere", path) }, "a symbolic link"},
		"stale": {func(path string) error {
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path + "2", Net: "unix"})
			if err != nil {
				return err
			}
			l.SetUnlinkOnClose(false)
			_ = l.Close()
			return os.Symlink(path+"2", path)
		}, "a symbolic link"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(tempDir(t), "s")
			require.NoError(t, c.create(path))
			before, err := os.Lstat(path)
			require.NoError(t, err)
			want := path + " is " + c.kind + ", not a socket, and is left alone: choose another path"
			require.EqualError(t, Check(path), want)
			_, err = Listen(path, 0o600)
			require.EqualError(t, err, want)
			after, err := os.Lstat(path)
			require.NoError(t, err)
			require.Equal(t, before, after)
		})
	}
}

func TestStaleSocketOfAnotherUserIsLeftAlone(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	path := filepath.Join(tempDir(t), "s")
	leaveStale(t, path)
	require.NoError(t, os.Chown(path, 4711, -1))
	_, err := Listen(path, 0o600)
	require.EqualError(t, err, path+" is a socket of another user (uid 4711) and is left alone: remove it, or choose another path")
	_, err = os.Lstat(path)
	require.NoError(t, err)
}

func TestOfServersThatStartAtOnceOneListens(t *testing.T) {
	for range 20 {
		path := filepath.Join(tempDir(t), "s")
		leaveStale(t, path)
		var listening atomic.Int32
		var starting sync.WaitGroup
		for range 8 {
			starting.Go(func() {
				l, err := Listen(path, 0o600)
				if err != nil {
					assert.ErrorContains(t, err, "another server listens at")
					return
				}
				listening.Add(1)
				t.Cleanup(func() { _ = l.Close() })
			})
		}
		starting.Wait()
		require.EqualValues(t, 1, listening.Load())
		c, err := Dial(t.Context(), path)
		require.NoError(t, err, "the socket is the one of the server that listens")
		require.NoError(t, c.Close())
	}
}

func TestLockOfTheFolderIsWaitedForALimitedTime(t *testing.T) {
	dir, err := os.OpenRoot(tempDir(t))
	require.NoError(t, err)
	defer func() { require.NoError(t, dir.Close()) }()
	unlock, err := lock(dir, lockTimeout)
	require.NoError(t, err)
	_, err = lock(dir, 0)
	require.EqualError(t, err, "cannot lock "+dir.Name()+", the folder of the socket: another process keeps it locked")
	started := make(chan error, 1)
	go func() {
		l, err := Listen(filepath.Join(dir.Name(), "s"), 0o600)
		if err == nil {
			err = l.Close()
		}
		started <- err
	}()
	unlock()
	require.NoError(t, <-started)
	entries, err := os.ReadDir(dir.Name())
	require.NoError(t, err)
	require.Empty(t, entries, "neither lock file nor socket stays")
}

func TestCloseRemovesOnlyItsOwnSocket(t *testing.T) {
	path := filepath.Join(tempDir(t), "s")
	first := listen(t, path, 0o600)
	require.NoError(t, os.Remove(path))
	second := listen(t, path, 0o600)
	require.NoError(t, first.Close())
	c, err := Dial(t.Context(), path)
	require.NoError(t, err)
	require.NoError(t, c.Close())
	require.NoError(t, second.Close())
	require.NoError(t, second.Close(), "closing again does nothing")
	require.NoFileExists(t, path)

	third := listen(t, path, 0o600)
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.WriteFile(path, []byte("theirs"), 0o600))
	require.NoError(t, third.Close())
	require.FileExists(t, path)
}

func TestFolderThatCannotBeUsedIsAnError(t *testing.T) {
	path := filepath.Join(tempDir(t), "none", "s")
	for _, err := range []error{Check(path), func() error { _, err := Listen(path, 0o600); return err }()} {
		require.ErrorContains(t, err, "the folder of the socket cannot be opened")
		require.ErrorIs(t, err, fs.ErrNotExist)
	}
	if os.Geteuid() == 0 {
		return // root may write anywhere
	}
	require.NoError(t, os.Mkdir(filepath.Dir(path), 0o500))
	require.ErrorIs(t, Check(path), fs.ErrPermission)
	_, err := Listen(path, 0o600)
	require.ErrorIs(t, err, fs.ErrPermission)
}

func TestLongestPath(t *testing.T) {
	dir := tempDir(t)
	path := filepath.Join(dir, strings.Repeat("s", MaxPath-len(dir)-1))
	require.Len(t, path, MaxPath)
	listen(t, path, 0o600)
	c, err := Dial(t.Context(), path)
	require.NoError(t, err)
	require.NoError(t, c.Close())
	_, err = Listen(path+"s", 0o600)
	require.Error(t, err)
}

func TestDialSaysWhatToDo(t *testing.T) {
	path := filepath.Join(tempDir(t), "s")
	_, err := Dial(t.Context(), path)
	require.EqualError(t, err, "there is no socket "+path+": start the server, with --addr unix:"+path)
	leaveStale(t, path)
	_, err = Dial(t.Context(), path)
	require.EqualError(t, err, "no server listens at the socket "+path+": start the server again")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Dial(ctx, path)
	require.ErrorIs(t, err, context.Canceled)
}

func TestReplaceableSocket(t *testing.T) {
	top := tempDir(t)
	dir := filepath.Join(top, "a", "b")
	require.NoError(t, os.MkdirAll(dir, 0o700))
	require.NoError(t, os.Symlink(dir, filepath.Join(top, "link")))
	for _, c := range []struct {
		parent, dir fs.FileMode
		want        string
	}{
		{0o755, 0o755, ""},
		{0o770, 0o770, ""},
		{0o755, 0o777, dir},
		{0o755, 0o777 | fs.ModeSticky, dir},
		{0o777, 0o755, filepath.Dir(dir)},
		{0o777 | fs.ModeSticky, 0o755, ""},
	} {
		require.NoError(t, os.Chmod(filepath.Dir(dir), c.parent))
		require.NoError(t, os.Chmod(dir, c.dir))
		require.Equal(t, c.want, Replaceable(filepath.Join(dir, "s")), c)
		require.Equal(t, c.want, Replaceable(filepath.Join(top, "link", "s")), c)
	}
	require.Empty(t, Replaceable(filepath.Join(top, "none", "s")))
}

func TestOpenToAll(t *testing.T) {
	top := tempDir(t)
	require.NoError(t, os.Chmod(top, 0o755))
	dir := filepath.Join(top, "a")
	require.NoError(t, os.Mkdir(dir, 0o700))
	path := filepath.Join(dir, "s")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	for _, c := range []struct {
		dir, socket fs.FileMode
		want        bool
	}{{0o755, 0o666, true}, {0o711, 0o622, true}, {0o755, 0o660, false}, {0o755, 0o644, false}, {0o750, 0o666, false}} {
		require.NoError(t, os.Chmod(dir, c.dir))
		require.NoError(t, os.Chmod(path, c.socket))
		require.Equal(t, c.want, OpenToAll(path), c)
	}
	require.True(t, OpenToAll("@pdp"))
	require.False(t, OpenToAll(filepath.Join(top, "none", "s")))
}
