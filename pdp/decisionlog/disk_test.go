package decisionlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var slowSyncs atomic.Int64

// slowly returns files whose syncs take long, and counts these.
func slowly(t *testing.T) func(string) (file, error) {
	t.Helper()
	slowSyncs.Store(0)
	return func(path string) (file, error) {
		f, err := openFile(path)
		return slowFile{f}, err
	}
}

type slowFile struct{ file }

func (f slowFile) Sync() error {
	slowSyncs.Add(1)
	time.Sleep(10 * time.Millisecond)
	return f.file.Sync()
}

// disk opens files that fail while it is told to.
type disk struct {
	mu                          sync.Mutex
	open, write, sync, truncate error
	stalled                     chan struct{} // Sync waits until it is closed
}

func (d *disk) set(change func(d *disk)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(d)
}

func (d *disk) openFile(path string) (file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open != nil {
		return nil, d.open
	}
	f, err := openFile(path)
	return &diskFile{f, d}, err
}

type diskFile struct {
	file
	d *disk
}

func (f *diskFile) failing(kind func(*disk) error) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	return kind(f.d)
}

// Write writes one half before it fails, as a disk does that becomes full.
func (f *diskFile) Write(p []byte) (int, error) {
	if err := f.failing(func(d *disk) error { return d.write }); err != nil {
		n, _ := f.file.Write(p[:len(p)/2])
		return n, err
	}
	return f.file.Write(p)
}

func (f *diskFile) Sync() error {
	f.d.mu.Lock()
	stalled := f.d.stalled
	f.d.mu.Unlock()
	if stalled != nil {
		<-stalled
	}
	if err := f.failing(func(d *disk) error { return d.sync }); err != nil {
		return err
	}
	return f.file.Sync()
}

func (f *diskFile) Truncate(size int64) error {
	if err := f.failing(func(d *disk) error { return d.truncate }); err != nil {
		return err
	}
	return f.file.Truncate(size)
}

var diskFaults = map[string]func(d *disk){
	"full":                         func(d *disk) { d.write, d.open = syscall.ENOSPC, syscall.ENOSPC },
	"over quota":                   func(d *disk) { d.write, d.open = syscall.EDQUOT, syscall.EDQUOT },
	"full and cannot be cut":       func(d *disk) { d.write, d.truncate = syscall.ENOSPC, syscall.EIO },
	"sync fails":                   func(d *disk) { d.sync = syscall.EIO },
	"sync fails and cannot be cut": func(d *disk) { d.sync, d.truncate = syscall.EIO, syscall.EIO },
}

func heal(d *disk) { d.open, d.write, d.sync, d.truncate = nil, nil, nil, nil }

// While the disk fails, the policy decides. When it works again, so does the log, without a restart, and what was acknowledged is
// there once and in order.
func TestFailingDisk(t *testing.T) {
	for name, fault := range diskFaults {
		for _, durability := range []Durability{Sync, Buffered} {
			for _, policy := range []FailurePolicy{Block, Deny, Count} {
				t.Run(fmt.Sprintf("%s/%d/%d", name, durability, policy), func(t *testing.T) {
					t.Parallel()
					d, out := &disk{}, &lines{}
					l := open(t, Config{Dir: t.TempDir(), Durability: durability, Full: policy, openFile: d.openFile, Logger: out.logger()})
					add(t, l, numbered(1, 3)...)
					waitFor(t, "the records are on disk", func() bool { return l.Status().Queued == 0 })
					d.set(fault)
					want := append(numbered(1, 3), duringOutage(t, l, d)...)
					waitFor(t, "the log recovers", func() bool { return l.Status().Failing == nil })
					add(t, l, numbered(8, 9)...)
					closeLog(t, l)
					require.Equal(t, append(want, numbered(8, 9)...), readAll(t, l.cfg.Dir))
					r, status := verified(t, l.cfg.Dir), l.Status()
					require.Equal(t, status.Lost, r.Lost, "the loss is in the log too")
					require.Error(t, status.LastError)
					require.Equal(t, 1, strings.Count(out.String(), "decision log cannot be written"), "one line for one outage")
					require.Equal(t, 1, strings.Count(out.String(), "decision log can be written again"))
				})
			}
		}
	}
}

// What is written and not yet synced is written again when a write or the sync fails. Whenever the disk fails, all records get
// into the log once and in order, and followers get none that is not there.
func TestDiskThatFailsNowAndThen(t *testing.T) {
	for name, fault := range diskFaults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(1, 2))
			d := &disk{}
			l := open(t, Config{Dir: t.TempDir(), Durability: Buffered, MaxSegment: 20_000, openFile: d.openFile})
			f := follow(t, l, Position{})
			all := numbered(1, 250)
			for i, record := range all {
				add(t, l, record)
				time.Sleep(time.Duration(random.IntN(4)) * time.Millisecond) // so that what is synced together is written in parts
				switch i % 50 {
				case 20:
					d.set(fault)
				case 30:
					waitFor(t, "the failure is known", func() bool { return l.Status().Failing != nil })
					d.set(heal)
				}
			}
			got, _ := f.take(len(all))
			require.Equal(t, all, got)
			closeLog(t, l)
			require.Equal(t, all, readAll(t, l.cfg.Dir))
			require.Equal(t, uint64(len(all)), verified(t, l.cfg.Dir).Records)
			require.Zero(t, l.Status().Lost)
		})
	}
}

// duringOutage appends a record that meets the failing disk, and one that finds it known to fail, checks what Append returns, heals
// the disk, and returns the records that must be in the log.
func duringOutage(t *testing.T, l *Log, d *disk) (kept []string) {
	t.Helper()
	records := numbered(4, 5)
	first := make(chan error, 1)
	go func() { first <- appendTo(context.Background(), l, []byte(records[0])) }()
	waitFor(t, "the failure is known", func() bool { return l.Status().Failing != nil })
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	taking := l.Status().Taking
	second := appendTo(ended, l, []byte(records[1]))
	require.Equal(t, second == nil, taking)
	switch {
	case l.cfg.Durability == Sync && l.cfg.Full == Block:
		require.ErrorIs(t, second, context.Canceled)
		kept = records[:1]
	case l.cfg.Durability == Sync && l.cfg.Full == Deny:
		require.ErrorContains(t, <-first, "the decision log cannot be written")
		require.ErrorContains(t, second, "the decision log cannot be written")
		first <- nil
	case l.cfg.Durability == Sync && l.cfg.Full == Count:
		require.NoError(t, <-first)
		require.NoError(t, second)
		require.Equal(t, uint64(2), l.Status().Lost)
		first <- nil
	case l.cfg.Full == Deny:
		require.ErrorContains(t, second, "the decision log cannot be written")
		kept = records[:1]
	default:
		require.NoError(t, second)
		kept = records
	}
	d.set(heal)
	require.NoError(t, <-first)
	return kept
}

func TestFullQueue(t *testing.T) {
	for _, policy := range []FailurePolicy{Block, Deny, Count} {
		t.Run(fmt.Sprint(policy), func(t *testing.T) {
			d := &disk{}
			l := open(t, Config{Dir: t.TempDir(), Durability: Buffered, Full: policy, QueueRecords: 3, openFile: d.openFile})
			stalled := make(chan struct{})
			d.set(func(d *disk) { d.stalled = stalled })
			add(t, l, numbered(1, 3)...)
			ctx, cancel := context.WithCancelCause(context.Background())
			cancel(errors.New("enough waiting"))
			err := appendTo(ctx, l, []byte("{}"))
			switch policy {
			case Block:
				require.ErrorIs(t, err, ErrQueueFull)
				require.ErrorContains(t, err, "enough waiting")
			case Deny:
				require.ErrorIs(t, err, ErrQueueFull)
			case Count:
				require.NoError(t, err)
				require.Equal(t, uint64(1), l.Status().Lost)
			}
			status := l.Status() // which does not wait for the disk
			require.Equal(t, 3, status.Queued)
			require.Positive(t, status.Lag)
			require.Equal(t, policy == Count, status.Taking)
			blocked := make(chan error, 1)
			if policy == Block {
				go func() { blocked <- appendTo(context.Background(), l, []byte(`{"last":true}`)) }()
			}
			close(stalled)
			want := numbered(1, 3)
			if policy == Block {
				require.NoError(t, <-blocked)
				want = append(want, `{"last":true}`)
			}
			closeLog(t, l)
			require.Equal(t, want, readAll(t, l.cfg.Dir))
		})
	}
}

// The bytes of the queue are bounded too.
func TestQueueOfLargeRecords(t *testing.T) {
	d := &disk{}
	l := open(t, Config{Dir: t.TempDir(), Durability: Buffered, Full: Deny, QueueBytes: 2 * maxLine, openFile: d.openFile})
	stalled := make(chan struct{})
	d.set(func(d *disk) { d.stalled = stalled })
	large := `{"a":"` + strings.Repeat("x", MaxRecord-8) + `"}`
	add(t, l, large, large)
	require.ErrorIs(t, appendTo(context.Background(), l, []byte(large)), ErrQueueFull)
	close(stalled)
	closeLog(t, l)
	require.Len(t, readAll(t, l.cfg.Dir), 2)
}

func TestCloseGivesUp(t *testing.T) {
	before := runtime.NumGoroutine()
	d := &disk{}
	l := open(t, Config{Dir: t.TempDir(), Durability: Buffered, Full: Block, openFile: d.openFile})
	d.set(func(d *disk) { d.write = io.ErrShortWrite })
	add(t, l, numbered(1, 2)...)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorContains(t, l.Close(ctx), "closed before 2 records were on disk")
	<-l.done
	require.Equal(t, uint64(2), l.Status().Lost)
	require.Empty(t, readAll(t, l.cfg.Dir))
	waitFor(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before })
}

// A disk that does not answer holds up neither Close nor Status.
func TestCloseDoesNotWaitForAStalledDisk(t *testing.T) {
	d, stalled := &disk{}, make(chan struct{})
	l := open(t, Config{Dir: t.TempDir(), openFile: d.openFile})
	d.set(func(d *disk) { d.stalled = stalled })
	waiting := make(chan error, 1)
	go func() { waiting <- appendTo(context.Background(), l, []byte("{}")) }()
	waitFor(t, "the record is queued", func() bool { return l.Status().Queued == 1 })
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorContains(t, l.Close(ctx), "closed before 1 records were on disk")
	close(stalled)
	require.NoError(t, <-waiting, "it was written in the end")
	<-l.done
	require.Len(t, readAll(t, l.cfg.Dir), 1)
}

// A full disk does not keep the process from starting.
func TestOpenOnAFullDisk(t *testing.T) {
	d := &disk{write: syscall.ENOSPC}
	l := open(t, Config{Dir: t.TempDir(), Full: Count, openFile: d.openFile})
	add(t, l, "{}")
	require.Equal(t, uint64(1), l.Status().Lost)
	d.set(heal)
	waitFor(t, "the log recovers", func() bool { return l.Status().Failing == nil })
	add(t, l, numbered(1, 1)...)
	closeLog(t, l)
	require.Equal(t, numbered(1, 1), readAll(t, l.cfg.Dir))
	require.Equal(t, uint64(1), verified(t, l.cfg.Dir).Lost)

	_, err := Open(Config{Dir: t.TempDir(), openFile: (&disk{sync: syscall.EIO}).openFile})
	require.ErrorIs(t, err, syscall.EIO)
}
