package httpapi

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/tracing"
)

// Values of the label and log key "outcome".
const (
	outcomeAllowed = "allowed"
	outcomeDenied  = "denied"
	outcomeError   = "error"
)

// requestStats is the data about a request for metrics and the access log. The only client-supplied values in it are
// names of configured actions, because ids, user names and properties are personal data.
type requestStats struct {
	evaluation, search, batch, announcement bool // the kind of the request

	action                  *actionCounters // nil until known
	allowed, denied, errors int             // evaluations
	changes                 bool            // an action that was decided may change something
	hits                    int             // results of a search
	users, locations        int             // announced changes
	revision                string          // of the policy
}

// countDecision counts a decision. A denial that stands for a malformed result of the policy counts as an error.
func (s *requestStats) countDecision(a *actionCounters, d *pdp.Decision) {
	s.changes = s.changes || !a.readOnly
	switch {
	case d.Fault:
		s.countError(a)
	case d.Allow:
		s.allowed++
		a.allowed.Inc()
	default:
		s.denied++
		a.denied.Inc()
	}
}

func (s *requestStats) countError(a *actionCounters) {
	s.errors++
	a.errors.Inc()
}

// countFailure counts a request for evaluations that failed as a whole as one error.
func (rc *requestContext) countFailure() {
	s := &rc.stats
	if !s.evaluation {
		return
	}
	if s.action == nil {
		s.action = rc.server.metrics.otherAction
	}
	s.countError(s.action)
}

func (s *requestStats) outcome() string {
	switch {
	case s.allowed > 0:
		return outcomeAllowed
	case s.denied > 0:
		return outcomeDenied
	}
	return outcomeError
}

// logLevel returns the level of the request's line in the access log.
func (rc *requestContext) logLevel() slog.Level {
	switch {
	case rc.failure.status == 0:
		return rc.route.level
	case rc.failure.kind == pdp.Internal:
		return slog.LevelError
	}
	return slog.LevelWarn // trying again may help
}

// allowedReads reports whether the request asked questions about actions that change nothing, and all of them were allowed.
func (s *requestStats) allowedReads() bool {
	return s.evaluation && s.allowed > 0 && s.denied == 0 && s.errors == 0 && !s.changes
}

// logAccess writes the access log: one line for a request, with the cause if it failed.
func (rc *requestContext) logAccess(elapsed time.Duration) {
	handler, level := rc.server.log.Handler(), rc.logLevel()
	if !handler.Enabled(context.Background(), level) {
		return
	}
	sampled := rc.server.logSampleRate > 1 && rc.stats.allowedReads()
	if sampled && rand.IntN(rc.server.logSampleRate) != 0 {
		return
	}
	attrs := make([]slog.Attr, 0, 16)
	attrs = append(attrs,
		slog.String("method", methodLabel(rc.r.Method)), slog.String("route", rc.route.path), slog.Int("status", rc.status),
		slog.Int64("duration_us", elapsed.Microseconds()), slog.String("request_id", rc.id), slog.String("peer", rc.r.RemoteAddr))
	id := rc.span.TraceID()
	if id == "" {
		id = tracing.TraceID(rc.r.Header["Traceparent"])
	}
	if id != "" {
		attrs = append(attrs, slog.String("trace_id", id))
	}
	if rc.callerName != "" {
		attrs = append(attrs, slog.String("caller", rc.callerName))
	}
	s := &rc.stats
	if s.action != nil {
		attrs = append(attrs, slog.String("action", s.action.name))
	}
	switch {
	case s.batch:
		attrs = append(attrs, slog.Int("allowed", s.allowed), slog.Int("denied", s.denied), slog.Int("errors", s.errors))
	case s.evaluation:
		attrs = append(attrs, slog.String("outcome", s.outcome()))
	case s.search:
		attrs = append(attrs, slog.Int("hits", s.hits))
	case s.announcement:
		attrs = append(attrs, slog.Int("users", s.users), slog.Int("locations", s.locations))
	}
	if s.revision != "" {
		attrs = append(attrs, slog.String("revision", s.revision))
	}
	if sampled {
		attrs = append(attrs, slog.Int("sample_rate", rc.server.logSampleRate))
	}
	if rc.failure.status != 0 {
		attrs = append(attrs, slog.String("kind", string(rc.failure.kind)), slog.Any("cause", rc.failure.cause))
	}
	// A logger would look up the line of code that calls it, which takes as long as the rest.
	record := slog.NewRecord(rc.start.Add(elapsed), level, "request", 0)
	record.AddAttrs(attrs...)
	_ = handler.Handle(context.Background(), record)
}
