package pep

import (
	"context"
	"crypto/rand"
	"encoding/hex"
)

// Trace identifies the request on whose behalf a question is asked. Deciders pass it on (PEP-7).
type Trace struct {
	RequestID   string // X-Request-ID
	Traceparent string // W3C Trace Context
	Tracestate  string
}

// NewTrace returns the trace of a request. values returns the values of a header field, or of a metadata key. If the request
// does not have exactly one request id that can be logged and passed on, NewTrace makes one.
func NewTrace(values func(name string) []string) Trace {
	trace := Trace{Traceparent: first(values("traceparent")), Tracestate: first(values("tracestate"))}
	if ids := values("x-request-id"); len(ids) == 1 && isRequestID(ids[0]) {
		trace.RequestID = ids[0]
		return trace
	}
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	trace.RequestID = hex.EncodeToString(id[:])
	return trace
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// maxRequestID is the maximum length of a request id that is passed on, in bytes.
const maxRequestID = 128

func isRequestID(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != "" && len(s) <= maxRequestID
}

type traceKey struct{}

// WithTrace returns a context that carries t to deciders.
func WithTrace(ctx context.Context, t Trace) context.Context {
	return context.WithValue(ctx, traceKey{}, t)
}

// TraceOf returns the trace of a context, which is empty unless [WithTrace] set it.
func TraceOf(ctx context.Context) Trace {
	t, _ := ctx.Value(traceKey{}).(Trace)
	return t
}
