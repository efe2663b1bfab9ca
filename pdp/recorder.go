package pdp

import (
	"context"
	"sync"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/deadline"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// Recorder keeps a record of what the engine answers. Implementations must be safe for concurrent use.
type Recorder interface {
	// Record keeps the records of one request: one record, or one for each question of a batch. It returns when they are
	// kept as safely as the answers require. If it fails, the answers are withheld. The records are valid only during the
	// call.
	Record(ctx context.Context, records []Record) error
}

// Record is what there is to keep of one answer: to a question, to a search, or to a request for another document of the
// policy. It holds the caller's words and the facts as they are: what may be kept of them is for the [Recorder] to say.
type Record struct {
	Time     time.Time // when the engine was asked
	Duration time.Duration
	Caller   Caller
	Question Request
	Search   string   // "subject", "resource" or "action", which the question then lacks; "" if it is no search
	Document []string // the path of a document that is not the decision; nil if it is the decision
	// Policy answered; nil if there was none in force.
	Policy *Policy
	// Facts are those that the policy saw, and View is where they come from. They are nil if the policy saw none.
	Facts    *facts.Facts
	View     facts.View
	Decision Decision     // of a question
	Result   SearchResult // of a search
	Value    any          // of a document; nil if it is undefined
	Err      error        // why there is no answer
}

// Caller says who asks, as far as the front door knows.
type Caller struct {
	Door      string // where the question came in, such as "authzen"; "" for a call of the engine itself
	Name      string // of the caller, such as its address; "" if unknown
	Proven    bool   // the caller has proven that this is its name
	RequestID string
}

type callerKey struct{}

// proven returns the name of a caller that has proven it, and "" for all others.
func (c Caller) proven() string {
	if c.Proven {
		return c.Name
	}
	return ""
}

// WithCaller returns a context that tells a [Recorder] who asks, and to whom a guard is given. Front doors of an engine that
// records nothing need not call it for callers that have no name.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerOf returns who asks according to a context.
func CallerOf(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}

// Records reports whether the engine has a recorder.
func (e *Engine) Records() bool { return e.recorder != nil }

// singleRecords has records of single questions, to be used again.
var singleRecords = sync.Pool{New: func() any { return new([1]Record) }}

// newRecords begins the records of a request.
func newRecords(ctx context.Context, n int) []Record {
	records, caller, now := make([]Record, n), CallerOf(ctx), time.Now()
	for i := range records {
		records[i].Caller, records[i].Time = caller, now
	}
	return records
}

// record has the records of a request kept. The error is an [*Error], even after a panic.
func (e *Engine) record(ctx context.Context, records []Record) (err error) {
	if len(records) == 0 {
		return nil
	}
	defer e.recovered(ctx, "the recorder of decisions panicked", &err)
	if ctx.Err() != nil { // a request that took too long is recorded too
		ctx = context.WithoutCancel(ctx)
	}
	limit := deadline.New(ctx, time.Now().Add(e.timeout))
	defer limit.Cancel()
	if err := e.recorder.Record(limit, records); err != nil {
		return &Error{Kind: Unavailable, Message: "The decision cannot be recorded, and so is not given: try again later.", Err: err}
	}
	return nil
}

// endWith completes a record.
func (r *Record) endWith(err error) {
	r.Err = err
	if r.Duration == 0 {
		r.Duration = time.Since(r.Time)
	}
}

// recordIn makes the evaluation put what it finds out into a record; nil ends that.
func (ev *evaluation) recordIn(record *Record) {
	if ev.record = record; record != nil {
		record.Policy, record.View = ev.Policy, ev.facts.View
	}
}

// recordNext begins the record of the next of several questions, if there are records.
func (ev *evaluation) recordNext(records []Record, i int) {
	if records != nil {
		records[i].Time = time.Now()
		ev.recordIn(&records[i])
	}
}

// endRecord measures how long the question of the record took.
func (ev *evaluation) endRecord() {
	if ev.record != nil {
		ev.record.Duration = time.Since(ev.record.Time)
		ev.record = nil
	}
}
