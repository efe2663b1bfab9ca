package follow

import (
	"time"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// recordActivated records a new active revision and logs it.
func (f *Follower) recordActivated(r *bundles.Revision, confirmed time.Time, fromDisk bool) {
	now := time.Now()
	f.mu.Lock()
	before := f.status.Active
	f.status.Active, f.status.Activated, f.status.FromDisk = r, now, fromDisk
	f.status.Activations++
	if !fromDisk {
		f.status.Attempt, f.status.Refusal = Attempt{At: confirmed, Outcome: Activated}, Attempt{}
	}
	f.mu.Unlock()
	f.confirmed.Store(&confirmed)
	if r.Sequence == 0 && f.source.remote() {
		f.log.Warn("policy has no sequence, so an older one would be accepted too: build releases with a sequence", "source", r.Source)
	}
	r.WarnNotLoaded(f.log)
	attributes := []any{"revision", r.ID, "label", r.Label, "sequence", r.Sequence, "source", r.Source, "verified", r.Verified}
	switch {
	case fromDisk:
		f.log.Warn("policy activated from disk, until its source has a good one", attributes...)
	case before == nil:
		f.log.Info("policy activated", append(attributes, f.unavailable.Ended()...)...)
	default:
		f.log.Info("policy activated", append(append(attributes, "before", before.ID), f.unavailable.Ended()...)...)
	}
}

// recordUnchanged records an attempt that found the state that was checked before.
func (f *Follower) recordUnchanged(tag string, at time.Time) {
	if f.seen.tag = tag; f.seen.trusted {
		f.failures = 0
	} else {
		f.countFailure()
	}
	if f.seenActive {
		f.recordConfirmed(at)
		return
	}
	f.mu.Lock() // the refused bundle is still there
	before := f.status.Attempt.Outcome
	f.status.Attempt = f.status.Refusal
	f.status.Attempt.At = at
	f.mu.Unlock()
	if before == Unavailable {
		f.log.Info("the source of the policy answers again, with the bundle that was refused",
			append(f.unavailable.Ended(), "source", f.source.String())...)
	}
}

// recordConfirmed records an attempt that found the active revision.
func (f *Follower) recordConfirmed(at time.Time) {
	f.mu.Lock()
	before := f.status.Attempt.Outcome
	f.status.FromDisk = false
	f.status.Attempt, f.status.Refusal = Attempt{At: at, Outcome: Unchanged}, Attempt{}
	f.mu.Unlock()
	f.confirmed.Store(&at)
	if f.cfg.Source.maxAge > 0 {
		f.saveConfirmed(at)
	}
	if before == Refused || before == Unavailable {
		f.log.Info("the source of the policy is good again", append(f.unavailable.Ended(), "source", f.source.String())...)
	}
}

func (f *Follower) saveConfirmed(at time.Time) {
	if err := f.store.confirm(at); err != nil {
		if f.unsaved.Failed() {
			f.log.Warn("cannot save to disk that the policy was confirmed", "error", err)
		}
	} else if ended := f.unsaved.Ended(); ended != nil {
		f.log.Info("that the policy was confirmed is saved to disk again", ended...)
	}
}

// countFailure makes the pauses longer while a server has a bundle that may have been damaged on the way. A local source
// decides itself how often it rereads content that looks the same.
func (f *Follower) countFailure() {
	if f.source.remote() {
		f.failures++
	} else {
		f.failures = 0
	}
}

// recordFailure records an attempt that failed.
func (f *Follower) recordFailure(found fetched, r *bundles.Refusal, at time.Time) {
	switch {
	case r.Temporary || found.tag == "": // it is fetched and checked again
		f.failures++
	case r.Verified: // the release itself is at fault
		f.seen, f.seenActive, f.failures = seen{found.tag, true}, false, 0
	default: // it is fetched again, and checked if its bytes differ
		f.seen, f.seenActive = seen{found.tag, false}, false
		f.countFailure()
	}
	attempt := Attempt{At: at, Outcome: Refused, Reason: r.Reason, Err: r.Err}
	if r.Reason == bundles.Unavailable {
		attempt.Outcome = Unavailable
	}
	f.mu.Lock()
	refused, active := f.status.Refusal.Err, f.status.Active
	f.status.Attempt = attempt
	if attempt.Outcome == Refused {
		f.status.Refusal = attempt
	}
	f.status.Refused[r.Reason]++
	f.mu.Unlock()
	f.logFailure(refused, attempt, active)
}

// logFailure logs the first failure of an outage of the source, and a refusal unless it is the last one again.
func (f *Follower) logFailure(refused error, attempt Attempt, active *bundles.Revision) {
	news := false
	if attempt.Outcome == Unavailable {
		news = f.unavailable.Failed()
	} else {
		f.unavailable.Ended()
		news = refused == nil || refused.Error() != attempt.Err.Error()
	}
	attributes := []any{"reason", string(attempt.Reason), "source", f.source.String(), "error", attempt.Err}
	if active != nil {
		attributes = append(attributes, "active", active.ID)
	}
	switch {
	case !news:
		f.log.Debug("policy still not activated", attributes...)
	case active == nil:
		f.log.Error("policy not activated, and there is none to decide by yet: trying again", attributes...)
	case attempt.Outcome == Unavailable:
		f.log.Warn("the source of the policy cannot be read, the active policy stays in force", attributes...)
	default:
		f.log.Error("policy refused, the active policy stays in force", attributes...)
	}
}
