package pep

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"strings"
)

// Trace identifies the request on whose behalf a question is asked. Deciders pass it on (PEP-7).
type Trace struct {
	RequestID   string // X-Request-ID
	Traceparent string // W3C Trace Context
	Tracestate  string
}

// NewTrace returns the trace of a request. values returns the values of a header field, or of a metadata key. If the request
// does not have exactly one request id that can be logged and passed on, NewTrace makes one. Several parents are none, and
// without a parent there is no state; the fields of the state are one list (W3C Trace Context, section 3).
func NewTrace(values func(name string) []string) Trace {
	var trace Trace
	if parents := values("traceparent"); len(parents) == 1 && isRequestID(parents[0]) && !strings.Contains(parents[0], ",") {
		trace.Traceparent, trace.Tracestate = parents[0], stateOf(values("tracestate"))
	}
	if ids := values("x-request-id"); len(ids) == 1 && isRequestID(ids[0]) {
		trace.RequestID = ids[0]
		return trace
	}
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	trace.RequestID = hex.EncodeToString(id[:])
	return trace
}

// stateOf joins the fields of a trace state in their order. A state that is too long is left out, as the standard allows.
func stateOf(fields []string) string {
	var states []string
	for _, field := range fields {
		if field = strings.Trim(field, " \t,"); field != "" {
			states = append(states, field)
		}
	}
	if len(states) == 0 {
		return ""
	}
	if joined := strings.Join(states, ","); len(joined) <= maxState {
		return joined
	}
	return ""
}

// The maximum lengths of what is passed on, in bytes. A longer request could be refused for its length.
const (
	maxRequestID = 128
	maxState     = 2 << 10 // of a trace state; at least 512 have to be passed on
)

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
