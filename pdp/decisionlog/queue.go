package decisionlog

import (
	"slices"
	"time"
)

// take moves records from the queue to the batch. It returns those, and reports whether more are left.
func (l *Log) take() (taken []*entry, more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, size := 0, int64(0)
	for n < len(l.queue) && (n == 0 || size+l.queue[n].size() <= batchBytes) {
		size += l.queue[n].size()
		n++
	}
	from := len(l.batch)
	l.batch = append(l.batch, l.queue[:n]...)
	l.queue = slices.Delete(l.queue, 0, n)
	return l.batch[from:], len(l.queue) > 0
}

// queued returns the number of records that wait to be taken.
func (l *Log) queued() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue)
}

// isCrowded reports whether half of the room for records is taken.
func (l *Log) isCrowded() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.crowded()
}

func (l *Log) crowded() bool {
	return l.records > l.cfg.QueueRecords/2 || l.bytes > l.cfg.QueueBytes/2
}

// claim returns those of the entries, the last of the batch, that nobody has given up. From now on nobody can.
func (l *Log) claim(entries []*entry) []*entry {
	if len(entries) == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	before := len(l.batch) - len(entries)
	kept := slices.DeleteFunc(entries, func(e *entry) bool {
		if e.canceled {
			l.release(e)
		}
		return e.canceled
	})
	for _, e := range kept {
		e.writing = true
	}
	l.batch = l.batch[:before+len(kept)]
	l.makeRoom()
	return kept
}

// release makes room for other records. The caller tells that there is room.
func (l *Log) release(e *entry) {
	l.records--
	l.bytes -= e.size()
}

// settle ends entries.
func (l *Log) settle(entries []*entry, err error) {
	for _, e := range entries {
		l.release(e)
		if e.done != nil {
			e.done <- err
		} else {
			e.free()
		}
	}
	l.makeRoom()
}

// makeRoom wakes those who wait for room.
func (l *Log) makeRoom() {
	close(l.room)
	l.room = make(chan struct{})
}

// succeed ends the entries of the batch that are on disk, all but so many of the last, and an outage if those are none.
func (l *Log) succeed(but int) {
	l.mu.Lock()
	synced := len(l.batch) - but
	l.settle(l.batch[:synced], nil)
	l.batch = slices.Delete(l.batch, 0, synced)
	recovered, lost := but == 0 && l.failing != nil, l.status.Lost
	if recovered {
		l.failing = nil
	}
	l.mu.Unlock()
	if recovered {
		l.cfg.Logger.Warn("decision log can be written again", "dir", l.cfg.Dir, "lost", lost)
	}
}

// fail notes that the batch could not be written, and returns what the policy keeps of it.
func (l *Log) fail(err error) []*entry {
	l.mu.Lock()
	first := l.failing == nil
	kept := l.retain(err)
	l.mu.Unlock()
	if first {
		l.cfg.Logger.Error("decision log cannot be written", "dir", l.cfg.Dir, "error", err)
	}
	return kept
}

func (l *Log) retain(err error) []*entry {
	l.failing, l.status.LastError, l.status.LastErrorAt = err, err, time.Now()
	if l.cfg.Full == Block || l.cfg.Durability == Buffered {
		for _, e := range l.batch {
			e.writing = false
		}
		return l.batch
	}
	waiting := slices.DeleteFunc(l.queue, func(e *entry) bool {
		if e.canceled {
			l.release(e)
		}
		return e.canceled
	})
	waiting = append(l.batch, waiting...)
	l.batch, l.queue = nil, nil
	l.settle(waiting, l.refuse(len(waiting), unwritable(err)))
	return nil
}

// abandon counts what is left as lost.
func (l *Log) abandon() {
	l.mu.Lock()
	defer l.mu.Unlock()
	left := append(slices.Clone(l.batch), l.queue...)
	l.batch, l.queue = nil, nil
	for _, e := range left {
		if !e.canceled {
			l.unwritten++
			if e.done == nil {
				l.status.Lost++
			}
		}
	}
	l.settle(left, ErrClosed)
}

func (l *Log) isFailing() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failing != nil
}

func (l *Log) lost() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.status.Lost
}

// toState returns the oldest segment for the next checkpoint to name.
func (l *Log) toState() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.oldest
}

// mustState reports whether a checkpoint is needed before segments can be deleted.
func (l *Log) mustState() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.oldest > l.stated
}

// grown notes what is on disk.
func (l *Log) grown(w *writer, records int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.active, l.writing = w.size, w.number
	l.tellFollowers()
	l.status.Appended += uint64(records)
	l.status.Seq = w.seq
	if w.oldest > l.stated {
		l.stated = w.oldest
		signal(l.tidy)
	}
}

func (l *Log) finished(s segment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.active = 0
	l.segments = append(l.segments, s)
	signal(l.tidy)
	l.tellFollowers()
}

// tellFollowers wakes those who wait for more to read.
func (l *Log) tellFollowers() {
	close(l.grew)
	l.grew = make(chan struct{})
}
