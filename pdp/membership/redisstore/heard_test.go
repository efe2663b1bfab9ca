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

// heard keeps what a follower tells.
type heard struct {
	mu      sync.Mutex
	begins  []begun
	changes []membership.Announcement // since the last begin, its tail before them
	beats   int
	asOf    time.Time
	losses  []error
	broken  []string // what no follower may tell
	live    bool
}

type begun struct {
	at, floor membership.Position
	tail      []membership.Announcement
}

func (h *heard) Began(at, floor membership.Position, tail []membership.Announcement, asOf time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.assert(!h.live, "began twice")
	h.live, h.asOf = true, asOf
	h.begins = append(h.begins, begun{at, floor, tail})
	h.changes = slices.Clone(tail)
	next := floor.Sequence
	for _, one := range tail {
		next++
		h.assert(one.At == membership.Position{Epoch: at.Epoch, Sequence: next}, "the tail is not in order")
	}
	h.assert(next == at.Sequence, "the tail does not lead from the floor to the place")
}

func (h *heard) Changed(a membership.Announcement) {
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

func (h *heard) Heartbeat(asOf time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.assert(h.live, "a beat while lost")
	h.assert(!asOf.Before(h.asOf), "a beat from before the last")
	h.asOf = asOf
	h.beats++
}

func (h *heard) Lost(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.assert(err != nil, "lost without a reason")
	h.live = false
	h.losses = append(h.losses, err)
}

func (h *heard) assert(ok bool, what string) {
	if !ok {
		h.broken = append(h.broken, what)
	}
}

// is asks a question under the lock.
func (h *heard) is(ask func() bool) func() bool {
	return func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return ask()
	}
}

func (h *heard) isLive() bool { return h.is(func() bool { return h.live })() }

func (h *heard) isLost() bool { return !h.isLive() }

// beganAgain waits for the follower to begin once more than so often, and to hear a beat.
func (h *heard) beganAgain(t *testing.T, than int) begun {
	t.Helper()
	require.Eventually(t, h.is(func() bool { return h.live && len(h.begins) > than }), servertest.Timeout, servertest.PollInterval)
	h.nextBeat(t)
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.begins[len(h.begins)-1]
}

func (h *heard) begunSoFar() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.begins)
}

func (h *heard) nextBeat(t *testing.T) {
	t.Helper()
	h.mu.Lock()
	so := h.beats
	h.mu.Unlock()
	require.Eventually(t, h.is(func() bool { return h.beats > so }), servertest.Timeout, servertest.PollInterval)
}

// ids gives those of all users whose change is known.
func (h *heard) ids() []string {
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

// followTier follows until the test ends; nothing may have been told then that breaks the contract.
func followTier(t *testing.T, tier *Store) *heard {
	t.Helper()
	h := &heard{}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tier.Follow(ctx, h)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
		assert.Empty(t, h.broken)
	})
	return h
}
