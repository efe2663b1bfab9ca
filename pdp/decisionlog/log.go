package decisionlog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

var (
	// ErrClosed reports that the log was closed before the record was written.
	ErrClosed = errors.New("the decision log is closed")
	// ErrQueueFull reports that too many records wait to be written.
	ErrQueueFull = errors.New("the queue of the decision log is full")
)

// Log is the writer of a folder. It is safe for concurrent use.
type Log struct {
	cfg     Config
	id      string
	unlock  func() error
	wake    chan struct{} // the writer has something to do
	hurry   chan struct{} // half of the room for records is taken
	tidy    chan struct{} // there are segments to compress or delete
	closing chan struct{} // closed by Close
	abort   chan struct{} // closed when the context of Close has ended
	done    chan struct{} // closed when nothing runs any more

	mu        sync.Mutex // never held during input or output
	queue     []*entry
	batch     []*entry      // that are being written
	records   int           // in the queue and the batch
	bytes     int64         // of them
	room      chan struct{} // closed, and replaced, when there is room again
	closed    bool
	aborted   bool
	unwritten int           // records that were given up when the log was closed
	segments  []segment     // that are closed, in order
	active    int64         // bytes of the one that is not; 0 if there is none
	writing   uint64        // its number
	grew      chan struct{} // closed, and replaced, when there is more to read
	oldest    uint64        // segment that is kept; those before are to be deleted
	stated    uint64        // oldest, as a checkpoint on disk says
	status    Status
	failing   error
}

// Open opens the log in a folder, which no other process may write to, and starts writing. It cuts off an incomplete end, which
// a killed process leaves behind. If something else is broken, it goes on in a new segment and leaves the broken one as it is. The
// logger and [Log.Status] tell both.
//
// A full disk is no error here, but treated by the policy for failures.
func Open(cfg Config) (*Log, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := errors.Join(os.MkdirAll(cfg.Dir, 0o700), syncDir(filepath.Dir(cfg.Dir))); err != nil {
		return nil, fmt.Errorf("cannot create the folder of the decision log: %w", err)
	}
	unlock, err := lock(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("the decision log: %w", err)
	}
	found, err := recoverFolder(cfg.Dir)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot open the decision log: %w", err), unlock())
	}
	if cfg.MaxAge > 0 {
		found.date(cfg.Dir, cfg.now())
	}
	l := &Log{
		cfg: cfg, id: found.log, unlock: unlock, segments: found.closed, oldest: found.oldest, stated: found.oldest,
		wake: make(chan struct{}, 1), hurry: make(chan struct{}, 1), tidy: make(chan struct{}, 1),
		closing: make(chan struct{}), abort: make(chan struct{}), done: make(chan struct{}), room: make(chan struct{}), grew: make(chan struct{}),
	}
	l.writing, l.status.Seq = found.number, found.seq
	l.reportRecovery(found)
	if info, err := os.Stat(cfg.Dir); err == nil && info.Mode().Perm()&0o002 != 0 {
		cfg.Logger.Warn("Every user of this machine can write to the folder of the decision log: remove that permission (chmod o-w).", "dir", cfg.Dir)
	}
	w := newWriter(l, found)
	if err := w.start(found); err != nil {
		if !isFull(err) {
			return nil, errors.Join(fmt.Errorf("cannot open the decision log: %w", err), w.closeFile(), unlock())
		}
		l.fail(err)
	}
	var running sync.WaitGroup
	running.Go(w.run)
	running.Go(l.keepTidy)
	go func() {
		running.Wait()
		_ = l.unlock()
		close(l.done)
	}()
	return l, nil
}

func (l *Log) reportRecovery(found recovery) {
	l.status.Torn = found.torn
	if found.torn > 0 {
		l.cfg.Logger.Warn("decision log: an incomplete end was cut off", "dir", l.cfg.Dir, "segment", found.number, "bytes", found.torn, "seq", found.seq)
	}
	if found.broken != nil {
		l.status.Broken = found.broken.Error()
		l.cfg.Logger.Error("decision log is broken: it goes on in a new segment, and the broken one is left as it is; run wardkeeper log verify",
			"dir", l.cfg.Dir, "segment", found.number, "error", found.broken)
	}
}

// isFull reports whether an error says that there is no room on the disk.
func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// Close writes what is queued and a last checkpoint. It waits until the context ends, then gives up: what has not been written by
// then is counted as lost, and an error says how many records that are. Append fails from its start on.
func (l *Log) Close(ctx context.Context) error {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.closing)
	}
	l.mu.Unlock()
	select {
	case <-l.done:
	case <-ctx.Done():
		l.mu.Lock()
		if !l.aborted {
			l.aborted = true
			close(l.abort)
		}
		l.mu.Unlock()
		select {
		case <-l.done:
		case <-time.After(syncInterval): // the disk does not answer
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch left := l.records + l.unwritten; {
	case left > 0:
		return fmt.Errorf("the decision log was closed before %d records were on disk", left)
	case l.failing != nil:
		return fmt.Errorf("the decision log was closed without a last checkpoint: %w", l.failing)
	}
	return nil
}

// Status is the state of a log.
type Status struct {
	Appended uint64 // records on disk, since Open
	Lost     uint64 // records that were neither written nor refused, since Open

	Queued      int // records that wait to be written
	QueuedBytes int64
	Lag         time.Duration // age of the oldest of them

	Failing     error // why nothing can be written now; nil if nothing is wrong
	Taking      bool  // records are taken now, even if they cannot be written: they wait, or are counted as lost
	LastError   error // the last reason, and when it occurred
	LastErrorAt time.Time

	Segments int   // files
	Bytes    int64 // of them
	Seq      uint64
	Torn     int64  // bytes of an incomplete end that Open cut off
	Broken   string // what Open found broken, "" if nothing
}

// Status returns the state of the log. It waits for no disk.
func (l *Log) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.status
	s.Queued, s.QueuedBytes, s.Failing, s.Bytes = l.records, l.bytes, l.failing, l.active
	s.Taking = l.taking()
	switch {
	case len(l.batch) > 0:
		s.Lag = time.Since(l.batch[0].at)
	case len(l.queue) > 0:
		s.Lag = time.Since(l.queue[0].at)
	}
	if l.active > 0 {
		s.Segments++
	}
	for _, closed := range l.segments {
		s.Segments++
		s.Bytes += closed.size
	}
	return s
}
