package httpapi

import (
	"context"
	"log/slog"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// The outcomes of a question.
const (
	outcomeAllowed = "allowed"
	outcomeDenied  = "denied"
	outcomeError   = "error"
)

// tally is what metrics and log say of a request's questions. It names actions that are configured, and nothing else
// that callers send: ids, usernames and properties are personal.
type tally struct {
	asks, searches, batch   bool
	action                  *actionCounters // nil where it is not known
	allowed, denied, errors int
	hits                    int
	announces               bool
	users, locations        int // changes, as far as they could be read
	revision                string
}

// answered counts a decision. A denial for want of a well-formed answer is the policy's error.
func (t *tally) answered(a *actionCounters, d *pdp.Decision) {
	switch {
	case d.Fault:
		t.undecided(a)
	case d.Allow:
		t.allowed++
		a.allowed.Inc()
	default:
		t.denied++
		a.denied.Inc()
	}
}

func (t *tally) undecided(a *actionCounters) {
	t.errors++
	a.errors.Inc()
}

// failed counts a request whose question, or questions, could not even be put: one error.
func (x *exchange) failed() {
	t := &x.tally
	if !t.asks {
		return
	}
	if t.action == nil {
		t.action = x.s.metrics.unknown
	}
	t.undecided(t.action)
}

func (t *tally) outcome() string {
	switch {
	case t.allowed > 0:
		return outcomeAllowed
	case t.denied > 0:
		return outcomeDenied
	}
	return outcomeError
}

// logAccess writes the request's line of the access log.
func (x *exchange) logAccess(rt *route, elapsed time.Duration) {
	if !x.s.log.Enabled(context.Background(), rt.level) {
		return
	}
	attrs := make([]slog.Attr, 0, 12)
	attrs = append(attrs,
		slog.String("method", methodLabel(x.r.Method)), slog.String("route", rt.path), slog.Int("status", x.status),
		slog.Duration("duration", elapsed), slog.String("request_id", x.id), slog.String("caller", x.r.RemoteAddr))
	t := &x.tally
	if t.action != nil {
		attrs = append(attrs, slog.String("action", t.action.name))
	}
	switch {
	case t.batch:
		attrs = append(attrs, slog.Int("allowed", t.allowed), slog.Int("denied", t.denied), slog.Int("errors", t.errors))
	case t.asks:
		attrs = append(attrs, slog.String("outcome", t.outcome()))
	case t.searches:
		attrs = append(attrs, slog.Int("hits", t.hits))
	case t.announces:
		attrs = append(attrs, slog.Int("users", t.users), slog.Int("locations", t.locations))
	}
	if t.revision != "" {
		attrs = append(attrs, slog.String("revision", t.revision))
	}
	x.s.log.LogAttrs(context.Background(), rt.level, "request", attrs...)
}
