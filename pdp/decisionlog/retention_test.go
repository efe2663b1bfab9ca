package decisionlog

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// retained returns the folder of a log whose first segments were deleted, and one of them.
func retained(t *testing.T, cfg Config) (dir string, deleted string, content []byte) {
	t.Helper()
	cfg.Dir, cfg.MaxSegment = t.TempDir(), 1000
	l := open(t, Config{Dir: cfg.Dir, MaxSegment: cfg.MaxSegment, now: func() time.Time { return time.Now().Add(-48 * time.Hour) }})
	add(t, l, numbered(1, 12)...)
	closeLog(t, l)
	l = open(t, Config{Dir: cfg.Dir, MaxSegment: cfg.MaxSegment})
	add(t, l, numbered(13, 30)...)
	tidied(t, l)
	closeLog(t, l)
	deleted = filepath.Join(cfg.Dir, segmentName(1, true))
	content, err := os.ReadFile(deleted)
	require.NoError(t, err)
	l = open(t, cfg)
	tidied(t, l)
	waitFor(t, "it is deleted", func() bool { _, err := os.Stat(deleted); return os.IsNotExist(err) })
	add(t, l, numbered(31, 32)...)
	closeLog(t, l)
	return cfg.Dir, deleted, content
}

func TestOldSegmentsAreDeleted(t *testing.T) {
	for name, c := range map[string]struct {
		cfg    Config
		newest uint64 // record that may be deleted
	}{
		"by age":  {Config{MaxAge: 24 * time.Hour}, 12},
		"by size": {Config{MaxTotal: 2000}, 30},
	} {
		t.Run(name, func(t *testing.T) {
			dir, deleted, content := retained(t, c.cfg)
			r := verified(t, dir)
			require.Greater(t, r.First, uint64(1))
			require.Equal(t, uint64(32), r.Last)
			require.Equal(t, numbered(int(r.First), 32), readAll(t, dir))
			require.Positive(t, r.Deleted)
			require.LessOrEqual(t, r.First-1, c.newest)

			// A deleted segment that is still there, because the process was killed, is no fault, and is deleted by the next one.
			if r.Deleted == 1 {
				require.NoError(t, os.WriteFile(deleted, content, 0o600))
				verified(t, dir)
			}

			// Removal of one more is noticed.
			require.NoError(t, os.Remove(filepath.Join(dir, segmentName(r.Deleted+1, true))))
			_, err := Verify(dir, testKeys())
			require.ErrorContains(t, err, "are missing, and no checkpoint says that they were deleted")
		})
	}
}

// Otherwise anybody who may write to the folder could have the log delete segments, and say so.
func TestTimesOfFilesMakeNoSegmentOld(t *testing.T) {
	dir := t.TempDir()
	l := open(t, Config{Dir: dir, MaxSegment: 1000})
	add(t, l, numbered(1, 30)...)
	tidied(t, l)
	closeLog(t, l)
	all, err := segments(dir)
	require.NoError(t, err)
	for _, s := range all {
		old := time.Now().Add(-48 * time.Hour)
		require.NoError(t, os.Chtimes(filepath.Join(dir, s.name()), old, old))
	}
	l = open(t, Config{Dir: dir, MaxSegment: 1000, MaxAge: 24 * time.Hour})
	tidied(t, l)
	closeLog(t, l)
	require.Equal(t, uint64(1), verified(t, dir).First)
}

func TestRemovedFirstSegmentIsNoticed(t *testing.T) {
	f, _ := written(t, 40)
	delete(f, f.names()[0])
	_, err := Verify(f.store(t), testKeys())
	require.ErrorContains(t, err, "segments before 2 are missing")
}

// Segments are never deleted before a checkpoint on disk says so.
func TestDeletionIsSaidFirst(t *testing.T) {
	d := &disk{}
	dir := t.TempDir()
	l := open(t, Config{Dir: dir, MaxSegment: 1000, Full: Deny, openFile: d.openFile})
	add(t, l, numbered(1, 30)...)
	tidied(t, l)
	closeLog(t, l)
	before := len(loadFolder(t, dir))
	l = open(t, Config{Dir: dir, openFile: d.openFile})
	d.set(func(d *disk) { d.write = os.ErrInvalid })
	l.mu.Lock()
	l.cfg.MaxTotal = 500
	l.mu.Unlock()
	l.chooseOld()
	waitFor(t, "the checkpoint cannot be written", func() bool { return l.Status().Failing != nil })
	require.NoError(t, l.removeOld())
	require.GreaterOrEqual(t, len(loadFolder(t, dir)), before)
	d.set(heal)
	tidied(t, l)
	waitFor(t, "they are deleted", func() bool { return len(loadFolder(t, dir)) < before })
	closeLog(t, l)
	verified(t, dir)
}

func TestSegmentsAreClosedByAge(t *testing.T) {
	l := open(t, Config{Dir: t.TempDir(), MaxSegmentAge: 1})
	add(t, l, numbered(1, 1)...)
	waitFor(t, "the segment is closed", func() bool { return l.Status().Segments == 2 })
	add(t, l, numbered(2, 2)...)
	closeLog(t, l)
	require.Equal(t, numbered(1, 2), readAll(t, l.cfg.Dir))
	verified(t, l.cfg.Dir)
}

// Checkpoints go to the logger, where somebody else keeps them.
func TestCheckpointsAreLogged(t *testing.T) {
	out := &lines{}
	l := open(t, Config{Dir: t.TempDir(), Logger: out.logger()})
	add(t, l, numbered(1, 2)...)
	closeLog(t, l)
	r := verified(t, l.cfg.Dir)
	require.Contains(t, out.String(), `msg="decision log checkpoint" seq=2 hash=`+r.Checkpoint.Hash)
	verified(t, l.cfg.Dir, r.Checkpoint)
}

// Read and Verify work beside a writer that closes, compresses and deletes segments.
func TestReadersBesideAWriter(t *testing.T) {
	dir := t.TempDir()
	l := open(t, Config{Dir: dir, MaxSegment: 3000, MaxTotal: 9000, Durability: Buffered, checkpointEvery: 7})
	done := make(chan struct{})
	go func() {
		defer close(done)
		add(t, l, numbered(1, 1500)...)
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		next := uint64(0)
		for e, err := range Read(dir) {
			require.NoError(t, err)
			require.GreaterOrEqual(t, e.Seq, next)
			next = e.Seq + 1
		}
		_, err := Verify(dir, testKeys())
		require.NoError(t, err)
	}
	closeLog(t, l)
}

// A folder that was moved away while a segment was to be compressed still has it once it is back.
func TestSegmentsOfAFolderThatIsMovedBackCount(t *testing.T) {
	dir, out := filepath.Join(t.TempDir(), "log"), &lines{}
	l := open(t, Config{Dir: dir, MaxSegment: 500, Logger: out.logger()})
	add(t, l, numbered(1, 9)...)
	tidied(t, l)
	away := dir + ".1"
	require.NoError(t, os.Rename(dir, away))
	require.NoError(t, os.Rename(filepath.Join(away, segmentName(1, true)), filepath.Join(away, segmentName(1, false))))
	l.mu.Lock()
	l.segments[0].packed = false // as if it had been closed just now
	l.mu.Unlock()
	signal(l.tidy)
	waitFor(t, "it cannot be compressed", func() bool { return strings.Contains(out.String(), "segments cannot be compressed or deleted") })
	require.NoError(t, os.Rename(away, dir))
	signal(l.tidy)
	tidied(t, l)
	l.mu.Lock()
	defer l.mu.Unlock()
	require.Equal(t, uint64(1), l.segments[0].number)
}
