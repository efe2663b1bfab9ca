package traces

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/go-logr/logr"
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
	// The SDK reports faults of variables in these two ways, and continues with its defaults.
	otel.SetLogger(logr.FromSlogHandler(faults{logger}))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { logger.Warn("a setting of OpenTelemetry is not used", "error", err) }))
	if err := checkEndpoint(); err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	collector, err := collectorClient(logger)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	client, err := otlptracehttp.New(ctx, otlptracehttp.WithHTTPClient(collector))
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
			r.log.Warn("traces cannot be exported and are dropped", "error", reason(err))
		}
	} else if ended := r.down.Ended(); ended != nil {
		r.log.Info("traces can be exported again", ended...)
	}
	return nil
}

const maxReason = 300 // bytes

// reason returns why traces were not exported, without what the collector says: it may be long, and repeat what it was sent.
func reason(err error) string {
	text, _, said := strings.Cut(err.Error(), "body: ")
	if said {
		text = strings.TrimRight(text, " (:")
	}
	if len(text) > maxReason {
		text = strings.ToValidUTF8(text[:maxReason], "") + "..."
	}
	return text
}

// faults logs the faults that the SDK finds in variables, without their values, which may be secrets.
type faults struct{ log *slog.Logger }

// Enabled implements [slog.Handler]. The SDK's warnings have the level -1, what it does the levels below.
func (f faults) Enabled(_ context.Context, level slog.Level) bool { return level >= -1 }

// Handle implements [slog.Handler].
func (f faults) Handle(_ context.Context, r slog.Record) error {
	f.log.Warn("a setting of OpenTelemetry is not used", "error", r.Message)
	return nil
}

// WithAttrs implements [slog.Handler].
func (f faults) WithAttrs([]slog.Attr) slog.Handler { return f }

// WithGroup implements [slog.Handler].
func (f faults) WithGroup(string) slog.Handler { return f }
