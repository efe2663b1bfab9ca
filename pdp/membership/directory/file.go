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

// FileConfig configures a [File].
type FileConfig struct {
	Path       string         // .json, .yaml or .yml; for other names the content determines the format
	Vocabulary pdp.Vocabulary // of the active policy
	Logger     *slog.Logger   // nil means slog.Default()
	Interval   time.Duration  // between polls of the file; 0 means 50 ms
	Settle     time.Duration  // how long a changed file must stay unchanged before it is read; 0 means 150 ms
	// OnReload is called with each directory that replaces another one. It must not call Reload, Check, Activate or Close of
	// the File.
	OnReload func(*Directory)
}

// Status is the state of a [File].
type Status struct {
	Revision         string
	Locations, Users int
	LoadedAt         time.Time // when the current directory was read
	AttemptedAt      time.Time // when reading the file was last attempted
	Err              error     // of that attempt; nil if the current directory has the content of the file
	Reloads          uint64    // how often the directory was replaced
	Failures         uint64    // failed attempts, which left the last good directory in force
}

// File is a source that reads a directory file, and reads it again whenever it changes. If the new content cannot be
// read or has faults, the last good directory stays in force. A File is safe for concurrent use.
type File struct {
	cfg     FileConfig
	current atomic.Pointer[Directory]

	loadMu          sync.Mutex // held while the file is read; guards the next three fields
	vocabulary      pdp.Vocabulary
	mustParse       bool // the directory in force was checked against another vocabulary: parse the file even if it is unchanged
	warnedOfWriting bool // it has been logged that the file is being written

	mu     sync.Mutex // guards status
	status Status

	preparing sync.WaitGroup // lists of the directory in force

	close  sync.Once
	closed chan struct{} // closed by Close
	done   chan struct{} // closed when the watcher has stopped
}

var _ facts.Source = (*File)(nil)

// writerTimeout is how long OpenFile waits for a file that is being written.
const writerTimeout = 5 * time.Second

// settle is how long a changed file must stay unchanged unless the configuration says otherwise.
const settle = 150 * time.Millisecond

// OpenFile loads a directory file and watches it until Close. It fails if the file cannot be read. The error is a
// [*record.Faults] if the directory violates a rule of policies/DOMAIN.md section 1.
func OpenFile(cfg FileConfig) (*File, error) { return openFile(cfg, writerTimeout) }

func openFile(cfg FileConfig, writerTimeout time.Duration) (*File, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Interval <= 0 {
		cfg.Interval = 50 * time.Millisecond
	}
	if cfg.Settle <= 0 {
		cfg.Settle = settle
	}
	f := &File{cfg: cfg, vocabulary: cfg.Vocabulary, closed: make(chan struct{}), done: make(chan struct{})}
	w := newWatcher(cfg) // before the file is first read, so that no change is missed
	err := f.Reload()
	for start := time.Now(); rotation.Unsettled(err) && time.Since(start) < writerTimeout; err = f.Reload() {
		time.Sleep(min(cfg.Settle, writerTimeout))
	}
	if err != nil {
		return nil, err
	}
	go func() {
		defer close(f.done)
		w.run(f.closed, f.Reload)
	}()
	return f, nil
}

// ReadFile loads a directory file once, and returns the moment of which it is. The errors are those of [OpenFile].
func ReadFile(path string, v pdp.Vocabulary) (d *Directory, asOf time.Time, err error) {
	f := &File{cfg: FileConfig{Path: path}, vocabulary: v}
	for start := time.Now(); ; time.Sleep(settle) {
		asOf = time.Now()
		if d, err = f.read(nil); !rotation.Unsettled(err) || time.Since(start) >= writerTimeout {
			return d, asOf, err
		}
	}
}

// View implements [facts.Source]. A file has no announced changes, so a requirement that names one cannot be satisfied.
func (f *File) View(_ context.Context, need facts.Requirement) (facts.View, error) {
	if len(need.AtLeast) > 0 {
		return nil, &pdp.Error{Kind: pdp.Unavailable, Message: "A directory file has no announced changes."}
	}
	return f.current.Load(), nil
}

// Directory returns the directory in force.
func (f *File) Directory() *Directory { return f.current.Load() }

// Status returns the current status.
func (f *File) Status() Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status
}

// Close stops watching the file. The last directory remains readable.
func (f *File) Close() error {
	f.close.Do(func() { close(f.closed) })
	<-f.done
	f.loadMu.Lock() // so that nothing else is prepared
	defer f.loadMu.Unlock()
	f.preparing.Wait()
	return nil
}

// Reload reads the file now. After an error the last good directory stays in force. If the error is that the file is
// being written, it does not count as a failure, because the file is read again once it is closed.
func (f *File) Reload() error {
	f.loadMu.Lock()
	defer f.loadMu.Unlock()
	return f.reload()
}

// Checked is a directory that was checked against the vocabulary of another policy and is not yet in force.
type Checked struct {
	directory, previous *Directory
	vocabulary          pdp.Vocabulary
}

// Check reads the file and checks it against the vocabulary of another policy. It does not change the directory in force
// or the status, and does not log. The error is a [*record.Faults] if the directory has faults under that vocabulary.
func (f *File) Check(v pdp.Vocabulary) (*Checked, error) {
	f.loadMu.Lock()
	defer f.loadMu.Unlock()
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

// Activate puts a checked directory in force, and from then on checks the file against its vocabulary. If another
// directory came into force after the check, that one is newer and stays until the file has been read again.
func (f *File) Activate(c *Checked) {
	f.loadMu.Lock()
	defer f.loadMu.Unlock()
	f.vocabulary = c.vocabulary
	if f.current.Load() == c.previous {
		f.setDirectory(c.directory, c.previous, time.Now())
	}
	f.mustParse = f.current.Load() != c.directory
	_ = f.reload() // the file may have changed since the check; log and status report errors
	f.mustParse = false
}

func (f *File) reload() error {
	start := time.Now()
	previous := f.current.Load()
	d, err := f.read(previous)
	if rotation.Unsettled(err) {
		if previous != nil && !f.warnedOfWriting && errors.Is(err, rotation.ErrBeingWritten) {
			f.warnedOfWriting = true
			f.cfg.Logger.Warn("directory file is being written, it will be read once it is closed",
				"path", f.cfg.Path, "revision", previous.Revision())
		}
		return err
	}
	f.warnedOfWriting = false
	if err != nil {
		f.recordFailure(start, err)
		return err
	}
	f.setDirectory(d, previous, start)
	return nil
}

// setDirectory puts a directory in force. If it equals the previous one, the file has not changed, and its facts are as
// recent as start.
func (f *File) setDirectory(d, previous *Directory, start time.Time) {
	d.confirmed.Store(start.UnixNano())
	f.mu.Lock()
	failed := f.status.Err != nil
	f.status.AttemptedAt, f.status.Err = start, nil
	if d == previous {
		f.mu.Unlock()
		if failed {
			f.cfg.Logger.Info("directory file is good again", "path", f.cfg.Path, "revision", d.Revision())
		}
		return
	}
	f.status.Revision, f.status.Locations, f.status.Users = d.Revision(), len(d.All), len(d.users)
	f.status.LoadedAt = start
	if previous != nil {
		f.status.Reloads++
	}
	f.mu.Unlock()
	f.current.Store(d)
	// It is in force by now: a revocation does not wait for lists.
	f.preparing.Go(func() { d.prepareLists(previous, func() bool { return f.current.Load() == d }) })
	f.cfg.Logger.Info("directory loaded", "path", f.cfg.Path, "revision", d.Revision(),
		"locations", len(d.All), "users", len(d.users), "took_ms", time.Since(start).Milliseconds())
	if previous != nil && f.cfg.OnReload != nil {
		f.cfg.OnReload(d)
	}
}

func (f *File) recordFailure(start time.Time, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status.AttemptedAt, f.status.Err = start, err
	if f.status.LoadedAt.IsZero() {
		return // OpenFile returns the error
	}
	f.status.Failures++
	f.cfg.Logger.Error("directory not loaded, the last good one stays in force",
		"path", f.cfg.Path, "revision", f.status.Revision, "error", err)
}

// read returns the directory in the file. If the file has not changed, that is the previous one.
func (f *File) read(previous *Directory) (*Directory, error) {
	data, err := rotation.Read(f.cfg.Path, MaxSize)
	if err != nil {
		return nil, fmt.Errorf("directory file: %w", err)
	}
	if previous != nil && !f.mustParse && sha256.Sum256(data) == previous.digest {
		return previous, nil
	}
	return ParseDocument(data, record.FormatOf(f.cfg.Path), f.vocabulary, previous)
}
