package deadline

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func in(d time.Duration) time.Time { return time.Now().Add(d) }

// requireEnded checks that a context has ended, and stays so.
func requireEnded(t *testing.T, want error, ctx context.Context) {
	t.Helper()
	require.Equal(t, want, ctx.Err())
	select {
	case <-ctx.Done():
	case <-time.After(time.Minute):
		require.Fail(t, "Done is not closed")
	}
	require.Equal(t, want, ctx.Err())
	require.Equal(t, want, context.Cause(ctx))
}

func TestContextEndsAtItsDeadline(t *testing.T) {
	for _, waited := range []bool{false, true} {
		at := in(20 * time.Millisecond)
		c := New(t.Context(), at)
		got, ok := c.Deadline()
		require.True(t, ok && got.Equal(at))
		if waited {
			<-c.Done()
			require.False(t, time.Now().Before(at))
		}
		for c.Err() == nil {
			require.True(t, time.Now().Before(at.Add(time.Minute)))
		}
		require.False(t, time.Now().Before(at))
		requireEnded(t, context.DeadlineExceeded, c)
		c.Cancel()
		requireEnded(t, context.DeadlineExceeded, c)
	}
}

func TestCanceledContextEnds(t *testing.T) {
	for _, waited := range []bool{false, true} {
		c := New(t.Context(), in(time.Hour))
		require.NoError(t, c.Err())
		if waited {
			select {
			case <-c.Done():
				require.Fail(t, "it has not ended")
			default:
			}
		}
		c.Cancel()
		c.Cancel()
		requireEnded(t, context.Canceled, c)
	}
}

type valueKey struct{}

func TestContextEndsWithItsParent(t *testing.T) {
	root, cancel := context.WithCancel(t.Context())
	outer := New(root, in(time.Hour))
	inner := New(context.WithValue(New(outer, in(2*time.Hour)), valueKey{}, "value"), in(3*time.Hour))
	require.NoError(t, inner.Err())
	require.Equal(t, "value", inner.Value(valueKey{}))
	at, _ := inner.Deadline()
	require.True(t, at.Equal(outer.deadline), "the earliest deadline counts")
	done := inner.Done()
	require.Equal(t, "value", inner.Value(valueKey{}))
	cancel()
	<-done
	requireEnded(t, context.Canceled, inner)
	requireEnded(t, context.Canceled, outer)

	outer = New(t.Context(), in(time.Hour))
	inner = New(outer, in(time.Minute))
	outer.Cancel()
	requireEnded(t, context.Canceled, inner)

	outer = New(t.Context(), in(0))
	requireEnded(t, context.DeadlineExceeded, New(outer, in(time.Minute)))
}

func TestFunctionsRunWhenTheContextEnds(t *testing.T) {
	c := New(New(t.Context(), in(time.Hour)), in(time.Hour))
	ran := make(chan struct{})
	context.AfterFunc(c, func() { close(ran) })
	child, cancel := context.WithCancel(c)
	defer cancel()
	require.NoError(t, child.Err())
	c.Cancel()
	<-ran
	<-child.Done()
	require.Equal(t, context.Canceled, child.Err())
}

func TestContextIsSafeForConcurrentUse(t *testing.T) {
	for range 100 {
		c := New(New(t.Context(), in(time.Hour)), in(time.Hour))
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() { <-c.Done(); assert.Error(t, c.Err()) })
		}
		all.Go(func() { _, _ = c.Err(), c.Value(t) })
		all.Go(c.Cancel)
		all.Wait()
		requireEnded(t, context.Canceled, c)
	}
}

func TestContextWithoutAWaiterAllocatesOnce(t *testing.T) {
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() {
		c := New(t.Context(), in(time.Hour))
		_ = c.Err()
		c.Cancel()
	}), 1.0)
}

// endless is a context whose deadline has passed but that has not ended.
type endless struct{ context.Context }

func (endless) Deadline() (time.Time, bool) { return time.Unix(0, 0), true }

func TestEarlierDeadlineOfTheParentIsLeftToTheParent(t *testing.T) {
	root, cancel := context.WithCancel(t.Context())
	c := New(New(endless{root}, in(time.Hour)), in(time.Hour))
	require.NoError(t, c.Err())
	select {
	case <-c.Done():
		require.Fail(t, "it has not ended")
	default:
	}
	cancel()
	requireEnded(t, context.Canceled, c)
}
