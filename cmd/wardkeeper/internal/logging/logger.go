package logging

import (
	"bytes"
	"io"
	"log/slog"
)

// Config configures a logger.
type Config struct {
	Level slog.Level
	JSON  bool // JSON instead of text
}

// New returns a logger that writes each record at once.
func New(w io.Writer, cfg Config) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.Level, ReplaceAttr: redactAttr}
	if cfg.JSON {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// NewAsync returns a logger that never blocks, and its writer. Close the writer to write the buffered lines.
func NewAsync(w io.Writer, cfg Config) (*slog.Logger, *Writer) {
	writer := newWriter(w, func(dropped int64) []byte {
		var line bytes.Buffer
		New(&line, cfg).Warn("Log lines were dropped because they were not read in time.", "lines", dropped)
		return line.Bytes()
	})
	return New(writer, cfg), writer
}
