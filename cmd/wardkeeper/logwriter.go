package main

import (
	"bytes"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxUnwritten is how many bytes of log lines wait for their reader; a line that finds no room is dropped.
	maxUnwritten = 4 << 20
	// flushDelay is how long lines are gathered before they are written, so that many of them take one write.
	flushDelay = time.Millisecond
)

// logWriter writes a log behind the back of those who log: none of them waits for its reader. Lines keep their order. It is
// safe for concurrent use.
type logWriter struct {
	out  io.Writer
	note func(dropped int64) []byte // is the line that tells of lines that were dropped

	mu      sync.Mutex
	lines   []byte // that wait
	untold  int64  // dropped since the last note
	closed  bool
	dropped atomic.Int64

	wake chan struct{} // has one element where there is something to do
	done chan struct{} // is closed once all is written, and nothing more will be
}

func newLogWriter(out io.Writer, note func(dropped int64) []byte) *logWriter {
	w := &logWriter{out: out, note: note, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go w.run()
	return w
}

// Write takes a line, or drops it. It never waits, and never fails.
func (w *logWriter) Write(line []byte) (int, error) {
	w.mu.Lock()
	switch {
	case w.closed || len(w.lines)+len(line) > maxUnwritten:
		w.untold++
		w.dropped.Add(1)
	default:
		w.lines = append(w.lines, line...)
	}
	idle := len(w.lines) == len(line)
	w.mu.Unlock()
	if idle {
		w.rouse()
	}
	return len(line), nil
}

func (w *logWriter) rouse() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Dropped counts the lines that were dropped.
func (w *logWriter) Dropped() int64 { return w.dropped.Load() }

// Close writes what waits, for so long at most. Lines that come later are dropped.
func (w *logWriter) Close(patience time.Duration) {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.rouse()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-w.done:
	case <-timer.C:
	}
}

func (w *logWriter) run() {
	defer close(w.done)
	var spare []byte
	for range w.wake {
		w.mu.Lock()
		closed := w.closed
		w.mu.Unlock()
		if !closed {
			time.Sleep(flushDelay)
		}
		for {
			w.mu.Lock()
			lines, untold := w.lines, w.untold
			w.lines, closed = spare[:0], w.closed
			if len(lines) > 0 {
				w.untold = 0
			}
			w.mu.Unlock()
			if len(lines) == 0 {
				spare = lines
				break
			}
			w.write(lines, untold)
			if spare = lines; cap(spare) > maxUnwritten/8 {
				spare = nil
			}
		}
		if closed {
			return
		}
	}
}

// write writes lines, and how many were dropped behind them. Where nobody reads any more, they are dropped too.
func (w *logWriter) write(lines []byte, untold int64) {
	n := int64(bytes.Count(lines, []byte{'\n'}))
	if untold > 0 {
		lines = append(lines, w.note(untold)...)
	}
	if _, err := w.out.Write(lines); err == nil {
		return
	}
	w.dropped.Add(n)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.untold += untold + n
}
