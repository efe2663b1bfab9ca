package httpapi

import "log/slog"

// trace begins the span of the request, from its arrival. It is called once the caller may ask, so that strangers fill no collector.
// Its names and attributes are those of OpenTelemetry's conventions for HTTP, and those of the access log.
func (rc *requestContext) trace() {
	if rc.server.tracer == nil || rc.route.level < slog.LevelInfo {
		return
	}
	method := methodLabel(rc.r.Method)
	ctx, span := rc.server.tracer.Request(rc.r.Context(), method+" "+rc.route.path, rc.r.Header, rc.start)
	rc.r, rc.span = rc.r.WithContext(ctx), span
	span.Set("http.request.method", method)
	span.Set("http.route", rc.route.path)
}

// endTrace ends the span of an answered request.
func (rc *requestContext) endTrace() {
	span, s := rc.span, &rc.stats
	span.SetInt("http.response.status_code", rc.status)
	if s.action != nil {
		span.Set("wardkeeper.action", s.action.name)
	}
	if s.evaluation && !s.batch {
		span.Set("wardkeeper.outcome", s.outcome())
	}
	if s.revision != "" {
		span.Set("wardkeeper.revision", s.revision)
	}
	if rc.failure.status != 0 {
		span.Fail(string(rc.failure.kind))
	}
	span.End()
}
