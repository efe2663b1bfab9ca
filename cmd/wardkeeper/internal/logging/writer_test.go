package logging

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// reader is the reader of a log. A write blocks until it reads.
type reader struct {
	reads chan struct{} // closed when it begins to read
	fails bool

	mu  sync.Mutex
	got bytes.Buffer
}

func (r *reader) Write(p []byte) (int, error) {
	<-r.reads
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fails {
		return 0, errors.New("broken pipe")
	}
	return r.got.Write(p)
}

func (r *reader) fail(fails bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fails = fails
}

func (r *reader) lines() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Split(strings.TrimSuffix(r.got.String(), "\n"), "\n")
}

func TestStalledReaderBlocksNothingAndGetsCountOfDroppedLines(t *testing.T) {
	out := &reader{reads: make(chan struct{})}
	logger, logs := NewAsync(out, Config{JSON: true})
	long := strings.Repeat("x", 1000)
	for i := range 3 * maxBuffered / 1000 {
		logger.Info("request", "i", i, "long", long)
	}
	require.Positive(t, logs.Dropped())
	close(out.reads)
	logs.Close(time.Minute)
	got := out.lines()
	noted, dropped, last := 0, 0, -1
	for _, text := range got {
		var line struct {
			Level, Msg string
			I, Lines   int
		}
		require.NoError(t, json.Unmarshal([]byte(text), &line))
		if strings.HasPrefix(line.Msg, "Log lines were dropped") { // each time that the buffer has been taken for writing
			require.Equal(t, "WARN", line.Level)
			noted, dropped = noted+1, dropped+line.Lines
			continue
		}
		require.Greater(t, line.I, last, "lines keep their order")
		last = line.I
	}
	require.Positive(t, noted)
	require.EqualValues(t, logs.Dropped(), dropped)
	require.Equal(t, 3*maxBuffered/1000, len(got)-noted+int(logs.Dropped()))
}

func TestLinesOfFailedWritesAreReported(t *testing.T) {
	out := &reader{reads: make(chan struct{}), fails: true}
	close(out.reads)
	logger, logs := NewAsync(out, Config{})
	logger.Info("one")
	logger.Info("two")
	require.Eventually(t, func() bool { return logs.Dropped() == 2 }, time.Minute, time.Millisecond)
	out.fail(false)
	logger.Info("three")
	logs.Close(time.Minute)
	got := out.lines()
	require.Len(t, got, 2)
	require.Contains(t, got[0], "three")
	require.Contains(t, got[1], "lines=2")
	logger.Info("four")
	require.Len(t, out.lines(), 2, "nothing is written once it is closed")
	require.EqualValues(t, 3, logs.Dropped())
}

func TestCloseEndsWithAStalledReader(t *testing.T) {
	out := &reader{reads: make(chan struct{})}
	defer close(out.reads)
	logger, logs := NewAsync(out, Config{})
	logger.Info("one")
	logs.Close(time.Millisecond)
}

func TestConcurrentLinesAreWholeAndInOrder(t *testing.T) {
	out := &reader{reads: make(chan struct{})}
	close(out.reads)
	logger, logs := NewAsync(out, Config{})
	var all sync.WaitGroup
	for who := range 8 {
		all.Go(func() {
			for i := range 500 {
				logger.Info("request", "who", who, "i", i)
			}
		})
	}
	all.Wait()
	logs.Close(time.Minute)
	require.Len(t, out.lines(), 4000)
	last := map[string]int{}
	for _, line := range out.lines() {
		var who string
		var i int
		_, err := fmt.Sscanf(line[strings.Index(line, "who="):], "who=%s i=%d", &who, &i)
		require.NoError(t, err, line)
		require.Equal(t, last[who], i)
		last[who]++
	}
	require.Zero(t, logs.Dropped())
}

func TestLinesAreWrittenSoonWithoutFurtherLines(t *testing.T) {
	require.Less(t, flushDelay, 100*time.Millisecond)
	out := &reader{reads: make(chan struct{})}
	close(out.reads)
	logger, logs := NewAsync(out, Config{})
	defer logs.Close(time.Minute)
	for _, text := range []string{"one", "two"} {
		logger.Info(text)
		require.Eventually(t, func() bool { return strings.Contains(strings.Join(out.lines(), " "), text) }, time.Minute, time.Millisecond)
	}
}

// disk is full after some bytes.
type disk struct {
	mu   sync.Mutex
	got  bytes.Buffer
	free int
}

func (d *disk) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := min(len(p), d.free)
	d.free -= n
	d.got.Write(p[:n])
	if n < len(p) {
		return n, errors.New("no space left on device")
	}
	return n, nil
}

func TestLinesLostOnAFullDiskAreCountedExactly(t *testing.T) {
	whole := len("time=2006-01-02T15:04:05.000Z level=INFO msg=line\n")
	for _, free := range []int{0, 1, whole, whole + 1, 2*whole - 1} {
		out := &disk{free: free}
		logs := newWriter(out, func(dropped int64) []byte { return fmt.Appendf(nil, "%d lost\n", dropped) })
		line := strings.Repeat("x", whole-1) + "\n"
		_, _ = logs.Write([]byte(line + line + line))
		lost := 3 - free/whole
		require.Eventually(t, func() bool { return logs.Dropped() == int64(lost) }, time.Minute, time.Millisecond)
		out.mu.Lock()
		out.free = 1 << 20
		out.mu.Unlock()
		_, _ = logs.Write([]byte("next\n"))
		logs.Close(time.Minute)
		want := (line + line)[:free]
		if free%whole != 0 {
			want += "\n"
		}
		require.Equal(t, want+fmt.Sprintf("next\n%d lost\n", lost), out.got.String())
		require.EqualValues(t, lost, logs.Dropped())
	}
}
