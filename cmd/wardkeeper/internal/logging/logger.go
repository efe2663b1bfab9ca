package logging

import (
	"bytes"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
)

// Config configures a logger.
type Config struct {
	Level slog.Level
	JSON  bool // JSON instead of text

	pseudonym *atomic.Pointer[func(string) string] // of [Writer.HidePeople]; nil: of nobody
}

// New returns a logger that writes each record at once.
func New(w io.Writer, cfg Config) *slog.Logger { return slog.New(newHandler(&lockedWriter{w: w}, cfg)) }

// NewAsync returns a logger that never blocks, and its writer. Close the writer to write the buffered lines.
func NewAsync(w io.Writer, cfg Config) (*slog.Logger, *Writer) {
	writer := newWriter(w, func(dropped int64) []byte {
		var line bytes.Buffer
		New(&line, cfg).Warn("Log lines were dropped: they were not read in time, or could not be written.", "lines", dropped)
		return line.Bytes()
	})
	cfg.pseudonym = &writer.pseudonym
	return slog.New(newHandler(writer, cfg)), writer
}

// newHandler returns a handler that writes each record with one call of w, which must be safe for concurrent use.
func newHandler(w io.Writer, cfg Config) *lineHandler {
	options := &slog.HandlerOptions{Level: cfg.Level, ReplaceAttr: redactAttr}
	if cfg.pseudonym != nil {
		options.ReplaceAttr = hidden(cfg.pseudonym)
	}
	if cfg.JSON {
		return &lineHandler{slog.NewJSONHandler(w, options), w, cfg.Level, true}
	}
	return &lineHandler{slog.NewTextHandler(w, options), w, cfg.Level, false}
}

// lockedWriter serializes writes.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(line)
}
