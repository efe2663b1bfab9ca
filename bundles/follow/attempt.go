package follow

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// attempt asks the source once, and activates its bundle if that is new and good.
func (f *Follower) attempt(ctx context.Context) error {
	began := time.Now()
	if keys := f.cfg.Source.verification().Fingerprint(); keys != f.keys { // results under other keys no longer count
		f.seen, f.seenActive, f.keys = seen{}, false, keys
	}
	found, err := f.source.fetch(ctx, f.seen)
	if err == nil && found.unchanged() {
		f.recordUnchanged(found.tag, began)
		return nil
	}
	if !found.unchanged() {
		defer f.releaseMemory()
	}
	if err == nil {
		err = f.install(ctx, found, began)
	}
	switch {
	case err == nil:
		f.seen, f.seenActive, f.failures = seen{found.tag, true}, true, 0
		return nil
	case errors.Is(ctx.Err(), context.Canceled):
		return err // the follower is closing: not a failure
	case ctx.Err() != nil && !found.unchanged(): // says nothing about the bundle
		err = unavailable(errors.New("it could not be checked before the start timed out"))
	}
	f.recordFailure(found, bundles.AsRefusal(err, bundles.Unavailable), began)
	return err
}

// install opens what was fetched, passes it to the gate, saves it and activates it.
func (f *Follower) install(ctx context.Context, found fetched, began time.Time) error {
	r, err := f.open(ctx, found)
	if err != nil {
		return err
	}
	if active := f.active(); active != nil && active.ID == r.ID { // the same content, signed or packed again
		if err := f.save(r, found); err != nil {
			return err
		}
		f.recordConfirmed(began)
		return nil
	}
	if err := f.checkComparable(r); err != nil {
		return err
	}
	candidate, err := f.check(ctx, r)
	if err != nil {
		return err
	}
	if err := f.save(r, found); err != nil {
		return err
	}
	candidate.Commit()
	f.recordActivated(r, began, false)
	return nil
}

// checkComparable refuses a revision that has to be approved against the one in force before, if that cannot be loaded from disk: otherwise it
// would be taken for the first.
func (f *Follower) checkComparable(r *bundles.Revision) error {
	saved := f.store.state
	if !f.cfg.Source.approval || f.active() != nil || saved.ID == "" || saved.ID == r.ID || saved.Source != f.source.String() {
		return nil
	}
	return &bundles.Refusal{Reason: bundles.Unapproved, Temporary: true, Verified: r.Verified, Err: fmt.Errorf(
		"policy %s: it cannot be compared with the policy that was in force before, which cannot be loaded from the state directory: repair the cause, "+
			"or empty that directory to begin without comparing", r.Source)}
}

func (f *Follower) save(r *bundles.Revision, found fetched) error {
	if err := f.store.save(r, found, r.Source); err != nil {
		return &bundles.Refusal{Reason: bundles.NotSaved, Temporary: true, Err: err}
	}
	return nil
}

// check calls the gate, within the time for a check. A gate that panics refuses the revision.
func (f *Follower) check(ctx context.Context, r *bundles.Revision) (candidate Candidate, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = &bundles.Refusal{Reason: bundles.Vetoed, Verified: r.Verified, Err: fmt.Errorf("policy %s: it cannot be checked: %v", r.Source, cause)}
		}
	}()
	checking, cancel := context.WithTimeout(ctx, f.cfg.Source.checkTimeout)
	defer cancel()
	if candidate, err = f.cfg.Gate(checking, r); err == nil {
		return candidate, nil
	}
	refusal := bundles.AsRefusal(err, bundles.Vetoed)
	refusal.Verified = r.Verified
	if checking.Err() != nil { // a machine under load may need longer
		refusal.Temporary = true
		refusal.Err = fmt.Errorf("policy %s: it cannot be checked within %s: %w", r.Source, f.cfg.Source.checkTimeout, err)
	}
	return nil, refusal
}

// releaseMemory returns memory to the operating system, at most every 10 s. Checking a bundle takes many times its size,
// and the next one may be days away.
func (f *Follower) releaseMemory() {
	if time.Since(f.memoryReleased) > 10*time.Second {
		debug.FreeOSMemory()
		f.memoryReleased = time.Now()
	}
}
