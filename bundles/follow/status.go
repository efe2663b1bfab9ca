package follow

import (
	"maps"
	"time"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// Outcome is how an attempt to get a bundle ended.
type Outcome string

// The outcomes.
const (
	Activated   Outcome = "activated"   // there was another bundle, and it is active now
	Unchanged   Outcome = "unchanged"   // there was no other bundle
	Refused     Outcome = "refused"     // the bundle must not become active
	Unavailable Outcome = "unavailable" // the source could not be read
)

// Status describes the progress of a [Follower].
type Status struct {
	Active    *bundles.Revision // nil if there is none yet
	Activated time.Time         // when it became active
	Confirmed time.Time         // when the source last had it
	FromDisk  bool              // it came from disk, and the source has not confirmed it since
	Attempt   Attempt           // the last one; its time is zero if there was none yet
	Refusal   Attempt           // why the source's newest bundle is not active; zero if it is, or if that is unknown

	Activations uint64                    // since the start
	Refused     map[bundles.Reason]uint64 // failed attempts since the start
}

// Attempt is one attempt to get a bundle, and its outcome.
type Attempt struct {
	At      time.Time
	Outcome Outcome
	Reason  bundles.Reason // why it failed
	Err     error          // the same in a sentence, for operators
}

// Status describes the progress so far.
func (f *Follower) Status() Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.status
	s.Refused = maps.Clone(s.Refused)
	if at := f.confirmed.Load(); at != nil {
		s.Confirmed = *at
	}
	return s
}

// Stale reports whether the source has not confirmed the active revision for longer than max_age. It is fast enough to be
// called on every request.
func (f *Follower) Stale() bool {
	at := f.confirmed.Load()
	return f.cfg.Source.maxAge > 0 && at != nil && age(*at) > f.cfg.Source.maxAge
}

// age returns the time since at by the wall clock or the monotonic clock, whichever is longer: the first can be set back,
// and the second stops while a machine is suspended.
func age(at time.Time) time.Duration {
	return max(time.Since(at), time.Now().Round(0).Sub(at.Round(0)))
}

// logStale logs when the policy becomes stale, and when it is no longer stale.
func (f *Follower) logStale() {
	stale := f.Stale()
	switch {
	case stale && !f.loggedStale:
		f.log.Error("policy stale: its source has not confirmed it for max_age, and nothing is decided until it does",
			"max_age_s", int64(f.cfg.Source.maxAge.Seconds()), "source", f.source.String())
	case !stale && f.loggedStale:
		f.log.Info("policy confirmed again: it decides", "source", f.source.String())
	}
	f.loggedStale = stale
}
