package logging

import (
	"bytes"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxBuffered limits the bytes of lines that have not been written; a line that does not fit is dropped.
	maxBuffered = 4 << 20
	// flushDelay is how long lines are collected, so that one write takes many of them. A process that is killed loses the
	// lines of this time.
	flushDelay = 10 * time.Millisecond
)

// Writer writes lines in the background and in order. It is safe for concurrent use.
type Writer struct {
	out  io.Writer
	note func(dropped int64) []byte // returns the line that reports dropped lines
	torn bool                       // the last write ended within a line; only for run

	mu         sync.Mutex
	buffer     []byte
	unreported int64 // lines dropped since the last note
	closed     bool
	dropped    atomic.Int64

	pseudonym atomic.Pointer[func(id string) string] // nil: ids of people are kept

	wake chan struct{} // holds one element if there is work
	done chan struct{} // closed when everything is written and the writer has ended
}

func newWriter(out io.Writer, note func(dropped int64) []byte) *Writer {
	w := &Writer{out: out, note: note, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go w.run()
	return w
}

// HidePeople replaces the ids of people in lines from now on.
func (w *Writer) HidePeople(pseudonym func(id string) string) { w.pseudonym.Store(&pseudonym) }

// Write buffers a line or drops it. It never blocks and never fails.
func (w *Writer) Write(line []byte) (int, error) {
	w.mu.Lock()
	switch {
	case w.closed || len(w.buffer)+len(line) > maxBuffered:
		w.unreported++
		w.dropped.Add(1)
	default:
		w.buffer = append(w.buffer, line...)
	}
	first := len(w.buffer) == len(line)
	w.mu.Unlock()
	if first {
		w.signal()
	}
	return len(line), nil
}

func (w *Writer) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Dropped returns the number of lines dropped so far.
func (w *Writer) Dropped() int64 { return w.dropped.Load() }

// Close writes the buffered lines, within the timeout. It drops later lines.
func (w *Writer) Close(timeout time.Duration) {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.signal()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-w.done:
	case <-timer.C:
	}
}

func (w *Writer) run() {
	defer close(w.done)
	var spare []byte // the buffer written last, reused
	for range w.wake {
		w.mu.Lock()
		closed := w.closed
		w.mu.Unlock()
		if !closed {
			time.Sleep(flushDelay)
		}
		for {
			w.mu.Lock()
			lines, unreported := w.buffer, w.unreported
			w.buffer, closed = spare[:0], w.closed
			if len(lines) > 0 {
				w.unreported = 0
			}
			w.mu.Unlock()
			if len(lines) == 0 {
				spare = lines
				break
			}
			w.write(lines, unreported)
			if spare = lines; cap(spare) > maxBuffered/8 {
				spare = nil
			}
		}
		if closed {
			return
		}
	}
}

// write writes lines, followed by a note about lines dropped after them. Lines that are not written, as on a full disk, count
// as dropped too.
func (w *Writer) write(lines []byte, unreported int64) {
	total := bytes.Count(lines, newline)
	if unreported > 0 {
		lines = append(lines, w.note(unreported)...)
	}
	if w.torn {
		lines = slices.Insert(lines, 0, '\n')
	}
	n, err := w.out.Write(lines)
	if err == nil {
		w.torn = false
		return
	}
	written := bytes.Count(lines[:n], newline)
	if w.torn && n > 0 {
		written--
	}
	if n > 0 {
		w.torn = lines[n-1] != '\n'
	}
	lost := int64(max(0, total-written))
	w.dropped.Add(lost)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unreported += unreported + lost
}

var newline = []byte{'\n'}
