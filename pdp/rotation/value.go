// Package rotation lets operators rotate credentials, keys and certificates while the process runs. What comes from a
// file is read again when it changes ([Value], [TLS]), and connections have a bounded life ([Transport]), so that they
// use what is current and look names up again.
package rotation

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"
)

const (
	// largest is how many bytes a file may have.
	largest = 256 << 10
	// tick is longer than one of any file system's clock: a file may be written twice within one, and look the same.
	tick = 2 * time.Second
	// patience is how long [Open] waits for a file that is being written.
	patience = 5 * time.Second
)

// Config is what a [Value] is made of.
type Config[T any] struct {
	Name  string   // what the files are, such as "the token file"
	Paths []string // one at least
	// Parse makes the value of the files' contents, in the order of Paths. Its errors must not quote them.
	Parse  func(contents [][]byte) (T, error)
	Logger *slog.Logger // nil: slog.Default()
	// Discreet keeps the paths out of errors and logs, where somebody may have written a secret instead of a path.
	Discreet bool
}

// Value is what one or several files say. Each of them may be written, renamed over, or reached by another symbolic link
// at any time. A file that is missing, malformed or half written leaves the last good value in force. It is safe for
// concurrent use.
type Value[T any] struct {
	cfg Config[T]

	mu       sync.Mutex
	good     T
	contents [][]byte
	infos    []os.FileInfo // as of the last reading; nil before the files must be read again
	fault    string        // why good is not what the files say; "" where it is
}

// Open reads the files. It fails where they are at fault.
func Open[T any](cfg Config[T]) (*Value[T], error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	v := &Value[T]{cfg: cfg}
	err := v.read()
	for began := time.Now(); Unsettled(err) && time.Since(began) < patience; err = v.read() {
		time.Sleep(10 * time.Millisecond)
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return nil, fmt.Errorf("%s cannot be read: %w", cfg.Name, e)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.Name, err)
	}
	return v, nil
}

// Get is the value now: it reads the files again if they have changed.
func (v *Value[T]) Get() T {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.infos == nil || v.moved() {
		v.refresh()
	}
	return v.good
}

// Renew reads the files again even if they look unchanged.
func (v *Value[T]) Renew() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.refresh()
}

// moved says whether a file may not be what it was when it was last read.
func (v *Value[T]) moved() bool {
	for i, path := range v.cfg.Paths {
		now, err := os.Stat(path)
		if err != nil || !SameState(v.infos[i], now) || time.Since(now.ModTime()) < tick {
			return true
		}
	}
	return false
}

func (v *Value[T]) refresh() {
	before := v.contents
	err := v.read()
	switch {
	case Unsettled(err): // it is read again at the next call
	case err != nil:
		v.infos = nil
		if err.Error() != v.fault {
			v.fault = err.Error()
			v.cfg.Logger.Warn(v.cfg.Name+" cannot be used, the last good content stays in force", "error", err)
		}
	case v.fault != "":
		v.fault = ""
		v.cfg.Logger.Info(v.cfg.Name+" can be used again", v.named()...)
	case !same(before, v.contents):
		v.cfg.Logger.Info(v.cfg.Name+" has changed, the new content is in force", v.named()...)
	}
}

func (v *Value[T]) named() []any {
	if v.cfg.Discreet {
		return nil
	}
	return []any{"path", v.cfg.Paths[0]}
}

// read takes what the files say. An error changes nothing.
func (v *Value[T]) read() error {
	err := v.take()
	if e, ok := errors.AsType[*fs.PathError](err); ok && v.cfg.Discreet {
		return e.Err
	}
	return err
}

func (v *Value[T]) take() error {
	contents, infos := make([][]byte, len(v.cfg.Paths)), make([]os.FileInfo, len(v.cfg.Paths))
	for i, path := range v.cfg.Paths {
		var err error
		if contents[i], infos[i], err = read(path, v.cfg.Discreet, largest); err != nil {
			return err
		}
	}
	if !same(v.contents, contents) {
		parsed, err := v.cfg.Parse(contents)
		if err != nil && !v.cfg.Discreet {
			return fmt.Errorf("%s: %w", v.cfg.Paths[0], err)
		}
		if err != nil {
			return err
		}
		v.good = parsed
	}
	v.contents, v.infos = contents, infos
	return nil
}

func same(a, b [][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}
