// Package traces exports the traces of requests by OTLP over HTTP. OpenTelemetry's SDK reads its own OTEL_... variables: the
// endpoint, headers, the sampler, the resource.
package traces
