//go:build unix

package unixsocket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// lockTimeout limits waiting for other servers that start in the same folder.
const lockTimeout = 5 * time.Second

// Listen listens at an absolute path of at most [MaxPath] bytes. The socket gets exactly the mode, which must let its owner
// write. Closing the listener removes the socket, unless another file has taken its place.
//
// The remote address of the listener's connections identifies the client.
func Listen(path string, mode fs.FileMode) (net.Listener, error) {
	dir, err := openDir(path)
	if err != nil {
		return nil, err
	}
	l, err := listenIn(dir, path, mode)
	if err != nil {
		_ = dir.Close()
		return nil, err
	}
	return l, nil
}

func listenIn(dir *os.Root, path string, mode fs.FileMode) (net.Listener, error) {
	// Two servers that start at the same time may both see the same stale socket. The second must not mistake the new socket of
	// the first for it. A lock on the folder leaves no lock file behind, and ends with the process.
	unlock, err := lock(dir, lockTimeout)
	if err != nil {
		return nil, err
	}
	defer unlock()
	name := filepath.Base(path)
	if err := removeStale(dir, name, path); err != nil {
		return nil, err
	}
	bound, err := bind(path, mode)
	if err != nil {
		return nil, fmt.Errorf("cannot create the socket: %w", err)
	}
	l := &listener{UnixListener: bound, dir: dir, name: name}
	if l.file, err = dir.Lstat(name); err == nil {
		// The umask may have removed permissions. Chmod through dir cannot change the mode of a file elsewhere.
		err = dir.Chmod(name, mode)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot set the mode of the socket: %w", err), l.Close())
	}
	return l, nil
}

// Check reports what keeps [Listen] from listening at path. It creates nothing. It is no error if a server listens there.
func Check(path string) error {
	dir, err := openDir(path)
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	if err := unix.Access(dir.Name(), unix.W_OK|unix.X_OK); err != nil {
		return fmt.Errorf("cannot create a socket in %s: %w", dir.Name(), err)
	}
	_, err = socketAt(dir, filepath.Base(path), path)
	return err
}

func openDir(path string) (*os.Root, error) {
	dir, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("the folder of the socket cannot be opened: %w", err)
	}
	return dir, nil
}

// lock waits until no other server is starting in the folder.
func lock(dir *os.Root, timeout time.Duration) (unlock func(), err error) {
	f, err := dir.Open(".")
	if err != nil {
		return nil, fmt.Errorf("cannot lock the folder of the socket: %w", err)
	}
	for deadline := time.Now().Add(timeout); ; time.Sleep(10 * time.Millisecond) {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return func() { _ = f.Close() }, nil
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EWOULDBLOCK):
			err = errors.New("another process keeps it locked")
		default:
			deadline = time.Time{} // waiting does not help
		}
		if time.Now().After(deadline) {
			return nil, errors.Join(fmt.Errorf("cannot lock %s, the folder of the socket: %w", dir.Name(), err), f.Close())
		}
	}
}

// socketAt returns the socket at a path, nil if nothing exists there, and an error if it is not a socket.
func socketAt(dir *os.Root, name, path string) (fs.FileInfo, error) {
	info, err := dir.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("cannot look at the path of the socket: %w", err)
	case info.Mode()&fs.ModeSocket == 0:
		return nil, notSocketError(path, info.Mode())
	}
	return info, nil
}

// removeStale removes a socket of our own user that no server listens on. The caller holds the lock.
func removeStale(dir *os.Root, name, path string) error {
	info, err := socketAt(dir, name, path)
	if info == nil {
		return err
	}
	c, err := net.Dial("unix", path)
	switch {
	case err == nil:
		_ = c.Close() // connecting was enough
		return inUseError(path)
	case errors.Is(err, syscall.EAGAIN): // the queue of the server is full
		return inUseError(path)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case !errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("cannot tell whether a server listens at %s: %w", path, err)
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("%s is a socket of another user (uid %d) and is left alone: remove it, or choose another path", path, stat.Uid)
	}
	if err := dir.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove the stale socket: %w", err)
	}
	return nil
}

func inUseError(path string) error {
	return fmt.Errorf("another server listens at %s: stop it, or choose another path", path)
}

// bind creates a socket with at most the permissions of mode, and listens.
func bind(path string, mode fs.FileMode) (*net.UnixListener, error) {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		return errors.Join(c.Control(func(fd uintptr) { err = restrict(int(fd), mode) }), err)
	}}
	l, err := config.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, err
	}
	bound := l.(*net.UnixListener)
	bound.SetUnlinkOnClose(false) // it would remove any file at the path
	return bound, nil
}

type listener struct {
	*net.UnixListener
	dir  *os.Root
	name string
	file fs.FileInfo // of the socket; nil until it is known

	once     sync.Once
	closeErr error
}

// Accept implements [net.Listener].
func (l *listener) Accept() (net.Conn, error) { return accept(l.UnixListener) }

// Close implements [net.Listener].
func (l *listener) Close() error {
	l.once.Do(func() {
		// Remove the socket while it still answers: a server that starts now finds either this one alive, or nothing.
		if now, err := l.dir.Lstat(l.name); err == nil && l.file != nil && os.SameFile(now, l.file) {
			_ = l.dir.Remove(l.name) // if it fails, the next server removes the socket
		}
		l.closeErr = errors.Join(l.UnixListener.Close(), l.dir.Close())
	})
	return l.closeErr
}
