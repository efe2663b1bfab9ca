package decisionlog

import (
	"errors"
	"fmt"
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
	chain // what is on disk

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
		closing := false
		select {
		case <-w.l.wake:
			w.collect()
		case <-tick.C:
		case <-w.l.closing:
			closing = true
		}
		for {
			batch := w.l.take()
			if len(batch) == 0 && !w.due() {
				break
			}
			if !w.persist(batch, false) {
				return
			}
		}
		if closing {
			w.persist(nil, true)
			return
		}
	}
}

// collect lets more records come, with [Buffered], to share a sync.
func (w *writer) collect() {
	if w.l.cfg.Durability == Sync {
		w.gather()
		return
	}
	timer := time.NewTimer(flushInterval)
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
	return w.unconfirmed > 0 && time.Since(w.confirmed) >= checkpointInterval || w.complete() || w.l.mustState()
}

// complete reports whether the segment is to be closed.
func (w *writer) complete() bool {
	return w.file != nil && w.hasRecord && (w.size >= w.l.cfg.MaxSegment || w.l.cfg.now().Sub(w.opened) >= w.l.cfg.MaxSegmentAge)
}

// persist writes a batch, again and again while the disk fails and the policy keeps the batch. It returns false if it gave up.
func (w *writer) persist(batch []*entry, end bool) bool {
	for wait := minRetry; ; wait = min(2*wait, maxRetry) {
		batch = w.l.claim(batch)
		err := w.write(batch, end)
		if err == nil {
			w.l.succeed(batch)
			return true
		}
		batch = w.l.fail(batch, err)
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
// of it counts as written.
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

// create begins a segment.
func (w *writer) create() error {
	if _, err := os.Lstat(w.path()); err == nil && !w.begun { // nothing of another process is overwritten
		return fmt.Errorf("%s exists: does another process write to the folder?", segmentName(w.number, false))
	}
	now := w.l.cfg.now()
	h := head{Format: format, Log: w.log, Segment: w.number, Seq: w.seq, Prev: w.hash.String(), Time: now.UTC(), Oldest: w.l.toState(), Leaves: w.leaves}
	buf, hash, err := appendSigned(w.buf[:0], w.hash, headStart, h, w.l.cfg.Signer())
	if err != nil {
		return err
	}
	w.begun = true
	f, err := w.l.cfg.openFile(w.path())
	if err != nil {
		return err
	}
	if err = f.Truncate(0); err == nil { // an earlier attempt may have left something
		_, err = f.Write(buf)
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = syncDir(w.l.cfg.Dir)
	}
	var named os.FileInfo
	if err == nil {
		named, err = os.Lstat(w.path())
	}
	if err != nil { // the next attempt has the same name, so nothing may be left of this one
		return errors.Join(err, f.Close(), os.Remove(w.path()))
	}
	w.file, w.named, w.begun, w.size, w.opened, w.hasRecord, w.leaves = f, named, false, int64(len(buf)), now, false, ""
	w.segment, w.hash, w.oldest, w.ended = w.number, hash, h.Oldest, false
	w.known.reset()
	w.unconfirmed, w.confirmed = 0, now
	w.l.grown(w, 0)
	return nil
}

// put appends records, and a checkpoint when one is due, and syncs them.
func (w *writer) put(batch []*entry, end bool) error {
	next, buf := w.chain, w.buf[:0]
	for _, e := range batch {
		next.seq++
		buf, next.hash = appendRecord(buf, next.hash, next.seq, e, &w.known)
	}
	confirm := end || len(batch) == 0 || w.unconfirmed+len(batch) >= w.l.cfg.checkpointEvery || time.Since(w.confirmed) >= checkpointInterval
	lost := w.l.lost()
	if confirm {
		next.oldest, next.ended = w.l.toState(), end
		c := checkpoint{Segment: w.segment, Seq: next.seq, Time: w.l.cfg.now().UTC(), Oldest: next.oldest, Lost: lost - w.lost, Torn: w.torn, End: end}
		var err error
		if buf, next.hash, err = appendSigned(buf, next.hash, checkpointStart, c, w.l.cfg.Signer()); err != nil {
			return w.undo(err, false)
		}
	}
	if _, err := w.file.Write(buf); err != nil {
		return w.undo(err, false)
	}
	if err := w.file.Sync(); err != nil {
		return w.undo(err, true)
	}
	if now, err := os.Lstat(w.path()); err != nil || !os.SameFile(now, w.named) {
		return w.undo(fmt.Errorf("%s was removed or replaced", segmentName(w.number, false)), true)
	}
	w.chain, w.buf = next, buf
	w.size += int64(len(buf))
	w.hasRecord = w.hasRecord || len(batch) > 0
	w.unconfirmed += len(batch)
	if confirm {
		w.unconfirmed, w.confirmed, w.lost, w.torn = 0, time.Now(), lost, 0
		w.announce(end)
	}
	w.l.grown(w, len(batch))
	if end {
		w.finish()
	}
	return nil
}

// undo removes what was written in part. If that fails, or if nobody knows what is on disk, because a sync failed or another file
// has the name, the rest of the segment is left behind and another one begins.
func (w *writer) undo(cause error, unknown bool) error {
	w.known.reset()
	if err := w.file.Truncate(w.size); err != nil || unknown {
		w.leaves = leavesUnsynced
		w.finish()
	}
	return cause
}

// finish closes the segment.
func (w *writer) finish() {
	w.l.finished(segment{number: w.number, size: w.size, ended: w.l.cfg.now()})
	w.number, w.begun = w.number+1, false
	_ = w.closeFile() // what counts has been synced
}

func (w *writer) closeFile() error {
	if w.file == nil {
		return nil
	}
	err := w.file.Close()
	w.file = nil
	return err
}

// announce writes the checkpoint to the logger, for an outside copy.
func (w *writer) announce(end bool) {
	if end || time.Since(w.announced) >= announceInterval {
		w.announced = time.Now()
		w.l.cfg.Logger.Info("decision log checkpoint", "seq", w.seq, "hash", w.hash.String(), "segment", w.segment)
	}
}
