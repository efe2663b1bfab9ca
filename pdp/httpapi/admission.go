package httpapi

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// overloaded is for a request that is not even begun: it would cost memory, or the time of others.
const overloaded pdp.Kind = "overloaded"

// retryAfter is when a refused caller may try again, in seconds.
const retryAfter = "1"

const (
	// largeBody is where a single question counts as work like a batch, in bytes.
	largeBody = 4 << 10
	// hugeBody is where a request may take much memory, whatever it is: as many are worked on as there are processors.
	hugeBody = 64 << 10
	// maxBodies bounds the bytes of all bodies that are larger than largeBody, while they are read and worked on.
	maxBodies = 64 << 20
	// maxOpenStreams bounds the requests of HTTP/2, on all connections together, from their heads on: each takes as much as a
	// connection of HTTP/1, and one connection has many.
	maxOpenStreams = 4096
	// minOverdue is the least number of evaluations that may go on beyond their time; four for each processor, if that is more.
	minOverdue = 8
)

// admission bounds what is worked on at a time. Single questions, batches and announcements do not take one another's
// places: no batch keeps a question waiting, and neither keeps a revocation from being announced.
type admission struct {
	questions, batches, huge, announcements gate

	bodies     atomic.Int64 // bytes
	maxBodies  int64
	streams    atomic.Int64 // requests of HTTP/2
	maxStreams int64
	overdue    atomic.Int64 // requests that have been answered, and whose work cannot be stopped
	maxOverdue int64
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
		questions:     newGate(questions),
		batches:       newGate(batches),
		huge:          newGate(max(2, processors)),
		announcements: newGate(4),
		maxBodies:     maxBodies,
		maxStreams:    maxOpenStreams,
		maxOverdue:    int64(max(minOverdue, 4*processors)),
	}
}

// gate has a number of places, before which eight times as many requests may wait.
type gate struct {
	places  chan struct{}
	waiting *atomic.Int64
}

func newGate(places int) gate { return gate{make(chan struct{}, places), new(atomic.Int64)} }

// enter takes a place, if there is a free one.
func (g gate) enter() bool {
	select {
	case g.places <- struct{}{}:
		return true
	default:
		return false
	}
}

// wait waits for a place. It fails where too many wait already, and where none becomes free before the context ends.
func (g gate) wait(ctx context.Context) bool {
	defer g.waiting.Add(-1)
	if g.waiting.Add(1) > 8*int64(cap(g.places)) {
		return false
	}
	select {
	case g.places <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (g gate) leave() { <-g.places }

// hold counts bytes of a body. It says whether there is room for them; they count in any case, until leave.
func (x *exchange) hold(bytes int) bool {
	x.held += int64(bytes)
	return x.s.admission.bodies.Add(int64(bytes)) <= x.s.admission.maxBodies
}

// admit takes a place among the requests that are worked on; size is that of the body. A request waits for one no longer
// than half of its time, which begins here.
func (x *exchange) admit(size int) error {
	if x.place != nil {
		return nil
	}
	x.works(true)
	a := x.s.admission
	if a.overdue.Load() >= a.maxOverdue {
		return x.refuse("overdue", "The server is busy with questions that take too long: try again after a second.")
	}
	g := &a.questions
	switch {
	case x.tally.announces:
		g = &a.announcements
	case size > hugeBody:
		g = &a.huge
	case x.large || size > largeBody:
		g = &a.batches
	}
	now := time.Now()
	x.until = now.Add(x.s.timeout)
	if !g.enter() {
		ctx, cancel := context.WithDeadline(x.r.Context(), now.Add(x.s.timeout/2))
		defer cancel()
		if !g.wait(ctx) {
			return x.refuse("busy", "The server is busy: try again after a second.")
		}
	}
	x.place = g
	return nil
}

// refuse is for a request that there is no room for.
func (x *exchange) refuse(reason, message string) error {
	x.s.metrics.refused.WithLabelValues(reason).Inc()
	x.w.Header().Set("Retry-After", retryAfter)
	return &pdp.Error{Kind: overloaded, Message: message}
}

// leave gives back what the request took. It is called once its work is over, which may be long after its answer.
func (x *exchange) leave() {
	x.works(false)
	if x.place != nil {
		x.place.leave()
		x.place = nil
	}
	if x.held > 0 {
		x.s.admission.bodies.Add(-x.held)
		x.held = 0
	}
	if x.watch.answered() {
		x.s.admission.overdue.Add(-1)
	}
}
