package decisionlog

import (
	"errors"
	"fmt"
	"os"
	"time"
)

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

// put appends records, and a checkpoint when one is due, and syncs them and what is ahead, which may wait with [Buffered].
func (w *writer) put(batch []*entry, end bool) error {
	if w.ahead.records == 0 {
		w.ahead = ahead{chain: w.chain, size: w.size, since: time.Now()}
	}
	next, buf := &w.ahead, w.buf[:0]
	for _, e := range batch {
		next.seq++
		buf, next.hash = appendRecord(buf, next.hash, next.seq, e, &w.known)
	}
	next.records += len(batch)
	confirm := end || next.records == 0 || w.unconfirmed+next.records >= w.l.cfg.checkpointEvery ||
		time.Since(w.confirmed) >= checkpointInterval || w.l.mustState()
	lost := w.l.lost()
	if confirm {
		next.oldest, next.ended = w.l.toState(), end
		c := checkpoint{Segment: w.segment, Seq: next.seq, Time: w.l.cfg.now().UTC(), Oldest: next.oldest, Lost: lost - w.lost, Torn: w.torn, End: end}
		var err error
		if buf, next.hash, err = appendSigned(buf, next.hash, checkpointStart, c, w.l.cfg.Signer()); err != nil {
			return w.undo(err, false)
		}
	}
	w.buf = buf
	if _, err := w.file.Write(buf); err != nil {
		return w.undo(err, false)
	}
	next.size += int64(len(buf))
	if w.l.cfg.Durability == Buffered && !confirm && !w.mustSync() && !w.l.isCrowded() {
		return nil
	}
	if err := w.sync(); err != nil {
		return err
	}
	if confirm {
		w.unconfirmed, w.confirmed, w.lost, w.torn = 0, time.Now(), lost, 0
		w.announce(end)
	}
	if end {
		w.finish()
	}
	return nil
}

// sync syncs what is ahead.
func (w *writer) sync() error {
	if err := w.file.Sync(); err != nil {
		return w.undo(err, true)
	}
	if now, err := os.Lstat(w.path()); err != nil || !os.SameFile(now, w.named) {
		return w.undo(fmt.Errorf("%s was removed or replaced", segmentName(w.number, false)), true)
	}
	records := w.ahead.records
	w.chain, w.size = w.ahead.chain, w.ahead.size
	w.hasRecord = w.hasRecord || records > 0
	w.unconfirmed += records
	w.ahead = ahead{}
	w.l.grown(w, records)
	return nil
}

// undo removes what is ahead. If that fails, or if nobody knows what is on disk, because a sync failed or another file has the name,
// the rest of the segment is left behind and another one begins.
func (w *writer) undo(cause error, unknown bool) error {
	w.known.reset()
	w.ahead = ahead{}
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
