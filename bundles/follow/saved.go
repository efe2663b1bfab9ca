package follow

import (
	"context"
	"time"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// loadSaved activates the last good bundle of this source from disk. It passes every check again, like a new bundle.
func (f *Follower) loadSaved(ctx context.Context) {
	state := f.store.state
	if state.Source != f.source.String() {
		return
	}
	raw, err := f.store.archive(f.cfg.Source.limits)
	if raw == nil && err == nil {
		return
	}
	if err != nil {
		f.logSavedFault(err)
		return
	}
	r, candidate, err := f.checkSaved(ctx, raw)
	if err != nil {
		f.logSavedFault(err)
		return
	}
	if r.ID == state.ID {
		f.seen, f.seenActive, f.keys = seen{state.Tag, true}, true, f.cfg.Source.verification().Fingerprint()
	}
	candidate.Commit()
	confirmed := state.Confirmed
	if now := time.Now(); confirmed.After(now) { // the clock was set back
		confirmed = now
	}
	f.recordActivated(r, confirmed, true)
}

func (f *Follower) checkSaved(ctx context.Context, raw []byte) (*bundles.Revision, Candidate, error) {
	r, err := f.open(ctx, fetched{raw: raw})
	if err != nil {
		return nil, nil, err
	}
	candidate, err := f.check(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	if r.ID != f.store.state.ID { // the process died after saving the bundle: the outdated state would admit older ones
		if err := f.store.catchUp(r); err != nil {
			return nil, nil, bundles.Refuse(bundles.NotSaved, err)
		}
	}
	return r, candidate, nil
}

// logSavedFault logs why the bundle on disk is not used, unless it logged the same last time.
func (f *Follower) logSavedFault(err error) {
	r := bundles.AsRefusal(err, bundles.Vetoed)
	if text := r.Error(); text != f.savedFault {
		f.savedFault = text
		f.log.Error("the policy saved on disk is not used", "reason", r.Reason, "error", r.Err)
	}
}
