package pep

import (
	"context"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// Decider answers questions: adapters/client over HTTP, adapters/inprocess with the engine linked in. Implementations are safe for
// concurrent use, bound their time, and never cache answers (PEP-5).
type Decider interface {
	// Decide answers every question, in order. After an error nothing has been answered. Errors name no person and no value of a
	// question: they are logged.
	Decide(ctx context.Context, questions []authzen.Evaluation) ([]authzen.Response, error)
}

// Trace identifies the request for which a question is asked. Deciders pass it on (PEP-7).
type Trace struct {
	RequestID   string // X-Request-ID
	Traceparent string // W3C Trace Context
	Tracestate  string
}

type traceKey struct{}

// WithTrace returns a context whose questions carry t.
func WithTrace(ctx context.Context, t Trace) context.Context {
	return context.WithValue(ctx, traceKey{}, t)
}

// TraceOf returns the trace of a context, which is empty unless [WithTrace] set it.
func TraceOf(ctx context.Context) Trace {
	t, _ := ctx.Value(traceKey{}).(Trace)
	return t
}
