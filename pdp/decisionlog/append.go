package decisionlog

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/decisionpart"
)

// entry is a record on its way to the disk.
type entry struct {
	at     time.Time
	record []byte
	parts  []decisionpart.Placed
	weight int64      // see size
	done   chan error // nil if nobody waits
	kept   *waiting   // nil if nobody has waited yet

	// guarded by Log.mu:
	writing  bool // too late to give it up
	canceled bool
}

// waiting is what a caller needs to wait for an entry. Like the entry, it is used again.
type waiting struct {
	done  chan error
	timer *time.Timer
}

// entries are used again, with their buffers.
var entries = sync.Pool{New: func() any { return new(entry) }}

// maxPooledRecord is the size of the largest buffer that is kept for later records, in bytes.
const maxPooledRecord = 16 << 10

// newEntry returns an entry with a copy of a record.
func newEntry(r decisionpart.Record) (*entry, error) {
	whole, weight := len(r.JSON), len(r.JSON)+aroundRecord
	for _, p := range r.Parts {
		whole += len(p.Part.Value())
		weight += len(p.Part.Value()) + aroundPart
	}
	if whole > MaxRecord || weight > maxLine {
		return nil, fmt.Errorf("a record of the decision log has %d bytes: %d is the limit", whole, MaxRecord)
	}
	e := entries.Get().(*entry)
	e.at, e.weight = time.Now(), int64(weight)
	e.record, e.parts = append(e.record[:0], r.JSON...), append(e.parts[:0], r.Parts...)
	return e, nil
}

// free gives an entry back that nobody refers to any more.
func (e *entry) free() {
	if cap(e.record) > maxPooledRecord {
		return
	}
	clear(e.parts)
	*e = entry{record: e.record[:0], parts: e.parts[:0], kept: e.kept}
	entries.Put(e)
}

// size is what the entry counts for in the queue, in bytes: those of its lines, if the segment has none of its parts.
func (e *entry) size() int64 { return e.weight }

// Append appends a copy of a record, which has at most [MaxRecord] bytes with its parts. It does not check that the record is one:
// see [decisionpart.NewRecord]. With [Sync] it returns when the record is on disk, with [Buffered] when it is queued. See
// [FailurePolicy] for what it does if that is not possible.
//
// If the context ends first, the error wraps its cause; a record that was being written at that moment may still be appended.
func (l *Log) Append(ctx context.Context, record decisionpart.Record) error {
	e, err := newEntry(record)
	if err != nil {
		return err
	}
	if l.cfg.Durability == Sync {
		e.expect()
	}
	queued, err := l.enqueue(ctx, e)
	if err != nil || !queued {
		e.free()
		return err
	}
	if l.cfg.Durability == Buffered {
		return nil // the writer frees it
	}
	if err, ended := e.await(ctx); ended {
		e.free()
		return err
	}
	return l.giveUp(ctx, e)
}

// usualSync is longer than most syncs take.
const usualSync = 20 * time.Millisecond

// expect prepares an entry for a caller that waits for it.
func (e *entry) expect() {
	if e.kept == nil {
		e.kept = &waiting{make(chan error, 1), time.NewTimer(usualSync)}
	}
	e.done = e.kept.done
}

// await waits until the entry is written or has failed, or the context ends. It returns false in the latter case. In the first
// usualSync only the context's deadline counts, so a cancellation is noticed that much later: to make the channel of a context for
// each record takes longer than to write the record.
func (e *entry) await(ctx context.Context) (err error, ended bool) {
	patience := usualSync
	if deadline, ok := ctx.Deadline(); ok {
		patience = min(patience, time.Until(deadline))
	}
	e.kept.timer.Reset(patience)
	select {
	case err := <-e.done:
		e.kept.timer.Stop()
		return err, true
	case <-e.kept.timer.C:
	}
	select {
	case err := <-e.done:
		return err, true
	case <-ctx.Done():
		return nil, false
	}
}

// enqueue queues an entry. It may have to wait for room. If it returns neither true nor an error, the record is lost and counted.
func (l *Log) enqueue(ctx context.Context, e *entry) (queued bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		switch {
		case l.closed:
			return false, ErrClosed
		case l.failing != nil && (l.cfg.Full == Deny || l.cfg.Full == Count && l.cfg.Durability == Sync):
			return false, l.refuse(1, unwritable(l.failing))
		case l.records < l.cfg.QueueRecords && l.bytes+e.size() <= l.cfg.QueueBytes:
			l.push(e)
			return true, nil
		case l.cfg.Full != Block:
			return false, l.refuse(1, ErrQueueFull)
		}
		room := l.room
		l.mu.Unlock()
		select {
		case <-room:
		case <-l.closing:
		case <-ctx.Done():
			l.mu.Lock()
			return false, fmt.Errorf("%w: %w", ErrQueueFull, context.Cause(ctx))
		}
		l.mu.Lock()
	}
}

// taking reports whether any record is taken at once.
func (l *Log) taking() bool {
	switch {
	case l.closed:
		return false
	case l.cfg.Full == Count:
		return true
	case l.failing != nil && (l.cfg.Full == Deny || l.cfg.Durability == Sync):
		return false
	}
	return l.records < l.cfg.QueueRecords && l.bytes+maxLine <= l.cfg.QueueBytes
}

func (l *Log) push(e *entry) {
	l.queue = append(l.queue, e)
	l.records++
	l.bytes += e.size()
	signal(l.wake)
	if l.crowded() {
		signal(l.hurry)
	}
}

// refuse returns what Append returns for records that are not written.
func (l *Log) refuse(records int, err error) error {
	if l.cfg.Full != Count {
		return err
	}
	l.status.Lost += uint64(records)
	return nil
}

func unwritable(err error) error { return fmt.Errorf("the decision log cannot be written: %w", err) }

// giveUp ends waiting for an entry.
func (l *Log) giveUp(ctx context.Context, e *entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case err := <-e.done: // just now
		return err
	default:
	}
	err := fmt.Errorf("waiting for the decision log: %w", context.Cause(ctx))
	if l.failing != nil {
		err = fmt.Errorf("%w: %w", unwritable(l.failing), context.Cause(ctx))
	}
	if e.writing {
		if l.cfg.Full == Count {
			return nil // it is counted when it is known
		}
		return err
	}
	e.canceled = true
	return l.refuse(1, err)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
