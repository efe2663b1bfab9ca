package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/traces"
	"github.com/wardkeeper/wardkeeper/pdp/tracing"
)

// traceExporter exports the traces of requests; nil means that there are none.
type traceExporter struct{ *traces.Exporter }

func openTraces(ctx context.Context, s *config.Settings, logger *slog.Logger) (*traceExporter, error) {
	if s.Traces != config.TracesOTLP || s.Check {
		return nil, nil
	}
	opened, err := traces.Open(ctx, mainVersion(), logger)
	if err != nil {
		return nil, err
	}
	return &traceExporter{opened}, nil
}

func (t *traceExporter) tracer() *tracing.Tracer {
	if t == nil {
		return nil
	}
	return t.Tracer()
}

// close exports what is left.
func (t *traceExporter) close(within time.Duration) {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	t.Close(ctx)
}
