package decisionlog

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// following receives the records of a log in the background.
type following struct {
	records chan string
	at      chan Position // of each record
	stop    context.CancelFunc
}

func follow(t *testing.T, l *Log, from Position) *following {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	f := &following{records: make(chan string), at: make(chan Position, 1000), stop: cancel}
	go func() {
		defer close(f.records)
		for e, err := range l.Follow(ctx, from) {
			if err != nil {
				if !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
				return
			}
			f.at <- Position{l.ID(), e.Segment, e.Seq}
			select {
			case f.records <- string(e.Record):
			case <-ctx.Done():
				return
			}
		}
	}()
	t.Cleanup(cancel)
	return f
}

func (f *following) take(n int) (records []string, last Position) {
	for range n {
		records, last = append(records, <-f.records), <-f.at
	}
	return records, last
}

func TestFollowersGetEachRecordOnceAcrossSegmentsAndRestarts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg := Config{Dir: dir, MaxSegment: 2000}
	l := open(t, cfg)
	f := follow(t, l, Position{})
	add(t, l, numbered(1, 60)...)
	got, at := f.take(40)
	require.Equal(t, numbered(1, 40), got)
	require.Greater(t, at.Segment, uint64(1), "segments were changed")
	f.stop()

	add(t, l, numbered(61, 70)...)
	f = follow(t, l, at)
	got, at = f.take(10)
	require.Equal(t, numbered(41, 50), got)
	closeLog(t, l)
	got = nil
	for record := range f.records { // it ends, and not before everything was returned
		got, at = append(got, record), <-f.at
	}
	require.Equal(t, numbered(51, 70), got)

	l = open(t, cfg)
	f = follow(t, l, at)
	add(t, l, numbered(71, 75)...)
	got, _ = f.take(5)
	require.Equal(t, numbered(71, 75), got)
	f = follow(t, l, Position{Log: "another", Segment: at.Segment, Seq: at.Seq})
	got, _ = f.take(75)
	require.Equal(t, numbered(1, 75), got, "a position in another log is none in this one")
}

func TestFollowersGetOnlyWhatIsOnDisk(t *testing.T) {
	t.Parallel()
	dir, d := t.TempDir(), &disk{}
	l := open(t, Config{Dir: dir, Full: Deny, openFile: d.openFile})
	add(t, l, numbered(1, 3)...)
	f := follow(t, l, Position{})
	got, _ := f.take(3)
	require.Equal(t, numbered(1, 3), got)
	d.set(func(d *disk) { d.sync, d.truncate = syscall.EIO, syscall.EIO })
	require.Error(t, appendTo(t.Context(), l, []byte(`{"never":"acknowledged"}`)))
	d.set(heal)
	require.Eventually(t, func() bool { return appendTo(t.Context(), l, []byte(`{"n":4}`)) == nil }, time.Minute, 10*time.Millisecond)
	got, at := f.take(1)
	require.Equal(t, []string{`{"n":4}`}, got)
	require.EqualValues(t, 4, at.Seq)
	again := follow(t, l, Position{})
	got, _ = again.take(4)
	require.Equal(t, append(numbered(1, 3), `{"n":4}`), got)
}

func TestFollowersGoOnAfterWhatWasDeletedOrDamaged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg := Config{Dir: dir, MaxSegment: 1000}
	l := open(t, cfg)
	add(t, l, numbered(1, 40)...)
	closeLog(t, l)
	all, err := segments(dir)
	require.NoError(t, err)
	require.Greater(t, len(all), 3)
	require.NoError(t, os.WriteFile(filepath.Join(dir, all[1].name()), []byte("nothing"), 0o600))
	l = open(t, cfg)
	faults, records := 0, 0
	ctx, cancel := context.WithCancel(t.Context())
	for e, err := range l.Follow(ctx, Position{Log: l.ID(), Segment: 1}) {
		if err != nil {
			require.ErrorContains(t, err, all[1].name())
			faults++
			continue
		}
		if records++; e.Seq == 40 {
			break
		}
	}
	cancel()
	require.Equal(t, 1, faults)
	require.Less(t, records, 40)
}
