package directory

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/rotation"

	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// FileConfig is what a file source is made of.
type FileConfig struct {
	Path       string         // .json, .yaml or .yml; any other name: by content
	Vocabulary pdp.Vocabulary // of the active policy
	Logger     *slog.Logger   // nil: slog.Default()
	Interval   time.Duration  // of the looks that do not rely on file events; 0 means 5 s
	Settle     time.Duration  // how long a changed file must be left alone before it is read; 0 means 250 ms
	// OnReload is called with each new directory once it is in force, the first one excepted. It must not call the File's
	// Reload, Check, Adopt or Close.
	OnReload func(*Directory)
}

// Status is how a source is doing.
type Status struct {
	Revision         string
	Locations, Users int
	LoadedAt         time.Time // when the directory in force was read
	AttemptedAt      time.Time // when the file was last read, or could not be
	Err              error     // of that attempt; nil where the directory in force is what the file says
	Reloads          uint64    // directories taken since the first
	Failures         uint64    // attempts that left the last good directory in force
}

// File is a source that reads a directory file, and reads it again when it changes. A file that cannot be read, or that
// breaks a rule, leaves the last good directory in force.
type File struct {
	cfg     FileConfig
	current atomic.Pointer[Directory]

	reading sync.Mutex // held by whoever reads the file
	vocab   pdp.Vocabulary
	changed bool // the vocabulary, since the directory in force was checked
	waiting bool // for whoever is writing the file

	mu     sync.Mutex // guards the rest
	status Status

	close  sync.Once
	closed chan struct{}
	done   chan struct{}
}

var _ facts.Source = (*File)(nil)

// patience is how long the first reading waits for a file that is being written.
const patience = 5 * time.Second

// OpenFile loads a directory file and watches it until Close. It fails where the file cannot be read, and with a
// [*record.Faults] where it breaks a rule.
func OpenFile(cfg FileConfig) (*File, error) { return openFile(cfg, patience) }

func openFile(cfg FileConfig, patience time.Duration) (*File, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Interval <= 0 {
		cfg.Interval = 5 * time.Second
	}
	if cfg.Settle <= 0 {
		cfg.Settle = 250 * time.Millisecond
	}
	f := &File{cfg: cfg, vocab: cfg.Vocabulary, closed: make(chan struct{}), done: make(chan struct{})}
	w := newWatch(cfg) // before the first reading, so that no change is missed
	err := f.Reload()
	for began := time.Now(); rotation.Unsettled(err) && time.Since(began) < patience; err = f.Reload() {
		time.Sleep(min(cfg.Settle, patience))
	}
	if err != nil {
		w.close()
		return nil, err
	}
	go func() {
		defer close(f.done)
		w.run(f.closed, f.Reload)
	}()
	return f, nil
}

// View implements [facts.Source]. No announcement is known to a file: what has to know of one is refused.
func (f *File) View(_ context.Context, need facts.Requirement) (facts.View, error) {
	if len(need.AtLeast) > 0 {
		return nil, &pdp.Error{Kind: pdp.Unavailable, Message: "A directory file knows of no announced changes."}
	}
	return f.current.Load(), nil
}

// Directory is the one in force.
func (f *File) Directory() *Directory { return f.current.Load() }

// Status says how the source is doing.
func (f *File) Status() Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status
}

// Close stops watching. The last directory can still be read.
func (f *File) Close() error {
	f.close.Do(func() { close(f.closed) })
	<-f.done
	return nil
}

// Reload reads the file now. An error leaves the directory as it was; one that says that the file is being written does
// not count as a failure, for the file is read once it is closed.
func (f *File) Reload() error {
	f.reading.Lock()
	defer f.reading.Unlock()
	return f.reload()
}

// Checked is a directory that has been read by the tables of another policy, and is not in force yet.
type Checked struct {
	directory, previous *Directory
	vocabulary          pdp.Vocabulary
}

// Check reads the file by the tables of another policy. It changes nothing: no status, no log, no directory. The error is
// a [*record.Faults] where the file breaks a rule under them.
func (f *File) Check(v pdp.Vocabulary) (*Checked, error) {
	f.reading.Lock()
	defer f.reading.Unlock()
	previous := f.current.Load()
	data, err := rotation.Read(f.cfg.Path, MaxSize)
	if err != nil {
		return nil, fmt.Errorf("directory file: %w", err)
	}
	d, err := ParseDocument(data, record.FormatOf(f.cfg.Path), v, previous)
	if err != nil {
		return nil, err
	}
	return &Checked{directory: d, previous: previous, vocabulary: v}, nil
}

// Adopt brings what has been checked into force, and judges the file by those tables from now on. Where another directory
// came into force meanwhile, that one stays until the file has been read anew.
func (f *File) Adopt(c *Checked) {
	f.reading.Lock()
	defer f.reading.Unlock()
	f.vocab = c.vocabulary
	if f.current.Load() == c.previous {
		f.loaded(c.directory, c.previous, time.Now())
	}
	f.changed = f.current.Load() != c.directory
	_ = f.reload() // what was written since; it is told by log and status
	f.changed = false
}

func (f *File) reload() error {
	began := time.Now()
	previous := f.current.Load()
	d, err := f.read(previous)
	if rotation.Unsettled(err) {
		if previous != nil && !f.waiting && errors.Is(err, rotation.ErrBeingWritten) { // told once, not at each attempt
			f.waiting = true
			f.cfg.Logger.Warn("directory file is being written, it is read once it is closed",
				"path", f.cfg.Path, "revision", previous.Revision())
		}
		return err
	}
	f.waiting = false
	if err != nil {
		f.failed(began, err)
		return err
	}
	f.loaded(d, previous, began)
	return nil
}

// loaded brings a directory into force; one that is in force already is confirmed.
func (f *File) loaded(d, previous *Directory, began time.Time) {
	d.confirmed.Store(began.UnixNano())
	f.mu.Lock()
	failed := f.status.Err != nil
	f.status.AttemptedAt, f.status.Err = began, nil
	if d == previous {
		f.mu.Unlock()
		if failed {
			f.cfg.Logger.Info("directory is good again", "path", f.cfg.Path, "revision", d.Revision())
		}
		return
	}
	f.status.Revision, f.status.Locations, f.status.Users = d.Revision(), len(d.All), len(d.users)
	f.status.LoadedAt = began
	if previous != nil {
		f.status.Reloads++
	}
	f.mu.Unlock()
	f.current.Store(d)
	f.cfg.Logger.Info("directory loaded", "path", f.cfg.Path, "revision", d.Revision(),
		"locations", len(d.All), "users", len(d.users), "took", time.Since(began).Round(time.Millisecond))
	if previous != nil && f.cfg.OnReload != nil {
		f.cfg.OnReload(d)
	}
}

func (f *File) failed(began time.Time, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status.AttemptedAt, f.status.Err = began, err
	if f.status.LoadedAt.IsZero() {
		return // the caller of OpenFile is told
	}
	f.status.Failures++
	f.cfg.Logger.Error("directory not loaded, the last good one stays in force",
		"path", f.cfg.Path, "revision", f.status.Revision, "error", err)
}

// read gives the directory that the file says: the previous one where it says the same.
func (f *File) read(previous *Directory) (*Directory, error) {
	data, err := rotation.Read(f.cfg.Path, MaxSize)
	if err != nil {
		return nil, fmt.Errorf("directory file: %w", err)
	}
	if previous != nil && !f.changed && sha256.Sum256(data) == previous.digest {
		return previous, nil
	}
	return ParseDocument(data, record.FormatOf(f.cfg.Path), f.vocab, previous)
}
