//go:build unix

package logging

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// processorTime returns the processor time of this process, which does not depend on other processes.
func processorTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkLogLine measures what one line of the access log costs, including its part of the writes to a file.
func BenchmarkLogLine(b *testing.B) {
	for name, json := range map[string]bool{"json": true, "text": false} {
		b.Run(name, func(b *testing.B) {
			file, err := os.Create(filepath.Join(b.TempDir(), "log"))
			require.NoError(b, err)
			defer func() { require.NoError(b, file.Close()) }()
			logger, logs := NewAsync(file, Config{JSON: json})
			defer logs.Close(time.Minute)
			b.ReportAllocs()
			before := processorTime(b)
			for b.Loop() {
				r := slog.NewRecord(time.Now(), slog.LevelInfo, "request", 0)
				r.AddAttrs(slog.String("method", "POST"), slog.String("route", "/access/v1/evaluation"), slog.Int("status", 200),
					slog.Duration("duration", time.Millisecond), slog.String("request_id", "0123456789abcdef0123456789abcdef"),
					slog.String("caller", "127.0.0.1:40000"), slog.String("action", "user.view"), slog.String("outcome", "allowed"),
					slog.String("revision", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"))
				_ = logger.Handler().Handle(context.Background(), r)
			}
			b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op")
			b.ReportMetric(float64(logs.Dropped()), "dropped")
		})
	}
}
