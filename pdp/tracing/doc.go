// Package tracing is what the packages of a decision know of OpenTelemetry: a [Tracer] begins the trace of a request, and
// [Start] a span below the one of a context. Without a tracer no context has a span, and nothing costs anything. Attributes are
// names of our own: never ids, values or messages. Which exporter there is, is known to the binary alone.
package tracing
