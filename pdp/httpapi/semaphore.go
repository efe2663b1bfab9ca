package httpapi

import (
	"context"
	"sync/atomic"
)

// maxWaitingFactor is the number of requests that may wait for a semaphore, as a multiple of its size.
const maxWaitingFactor = 8

// semaphore limits the number of concurrent requests and of waiting requests.
type semaphore struct {
	slots   chan struct{}
	waiting atomic.Int64
}

func newSemaphore(size int) *semaphore { return &semaphore{slots: make(chan struct{}, size)} }

// tryAcquire acquires a slot if one is free.
func (s *semaphore) tryAcquire() bool {
	select {
	case s.slots <- struct{}{}:
		return true
	default:
		return false
	}
}

// acquire waits for a slot. It fails if too many requests are already waiting or if ctx ends.
func (s *semaphore) acquire(ctx context.Context) bool {
	defer s.waiting.Add(-1)
	if s.waiting.Add(1) > maxWaitingFactor*int64(cap(s.slots)) {
		return false
	}
	select {
	case s.slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *semaphore) release() { <-s.slots }
