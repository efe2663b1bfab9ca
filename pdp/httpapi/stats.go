package httpapi

import (
	"context"
	"log/slog"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"
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
	hits                    int             // results of a search
	users, locations        int             // announced changes
	revision                string          // of the policy
}

// countDecision counts a decision. A denial that stands for a malformed result of the policy counts as an error.
func (s *requestStats) countDecision(a *actionCounters, d *pdp.Decision) {
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

// logAccess writes the access log.
func (rc *requestContext) logAccess(elapsed time.Duration) {
	handler, level := rc.server.log.Handler(), rc.route.level
	if !handler.Enabled(context.Background(), level) {
		return
	}
	attrs := make([]slog.Attr, 0, 12)
	attrs = append(attrs,
		slog.String("method", methodLabel(rc.r.Method)), slog.String("route", rc.route.path), slog.Int("status", rc.status),
		slog.Duration("duration", elapsed), slog.String("request_id", rc.id), slog.String("peer", rc.r.RemoteAddr))
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
	// A logger would look up the line of code that calls it, which takes as long as the rest.
	record := slog.NewRecord(rc.start.Add(elapsed), level, "request", 0)
	record.AddAttrs(attrs...)
	_ = handler.Handle(context.Background(), record)
}
