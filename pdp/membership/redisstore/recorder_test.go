package redisstore

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// recorder is a StreamHandler that records its calls, and checks their order.
type recorder struct {
	mu         sync.Mutex
	begins     []begun
	changes    []membership.Announcement // since following last began, starting with its tail
	heartbeats int
	asOf       time.Time
	losses     []error  // the first of each interruption
	violations []string // of the contract of StreamHandler
	live, lost bool
}

type begun struct {
	at, floor membership.Position
	tail      []membership.Announcement
}

func (h *recorder) Began(at, floor membership.Position, tail []membership.Announcement, asOf time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.assert(!h.live, "began twice")
	h.live, h.lost, h.asOf = true, false, asOf
	h.begins = append(h.begins, begun{at, floor, tail})
	h.changes = slices.Clone(tail)
	next := floor.Sequence
	for _, one := range tail {
		next++
		h.assert(one.At == membership.Position{Epoch: at.Epoch, Sequence: next}, "the tail is not in order")
	}
	h.assert(next == at.Sequence, "the tail does not lead from the floor to the position")
}

func (h *recorder) Changed(a membership.Announcement) {
	h.mu.Lock()
	defer h.mu.Unlock()
	last := h.begins[len(h.begins)-1].at
	if len(h.changes) > 0 {
		last = h.changes[len(h.changes)-1].At
	}
	h.assert(h.live, "changed while lost")
	h.assert(a.At == membership.Position{Epoch: last.Epoch, Sequence: last.Sequence + 1}, fmt.Sprintf("%v after %v", a.At, last))
	h.changes = append(h.changes, a)
}

func (h *recorder) Heartbeat(asOf time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.assert(h.live, "a heartbeat while lost")
	h.assert(!asOf.Before(h.asOf), "a heartbeat from before the last")
	h.asOf = asOf
	h.heartbeats++
}

func (h *recorder) Lost(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.assert(err != nil, "lost without a reason")
	if !h.lost {
		h.losses = append(h.losses, err)
	}
	h.live, h.lost = false, true
}

func (h *recorder) assert(ok bool, what string) {
	if !ok {
		h.violations = append(h.violations, what)
	}
}

// locked returns a function that evaluates the condition under the lock.
func (h *recorder) locked(condition func() bool) func() bool {
	return func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return condition()
	}
}

func (h *recorder) isLive() bool { return h.locked(func() bool { return h.live })() }

func (h *recorder) isLost() bool { return !h.isLive() }

// waitBegan waits until following has begun more than the given number of times, and for a heartbeat.
func (h *recorder) waitBegan(t *testing.T, than int) begun {
	t.Helper()
	require.Eventually(t, h.locked(func() bool { return h.live && len(h.begins) > than }), servertest.Timeout, servertest.PollInterval)
	h.waitHeartbeat(t)
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.begins[len(h.begins)-1]
}

func (h *recorder) beganCount() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.begins)
}

func (h *recorder) waitHeartbeat(t *testing.T) {
	t.Helper()
	h.mu.Lock()
	before := h.heartbeats
	h.mu.Unlock()
	require.Eventually(t, h.locked(func() bool { return h.heartbeats > before }), servertest.Timeout, servertest.PollInterval)
}

// ids returns the ids of all changes since following began, including its tail.
func (h *recorder) ids() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var ids []string
	for _, one := range h.changes {
		for _, c := range one.Changes {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// follow follows the stream until the test ends, and then checks that the calls kept the contract.
func follow(t *testing.T, store *Store) *recorder {
	t.Helper()
	h := &recorder{}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		store.Follow(ctx, h)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
		assert.Empty(t, h.violations)
		if t.Failed() {
			t.Logf("the follower was told %d heartbeats, beginnings %v, changes %v, losses %v", h.heartbeats, h.begins, h.changes, h.losses)
		}
	})
	return h
}
