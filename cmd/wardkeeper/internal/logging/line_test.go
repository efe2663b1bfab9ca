package logging

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// requireSameLine checks that a record is written exactly as slog writes it with redaction.
func requireSameLine(t *testing.T, r slog.Record) {
	t.Helper()
	for _, json := range []bool{false, true} {
		var got, want bytes.Buffer
		options := &slog.HandlerOptions{ReplaceAttr: redactAttr}
		var reference slog.Handler = slog.NewTextHandler(&want, options)
		if json {
			reference = slog.NewJSONHandler(&want, options)
		}
		require.NoError(t, reference.Handle(t.Context(), r))
		require.NoError(t, newHandler(&got, Config{JSON: json}).Handle(t.Context(), r))
		require.Equal(t, want.String(), got.String())
	}
}

// texts are strings that need escapes, quotes or redaction, and plain ones.
var texts = []string{"", "request", "/access/v1/evaluation", "127.0.0.1:4711", "unix:uid=1000,pid=4711", "two words", "a=b", `q"q`,
	`b\b`, "tab\t", "line\n", "\x7f", "ä", "\xff", "\u2028", "<&>", "http://a:b@c/d", "postgres://host/db?password=x", "a@b", "x?token=y&z",
	"://", ":/", "//", "a://b", "true", "[::1]:80", "user:pass@host"}

func TestLinesAreThoseOfSlog(t *testing.T) {
	now := time.Now()
	for i, text := range texts {
		r := slog.NewRecord(now.Add(time.Duration(i)*time.Hour), slog.Level(i-4), text, 0)
		requireSameLine(t, r)
		r.AddAttrs(slog.String("s", text), slog.String(text, "key"))
		requireSameLine(t, r)
	}
	for _, at := range []time.Time{{}, time.Unix(0, 0).UTC(), time.Unix(1, 999_999_999), time.Unix(1, 500_000_000).In(time.FixedZone("", 5400)),
		time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)} {
		requireSameLine(t, slog.NewRecord(at, slog.LevelInfo, "request", 0))
	}
	r := slog.NewRecord(now, slog.LevelWarn, "all kinds", 0)
	for _, a := range []slog.Attr{
		slog.Int("i", -1), slog.Uint64("u", 1<<63), slog.Bool("b", true), slog.Duration("d", 1234567), slog.Duration("d0", 0),
		slog.Float64("f", 1.5), slog.Time("t", now), slog.Any("e", errors.New("http://a:b@c")), slog.Any("n", nil),
		slog.Group("g", slog.Int("i", 1)), slog.Any("l", []string{"a", "b c"}), {},
	} {
		one := slog.NewRecord(now, slog.LevelInfo, "one", 0)
		one.AddAttrs(a)
		requireSameLine(t, one)
		r.AddAttrs(a)
	}
	requireSameLine(t, r)
}

func FuzzLine(f *testing.F) {
	for _, text := range texts {
		f.Add(text, "key", text, int64(0))
		f.Add("msg", text, "value", int64(1e9))
	}
	f.Fuzz(func(t *testing.T, msg, key, value string, ns int64) {
		r := slog.NewRecord(time.Unix(0, ns), slog.LevelInfo, msg, 0)
		r.AddAttrs(slog.String(key, value), slog.Duration("d", time.Duration(ns)))
		requireSameLine(t, r)
	})
}

func TestLoggerWithAttrsAndGroups(t *testing.T) {
	var out bytes.Buffer
	logger := New(&out, Config{JSON: true}).With("with", "http://a:b@c").WithGroup("g")
	logger.Info("request", "i", 1)
	require.Contains(t, out.String(), `"msg":"request","with":"http://...@c","g":{"i":1}}`)
	require.False(t, logger.Enabled(t.Context(), slog.LevelDebug))
}

func TestLinesOfTheAccessLogAllocateNothing(t *testing.T) {
	h := newHandler(discarding{}, Config{JSON: true})
	r := slog.NewRecord(time.Now(), slog.LevelInfo, "request", 0)
	r.AddAttrs(slog.String("route", "/access/v1/evaluation"), slog.Int("status", 200), slog.Duration("duration", 12345))
	require.Less(t, testing.AllocsPerRun(100, func() { _ = h.Handle(context.Background(), r) }), 1.0)
}

type discarding struct{}

func (discarding) Write(p []byte) (int, error) { return len(p), nil }
