package traces

import (
	"context"
	"fmt"
	"log/slog"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/wardkeeper/wardkeeper/pdp/outage"
	"github.com/wardkeeper/wardkeeper/pdp/tracing"
)

// Exporter exports traces.
type Exporter struct{ provider *sdktrace.TracerProvider }

// Open returns an exporter. It does not connect: while the collector is down, traces are dropped, and no request waits.
func Open(ctx context.Context, version string, logger *slog.Logger) (*Exporter, error) {
	// The SDK reports faults of variables here, and continues with its defaults.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { logger.Warn("a setting of OpenTelemetry is not used", "error", err) }))
	client, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	described, err := resource.New(ctx, resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String("service.name", "wardkeeper"), attribute.String("service.version", version)),
		resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	return &Exporter{sdktrace.NewTracerProvider(sdktrace.WithResource(described), sdktrace.WithBatcher(&reporting{SpanExporter: client, log: logger}))}, nil
}

// Tracer returns the tracer of requests.
func (e *Exporter) Tracer() *tracing.Tracer { return tracing.NewTracer(e.provider) }

// Close exports what is left, within the context.
func (e *Exporter) Close(ctx context.Context) { _ = e.provider.Shutdown(ctx) } // reported by the exporter

// reporting logs outages of the collector.
type reporting struct {
	sdktrace.SpanExporter
	log  *slog.Logger
	down outage.Outage
}

// ExportSpans implements [sdktrace.SpanExporter].
func (r *reporting) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if err := r.SpanExporter.ExportSpans(ctx, spans); err != nil {
		if r.down.Failed() {
			r.log.Warn("traces cannot be exported and are dropped", "error", err)
		}
	} else if ended := r.down.Ended(); ended != nil {
		r.log.Info("traces can be exported again", ended...)
	}
	return nil
}
