package main

import (
	"bytes"
	"io"
	"log/slog"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
)

func newLogger(w io.Writer, s *config.Settings) *slog.Logger {
	options := &slog.HandlerOptions{Level: s.Level(), ReplaceAttr: discreetAttr}
	if s.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// newServingLogger makes a logger that never waits for the reader of its log.
func newServingLogger(w io.Writer, s *config.Settings) (*slog.Logger, *logWriter) {
	writer := newLogWriter(w, func(dropped int64) []byte {
		var line bytes.Buffer
		newLogger(&line, s).Warn("Log lines were dropped, since their reader did not keep up.", "lines", dropped)
		return line.Bytes()
	})
	return newLogger(writer, s), writer
}
