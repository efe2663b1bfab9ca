package decisionlog

import (
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// The waits between attempts to write to a disk that fails.
const (
	minRetry = 50 * time.Millisecond
	maxRetry = time.Second
)

// writer writes segments. All of its methods run in one goroutine.
type writer struct {
	l     *Log
	chain // what is on disk: written and synced
	ahead ahead

	file      file        // nil if there is none
	named     os.FileInfo // the file that has its name
	begun     bool        // an earlier attempt to create the segment has failed
	number    uint64
	size      int64 // on disk
	opened    time.Time
	hasRecord bool
	leaves    string

	known       partTable // the parts that the segment has
	buf         []byte
	unconfirmed int // records after the last checkpoint
	confirmed   time.Time
	announced   time.Time
	lost        uint64 // as the checkpoints say
	torn        int64  // to be said by the next checkpoint
}

// ahead is what has been written to the segment and not been synced.
type ahead struct {
	chain         // after it
	size    int64 // of the segment with it
	records int   // 0: there is nothing
	since   time.Time
}

func newWriter(l *Log, found recovery) *writer {
	found.parts = nil // their numbers begin anew
	return &writer{l: l, chain: found.chain, number: found.number, leaves: found.leaves, torn: found.torn, confirmed: time.Now()}
}

// start opens the segment to go on in.
func (w *writer) start(found recovery) error {
	if found.size == 0 {
		return w.write(nil, false)
	}
	f, err := w.l.cfg.openFile(w.path())
	if err != nil {
		return err
	}
	w.file, w.size, w.opened, w.hasRecord = f, found.size, found.opened, true
	if w.named, err = os.Lstat(w.path()); err != nil {
		return err
	}
	if err := f.Truncate(found.size); err != nil {
		return err
	}
	return w.write(nil, false)
}

func (w *writer) path() string {
	return filepath.Join(w.l.cfg.Dir, segmentName(w.number, false))
}

// run writes what is queued until the log is closed.
func (w *writer) run() {
	defer func() { _ = w.closeFile() }()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	if w.l.isFailing() && !w.persist(nil, false) {
		return
	}
	for {
		var sync <-chan time.Time
		if w.ahead.records > 0 {
			sync = time.After(time.Until(w.ahead.since.Add(syncInterval)))
		}
		closing := false
		select {
		case <-w.l.wake:
			w.collect()
		case <-sync:
		case <-tick.C:
		case <-w.l.closing:
			closing = true
		}
		if !w.drain() {
			return
		}
		if closing {
			w.persist(nil, true)
			return
		}
	}
}

// drain writes what is queued, and what else is to be written. It returns false if it gave up.
func (w *writer) drain() bool {
	for more := true; more || w.due(); {
		var batch []*entry
		if !w.complete() { // it is closed first
			batch, more = w.l.take()
		}
		if len(batch) == 0 && !w.due() {
			return true
		}
		if !w.persist(batch, false) {
			return false
		}
	}
	return true
}

// collect lets more records come, to be written and synced together.
func (w *writer) collect() {
	if w.l.cfg.Durability == Sync {
		w.gather()
		return
	}
	timer := time.NewTimer(collectInterval)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.l.hurry:
	case <-w.l.closing:
	}
}

// gather lets the goroutines that can run append their records first, as long as that brings more. It takes no time when
// nothing else is to be done.
func (w *writer) gather() {
	for queued := 0; ; {
		runtime.Gosched()
		now := w.l.queued()
		if now <= queued {
			return
		}
		queued = now
	}
}

// due reports whether there is something to write apart from records.
func (w *writer) due() bool {
	return w.unconfirmed > 0 && time.Since(w.confirmed) >= checkpointInterval || w.mustSync() || w.complete() || w.l.mustState()
}

// mustSync reports whether something has been left unsynced for long enough.
func (w *writer) mustSync() bool {
	return w.ahead.records > 0 && time.Since(w.ahead.since) >= syncInterval
}

// complete reports whether the segment is to be closed.
func (w *writer) complete() bool {
	return w.file != nil && w.hasRecord && (w.size >= w.l.cfg.MaxSegment || w.l.cfg.now().Sub(w.opened) >= w.l.cfg.MaxSegmentAge)
}

// persist writes records, the last of the log's batch, again and again while the disk fails and the policy keeps the batch. It
// returns false if it gave up.
func (w *writer) persist(batch []*entry, end bool) bool {
	for wait := minRetry; ; wait = min(2*wait, maxRetry) {
		batch = w.l.claim(batch)
		err := w.write(batch, end)
		if err == nil {
			w.l.succeed(w.ahead.records)
			return true
		}
		batch = w.l.fail(err)
		retry := time.NewTimer(wait)
		select {
		case <-retry.C:
		case <-w.l.abort:
			retry.Stop()
			w.l.abandon()
			return false
		}
	}
}

// write puts records on disk, or a checkpoint or head if there are none, and opens and closes segments for them. After an error nothing
// counts as written that has not been synced.
func (w *writer) write(batch []*entry, end bool) error {
	if w.complete() && !end {
		if err := w.put(nil, true); err != nil {
			return err
		}
	}
	if w.file == nil {
		if err := w.create(); err != nil {
			return err
		}
		if len(batch) == 0 && !end {
			return nil // the head says what a checkpoint does
		}
	}
	return w.put(batch, end)
}
