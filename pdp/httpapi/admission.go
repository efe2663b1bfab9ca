package httpapi

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"
)

const (
	// largeBody is the size above which a single evaluation counts as a batch, in bytes.
	largeBody = 4 << 10
	// hugeBody is the size above which requests of any kind are limited to the number of processors, in bytes, because
	// each may take much memory.
	hugeBody = 64 << 10
	// maxBodyBytes limits the bytes of all bodies above largeBody together, while they are read and processed.
	maxBodyBytes = 64 << 20
	// maxOpenStreams limits the HTTP/2 requests on all connections together, from their heads on: each takes as much memory
	// as an HTTP/1 connection, and one connection can have many.
	maxOpenStreams = 4096
	// minOverdue is the minimum of the limit on overdue requests; the limit is four per processor if that is more.
	minOverdue = 8
	// maxAnnouncing limits the announcements in progress.
	maxAnnouncing = 4
)

// serverBusy is the message of rejections after which the client should try again.
const serverBusy = "The server is busy: try again after a second."

// retryAfter is the value of Retry-After in seconds.
const retryAfter = "1"

// admission limits the work in progress. Questions (single evaluations), batches and announcements have separate limits,
// so that batches do not delay questions, and neither delays a revocation.
type admission struct {
	questions, batches, huge, announcements *semaphore

	bodyBytes    atomic.Int64
	maxBodyBytes int64
	streams      atomic.Int64 // HTTP/2 requests
	maxStreams   int64
	overdue      atomic.Int64 // requests that the watchdog has answered but whose work continues
	maxOverdue   int64
}

func newAdmission(cfg Config) *admission {
	processors := runtime.GOMAXPROCS(0)
	questions, batches := cfg.MaxQuestions, cfg.MaxBatches
	if questions <= 0 {
		questions = 1024
	}
	if batches <= 0 {
		batches = max(8, 2*processors)
	}
	return &admission{
		questions:     newSemaphore(questions),
		batches:       newSemaphore(batches),
		huge:          newSemaphore(max(2, processors)),
		announcements: newSemaphore(maxAnnouncing),
		maxBodyBytes:  maxBodyBytes,
		maxStreams:    maxOpenStreams,
		maxOverdue:    int64(max(minOverdue, 4*processors)),
	}
}

// exhausted reports whether a question that comes now would be rejected.
func (a *admission) exhausted() bool {
	return a.overdue.Load() >= a.maxOverdue || a.questions.waiting.Load() >= maxWaitingFactor*int64(cap(a.questions.slots))
}

// reserve counts bytes of the body against the limit on all bodies, until release. It returns false if the limit is
// exceeded.
func (rc *requestContext) reserve(bytes int) bool {
	rc.reserved += int64(bytes)
	a := rc.server.admission
	return a.bodyBytes.Add(int64(bytes)) <= a.maxBodyBytes
}

// admit acquires a slot for a request with a body of the given size, and sets the deadline. A request may wait for half of
// its time. It does nothing if the request has a slot.
func (rc *requestContext) admit(bodySize int) error {
	if rc.semaphore != nil {
		return nil
	}
	rc.beginResponse()
	a := rc.server.admission
	if a.overdue.Load() >= a.maxOverdue {
		return rc.reject("overdue", "The server is busy with requests that take too long: try again after a second.")
	}
	s := a.questions
	switch {
	case rc.stats.announcement:
		s = a.announcements
	case bodySize > hugeBody:
		s = a.huge
	case rc.batchWork || bodySize > largeBody:
		s = a.batches
	}
	now := time.Now()
	rc.deadline = now.Add(rc.server.timeout)
	if !s.tryAcquire() {
		ctx, cancel := context.WithDeadline(rc.r.Context(), now.Add(rc.server.timeout/2))
		defer cancel()
		if !s.acquire(ctx) {
			return rc.reject("busy", serverBusy)
		}
	}
	rc.semaphore = s
	return nil
}

// reject counts a request that exceeds a limit and returns the error for its client.
func (rc *requestContext) reject(reason, message string) error {
	rc.server.metrics.refused.WithLabelValues(reason).Inc()
	rc.w.Header().Set("Retry-After", retryAfter)
	return &pdp.Error{Kind: overloaded, Message: message}
}

// release frees what the request has acquired. It is called when the work is done, which may be long after the response.
func (rc *requestContext) release() {
	rc.endResponse()
	if rc.semaphore != nil {
		rc.semaphore.release()
		rc.semaphore = nil
	}
	if rc.reserved > 0 {
		rc.server.admission.bodyBytes.Add(-rc.reserved)
		rc.reserved = 0
	}
	if rc.alreadyAnswered() {
		rc.server.admission.overdue.Add(-1)
	}
}

// beginResponse keeps an HTTP/2 connection open while a response is computed. For HTTP/1, net/http reports that itself.
func (rc *requestContext) beginResponse() {
	if rc.r.ProtoMajor >= 2 && !rc.responding {
		rc.responding = true
		rc.conn.BeginResponse()
	}
}

func (rc *requestContext) endResponse() {
	if rc.responding {
		rc.responding = false
		rc.conn.EndResponse()
	}
}
