package tracing

import (
	"context"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Span is a span. The zero Span is none.
type Span struct{ span trace.Span }

// Tracer begins traces of requests. It is safe for concurrent use.
type Tracer struct{ tracer trace.Tracer }

const name = "github.com/wardkeeper/wardkeeper"

// NewTracer returns a tracer.
func NewTracer(provider trace.TracerProvider) *Tracer { return &Tracer{provider.Tracer(name)} }

// Request begins the span of a request that arrived at a time, below the one that its header names (W3C Trace Context).
func (t *Tracer) Request(ctx context.Context, name string, header http.Header, at time.Time) (context.Context, Span) {
	if TraceID(header["Traceparent"]) != "" {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(header))
	}
	ctx, span := t.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(at))
	return ctx, Span{span}
}

// On reports whether what happens in a context is recorded.
func On(ctx context.Context) bool { return trace.SpanFromContext(ctx).IsRecording() }

// Start begins a span below that of the context. It returns the same context and no span if that is not recorded.
func Start(ctx context.Context, what string) (context.Context, Span) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, Span{}
	}
	ctx, span := parent.TracerProvider().Tracer(name).Start(ctx, what)
	return ctx, Span{span}
}

// Event adds an event to the span of the context.
func Event(ctx context.Context, what string) { trace.SpanFromContext(ctx).AddEvent(what) }

// Continue returns a context with the span of another: for work on behalf of a request that outlives it.
func Continue(ctx, of context.Context) context.Context {
	if span := trace.SpanFromContext(of); span.IsRecording() {
		return trace.ContextWithSpan(ctx, span)
	}
	return ctx
}

// Inject names the span of the context in the header of a request, if there is one.
func Inject(ctx context.Context, header http.Header) {
	if trace.SpanContextFromContext(ctx).IsValid() {
		propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(header))
	}
}

// TraceID returns the id of the span's trace, or "".
func (s Span) TraceID() string {
	if s.span == nil || !s.span.SpanContext().IsValid() {
		return ""
	}
	return s.span.SpanContext().TraceID().String()
}

// Set sets an attribute.
func (s Span) Set(key, value string) {
	if s.span != nil {
		s.span.SetAttributes(attribute.String(key, value))
	}
}

// SetInt sets an attribute that is a number.
func (s Span) SetInt(key string, value int) {
	if s.span != nil {
		s.span.SetAttributes(attribute.Int(key, value))
	}
}

// Fail marks the span as failed, by the kind of error. Its message may tell too much.
func (s Span) Fail(kind string) {
	if s.span != nil {
		s.span.SetStatus(codes.Error, kind)
	}
}

// End ends the span.
func (s Span) End() {
	if s.span != nil {
		s.span.End()
	}
}

// EndWith ends the span, as failed if there is an error.
func (s Span) EndWith(err error) {
	if err != nil {
		s.Fail("failed")
	}
	s.End()
}
