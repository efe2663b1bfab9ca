package rotation

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"
)

const (
	// maxSize bounds a file by default, in bytes.
	maxSize = 256 << 10
	// TimestampGranularity exceeds the resolution of any file system's clock: two writes within it can leave the same
	// modification time.
	TimestampGranularity = 2 * time.Second
	// settleTimeout is how long a file may be written before that counts as a fault. [Open] waits for so long.
	settleTimeout = 5 * time.Second
)

// Config configures a [Value].
type Config[T any] struct {
	Name  string   // what the files are called in messages, such as "the token file"
	Paths []string // at least one
	// Parse makes the value from the files' contents, in the order of Paths. Its errors must not quote them.
	Parse   func(contents [][]byte) (T, error)
	MaxSize int64        // of each file, in bytes; 0 means 256 KiB
	Logger  *slog.Logger // nil: slog.Default()
	// HidePaths keeps the paths out of errors and logs, for settings in which somebody may have written a secret instead
	// of a path.
	HidePaths bool
}

// Value is made from the content of one or more files. Each may be written, replaced by a rename, or reached through
// another symbolic link at any time. If a file is missing, malformed or partly written, the last good value stays in force.
// It is safe for concurrent use.
type Value[T any] struct {
	cfg Config[T]

	mu        sync.Mutex
	good      T
	contents  [][]byte
	states    []os.FileInfo // when the files were last read; nil if they must be read again
	unsettled time.Time     // since when they have been written without an end; zero if they are not
	lastFault string        // why good does not match the files; "" if it does
}

// Open reads the files. It fails if one cannot be read or parsed.
func Open[T any](cfg Config[T]) (*Value[T], error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.MaxSize == 0 {
		cfg.MaxSize = maxSize
	}
	v := &Value[T]{cfg: cfg}
	err := v.read()
	for began := time.Now(); Unsettled(err) && time.Since(began) < settleTimeout; err = v.read() {
		time.Sleep(10 * time.Millisecond)
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok && slices.Contains(cfg.Paths, e.Path) { // Parse may read other files
		return nil, fmt.Errorf("%s cannot be read: %w", cfg.Name, e)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.Name, err)
	}
	return v, nil
}

// Get returns the current value. It reads the files again if they have changed.
func (v *Value[T]) Get() T {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.states == nil || v.mayHaveChanged() {
		v.reload()
	}
	return v.good
}

// Renew reads the files again even if they look unchanged.
func (v *Value[T]) Renew() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.reload()
}

// Faulty reports whether the files could not be used when they were last read, so that an earlier content is in force.
func (v *Value[T]) Faulty() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.lastFault != ""
}

func (v *Value[T]) mayHaveChanged() bool {
	for i, path := range v.cfg.Paths {
		now, err := os.Stat(path)
		if err != nil || !SameState(v.states[i], now) || time.Since(now.ModTime()) < TimestampGranularity {
			return true
		}
	}
	return false
}

func (v *Value[T]) reload() {
	before := v.contents
	err := v.read()
	switch {
	case !Unsettled(err):
		v.unsettled = time.Time{}
	case v.unsettled.IsZero():
		v.unsettled = time.Now()
	}
	switch {
	case Unsettled(err) && time.Since(v.unsettled) < settleTimeout: // the next call reads it again
	case err != nil:
		v.states = nil
		if err.Error() != v.lastFault {
			v.lastFault = err.Error()
			v.cfg.Logger.Warn(v.cfg.Name+" cannot be used, the last good content stays in force", "error", err)
		}
	case v.lastFault != "":
		v.lastFault = ""
		v.cfg.Logger.Info(v.cfg.Name+" can be used again", v.attributes()...)
	case !sameContents(before, v.contents):
		v.cfg.Logger.Info(v.cfg.Name+" has changed, the new content is in force", v.attributes()...)
	}
}

func (v *Value[T]) attributes() []any {
	if v.cfg.HidePaths {
		return nil
	}
	return []any{"path", v.cfg.Paths[0]}
}

// read reads and parses the files. An error changes nothing.
func (v *Value[T]) read() error {
	err := v.parse()
	if e, ok := errors.AsType[*fs.PathError](err); ok && v.cfg.HidePaths {
		return e.Err
	}
	return err
}

func (v *Value[T]) parse() error {
	contents, states := make([][]byte, len(v.cfg.Paths)), make([]os.FileInfo, len(v.cfg.Paths))
	for i, path := range v.cfg.Paths {
		var err error
		if contents[i], states[i], err = read(path, v.cfg.HidePaths, v.cfg.MaxSize); err != nil {
			return err
		}
	}
	if !sameContents(v.contents, contents) {
		parsed, err := v.cfg.Parse(contents)
		if err != nil && !v.cfg.HidePaths {
			return fmt.Errorf("%s: %w", v.cfg.Paths[0], err)
		}
		if err != nil {
			return err
		}
		v.good = parsed
	}
	v.contents, v.states = contents, states
	return nil
}

func sameContents(a, b [][]byte) bool { return slices.EqualFunc(a, b, bytes.Equal) }
