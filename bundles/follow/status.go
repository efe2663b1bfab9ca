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
	Unchanged   Outcome = "unchanged"   // there was none
	Refused     Outcome = "refused"     // there was one that must not be active
	Unavailable Outcome = "unavailable" // the source could not be read
)

// Status is how following goes.
type Status struct {
	Active    *bundles.Revision // nil where there is none yet
	Activated time.Time         // when it became active
	Confirmed time.Time         // when the source last had it
	FromDisk  bool              // it came from disk, and the source has not confirmed it since
	Attempt   Attempt           // the last one; its time is zero where there was none yet
	Refusal   Attempt           // why the newest bundle of the source is not active; zero where it is, or is not known

	Activations uint64                    // since the start
	Refused     map[bundles.Reason]uint64 // attempts that came to nothing, since the start
}

// Attempt is one look at the source.
type Attempt struct {
	At      time.Time
	Outcome Outcome
	Reason  bundles.Reason // why it came to nothing
	Err     error          // the same in a sentence, for those who run the server
}

// Status says how following goes.
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

// Stale says that the source has not confirmed the active revision for longer than max_age. It is quick.
func (f *Follower) Stale() bool {
	at := f.confirmed.Load()
	return f.cfg.Origin.maxAge > 0 && at != nil && age(*at) > f.cfg.Origin.maxAge
}

// age is how long ago something was, by the clock on the wall or by the one that cannot be set: the latter stands still
// while a machine is suspended.
func age(at time.Time) time.Duration {
	return max(time.Since(at), time.Now().Round(0).Sub(at.Round(0)))
}

// tellStale logs that nothing is decided any more, and that it is again.
func (f *Follower) tellStale() {
	stale := f.Stale()
	switch {
	case stale && !f.stale:
		f.log.Error("policy stale: its source has not confirmed it for max_age, and nothing is decided by it until it does",
			"max_age", f.cfg.Origin.maxAge, "source", f.source.String())
	case !stale && f.stale:
		f.log.Info("policy confirmed again: it decides", "source", f.source.String())
	}
	f.stale = stale
}

func (f *Follower) activated(r *bundles.Revision, confirmed time.Time, kept bool) {
	now := time.Now()
	f.mu.Lock()
	before := f.status.Active
	f.status.Active, f.status.Activated, f.status.FromDisk = r, now, kept
	f.status.Activations++
	if !kept {
		f.status.Attempt, f.status.Refusal = Attempt{At: confirmed, Outcome: Activated}, Attempt{}
	}
	f.mu.Unlock()
	f.confirmed.Store(&confirmed)
	if r.Sequence == 0 && f.source.network() {
		f.log.Warn("policy has no sequence: an older one would be taken as well, so build releases with one", "source", r.Source)
	}
	r.WarnNotLoaded(f.log)
	attributes := []any{"revision", r.ID, "label", r.Label, "sequence", r.Sequence, "source", r.Source, "verified", r.Verified}
	switch {
	case kept:
		f.log.Warn("policy activated from disk, until its source has a good one", attributes...)
	case before == nil:
		f.log.Info("policy activated", attributes...)
	default:
		f.log.Info("policy activated", append(attributes, "before", before.ID)...)
	}
}

// unchanged is for an attempt that found what was judged before.
func (f *Follower) unchanged(tag string, at time.Time) {
	if f.seen.tag = tag; f.seen.proven {
		f.failures = 0
	} else {
		f.retry()
	}
	if !f.good {
		f.mu.Lock()
		before := f.status.Attempt.Outcome
		f.status.Attempt = f.status.Refusal
		f.status.Attempt.At = at
		f.mu.Unlock()
		if before == Unavailable {
			f.log.Info("the source of the policy answers again, with the bundle that was refused", "source", f.source.String())
		}
		return // refused before, and still there: that is the last word on it
	}
	f.confirm(at)
}

// confirm is for an attempt that found the active revision.
func (f *Follower) confirm(at time.Time) {
	f.mu.Lock()
	before := f.status.Attempt.Outcome
	f.status.FromDisk = false
	f.status.Attempt, f.status.Refusal = Attempt{At: at, Outcome: Unchanged}, Attempt{}
	f.mu.Unlock()
	f.confirmed.Store(&at)
	if f.cfg.Origin.maxAge > 0 {
		if err := f.keep.confirm(at); err != nil {
			f.log.Warn("that the policy was confirmed cannot be written to disk", "error", err)
		}
	}
	if before == Refused || before == Unavailable {
		f.log.Info("the source of the policy is good again", "source", f.source.String())
	}
}

// retry waits longer and longer for what may have been spoilt on the way. A path is looked at all the same: it knows
// itself how often to read what looks as before.
func (f *Follower) retry() {
	if f.source.network() {
		f.failures++
	} else {
		f.failures = 0
	}
}

// refused is for an attempt that came to nothing. The same failure again is logged for those who look closely alone.
func (f *Follower) refused(found fetched, r *bundles.Refusal, at time.Time) {
	outcome := Refused
	if r.Reason == bundles.Unavailable {
		outcome = Unavailable
	}
	attempt := Attempt{At: at, Outcome: outcome, Reason: r.Reason, Err: r.Err}
	switch {
	case r.Temporary || found.tag == "":
		f.failures++ // it is fetched and judged again
	case r.Verified:
		f.seen, f.good, f.failures = seen{found.tag, true}, false, 0
	default: // it is fetched again, and judged where other bytes come
		f.seen, f.good = seen{found.tag, false}, false
		f.retry()
	}
	f.mu.Lock()
	last := f.status.Attempt
	f.status.Attempt = attempt
	if outcome == Refused {
		f.status.Refusal = attempt
	}
	f.status.Refused[r.Reason]++
	active := f.status.Active
	f.mu.Unlock()
	attributes := []any{"reason", string(r.Reason), "source", f.source.String(), "error", r.Err}
	if active != nil {
		attributes = append(attributes, "active", active.ID)
	}
	switch {
	case last.Outcome == outcome && last.Err != nil && last.Err.Error() == r.Err.Error():
		f.log.Debug("policy still not taken", attributes...)
	case active == nil:
		f.log.Error("policy not taken, and there is none to decide by yet: it is tried again", attributes...)
	case outcome == Unavailable:
		f.log.Warn("the source of the policy cannot be read, the active one goes on", attributes...)
	default:
		f.log.Error("policy refused, the active one goes on", attributes...)
	}
}
