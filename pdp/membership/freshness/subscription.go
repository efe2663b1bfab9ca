package freshness

import (
	"errors"
	"slices"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/outage"
)

// subscription is the state of one source of announced changes.
type subscription struct {
	active     bool // it has begun and has not been lost since
	startEvent uint64
	startedAt  time.Time // every change after this time is received
	watermark  time.Time // every change before this time has been received
	lostAt     time.Time
	losses     uint64
	history    string   // of the records whose changes are reported
	missing    []string // the missing proofs while it is lost
	outage     outage.Outage
}

func (s *subscription) live(now time.Time, lease time.Duration) bool {
	return s.active && membership.Elapsed(now, s.watermark) <= lease
}

// unconfirmedUntil returns the time before which fetched records are unconfirmed.
func (s *subscription) unconfirmedUntil(now time.Time, lease time.Duration) time.Time {
	switch {
	case s.live(now, lease):
		return s.startedAt
	case s.active:
		return s.watermark.Add(lease)
	}
	return s.lostAt
}

// Names of the missing proofs that the tracker itself reports, for metrics and readiness. A [membership.Unproven] can
// add others.
const (
	NoPromise   = "promise"   // there is no promise that every change is announced
	noStream    = "stream"    // the shared stream is not followed
	NoListening = "listening" // the origin's changes are not received
	NoHeartbeat = "heartbeat" // no heartbeat for longer than a lease
	NoHistory   = "history"   // records have another history than the one whose changes are reported
)

// unproven names the missing proofs; nil while records are confirmed. The caller must hold the lock.
func (t *Tracker) unproven(now time.Time) []string {
	switch s := t.confirming(); {
	case t.confirmer == ConfirmedByNone:
		return []string{NoPromise}
	case !s.active:
		return s.missing
	case !s.live(now, t.lease):
		return []string{NoHeartbeat}
	case t.historyMismatch:
		return []string{NoHistory}
	}
	return nil
}

func (t *Tracker) begin(s *subscription, at time.Time, history string) {
	t.events++
	s.active, s.startEvent, s.startedAt, s.watermark, s.history, s.missing = true, t.events, at, at, history, nil
	t.historyMismatch = t.historyMismatch && s != &t.origin
}

func (t *Tracker) heartbeat(s *subscription, asOf time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if asOf.After(s.watermark) {
		s.watermark = asOf
	}
}

func (t *Tracker) lose(s *subscription, word string, err error) {
	t.mu.Lock()
	if s.active {
		s.active, s.lostAt = false, time.Now()
		s.losses++
	}
	s.missing = []string{word}
	var unproven *membership.Unproven
	if errors.As(err, &unproven) && len(unproven.Missing) > 0 {
		s.missing = slices.Compact(slices.Sorted(slices.Values(unproven.Missing)))
	}
	t.mu.Unlock()
	begins := s.outage.Failed()
	switch {
	case t.confirms(s):
		t.logMissing(s, err)
	case !begins:
	case s == &t.stream:
		t.log.Warn("the stream of changes is lost", "error", err)
	default:
		t.log.Warn("not listening to changes of the database", "error", err)
	}
}

// logBegan logs that a subscription has begun, and the outage that this ends.
func (t *Tracker) logBegan(s *subscription) {
	ended := s.outage.Ended()
	switch {
	case t.confirms(s):
		t.logMissing(s, nil, ended...)
	case s == &t.stream:
		t.log.Info("the stream of changes is followed", ended...)
	default:
		t.log.Info("listening to changes of the database", ended...)
	}
}

// confirms reports whether the silence of a subscription confirms records.
func (t *Tracker) confirms(s *subscription) bool {
	return t.confirmer != ConfirmedByNone && s == t.confirming()
}

// logMissing logs the missing proofs of the subscription that confirms records, if they have changed since they were last
// logged. It is the only line about a subscription that is lost, so it has the cause.
func (t *Tracker) logMissing(s *subscription, cause error, ended ...any) {
	t.mu.Lock()
	missing := []string{}
	switch {
	case !s.active:
		missing = s.missing
	case t.historyMismatch:
		missing = []string{NoHistory}
	}
	same := t.loggedMissing != nil && slices.Equal(missing, t.loggedMissing)
	t.loggedMissing = missing
	t.mu.Unlock()
	if same {
		return
	}
	if len(missing) == 0 {
		t.log.Info("membership facts are confirmed by announced changes", ended...)
		return
	}
	attrs := []any{"unproven", missing}
	var why *membership.Unproven
	switch {
	case errors.As(cause, &why):
		attrs = append(attrs, "reason", why.Reason)
	case cause != nil:
		attrs = append(attrs, "error", cause)
	}
	t.log.Warn("membership facts are not confirmed and are fresh by age alone: proofs are missing", attrs...)
}

// StreamHandler returns the receiver of the stream that sidecars share.
func (t *Tracker) StreamHandler() membership.StreamHandler { return streamHandler{t} }

type streamHandler struct{ *Tracker }

func (h streamHandler) Began(at, floor membership.Position, tail []membership.Announcement, asOf time.Time) {
	for _, a := range tail {
		h.Invalidate(a.Changes, a.At)
	}
	h.mu.Lock()
	h.position, h.floor = at, floor
	h.begin(&h.stream, asOf, "")
	h.mu.Unlock()
	h.logBegan(&h.stream)
}

func (h streamHandler) Changed(a membership.Announcement) {
	h.Invalidate(a.Changes, a.At)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.position = a.At
}

func (h streamHandler) Heartbeat(asOf time.Time) { h.heartbeat(&h.stream, asOf) }

func (h streamHandler) Lost(err error) { h.lose(&h.stream, noStream, err) }

// ChangeHandler returns the receiver of the changes that the origin reports.
func (t *Tracker) ChangeHandler() membership.ChangeHandler { return changeHandler{t} }

type changeHandler struct{ *Tracker }

func (h changeHandler) Began(at time.Time, history string) {
	h.mu.Lock()
	h.begin(&h.origin, at, history)
	h.mu.Unlock()
	h.logBegan(&h.origin)
}

func (h changeHandler) Changed(changes []pdp.Change) {
	h.Invalidate(changes, membership.Position{})
}

func (h changeHandler) Heartbeat(at time.Time) { h.heartbeat(&h.origin, at) }

func (h changeHandler) Lost(err error) { h.lose(&h.origin, NoListening, err) }
