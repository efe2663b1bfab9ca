package directory

import (
	"os"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/rotation"
)

// watcher detects that a file is written or replaced. A file is replaced by a rename, or by a new target of a symbolic
// link in its path: Kubernetes updates a ConfigMap by replacing the link ..data.
//
// It polls: file events would still need polling, since not every system and file system has them, and not every change
// causes one. A poll takes some 2 µs.
type watcher struct {
	cfg  FileConfig
	last os.FileInfo // as of the last call of changed; nil if there was no file
}

func newWatcher(cfg FileConfig) *watcher {
	w := &watcher{cfg: cfg}
	w.changed()
	return w
}

// run calls reload after each change, once the file has stayed unchanged for cfg.Settle. It returns when stop is closed.
func (w *watcher) run(stop <-chan struct{}, reload func() error) {
	poll := time.NewTicker(w.cfg.Interval)
	defer poll.Stop()
	due := time.Now().Add(w.cfg.Settle) // for a change since the file was first read; zero if nothing has changed
	for {
		select {
		case <-stop:
			return
		case <-poll.C:
		}
		now := time.Now()
		if w.changed() {
			due = now.Add(w.cfg.Settle)
		}
		if due.IsZero() || now.Before(due) {
			continue
		}
		due = time.Time{}
		switch err := reload(); {
		case rotation.Unsettled(err):
			due = now.Add(w.cfg.Settle)
		case err == nil && w.last != nil && now.Sub(w.last.ModTime()) < rotation.TimestampGranularity:
			due = now.Add(rotation.TimestampGranularity) // a write after this one may have left the same state
		} // all other errors are in the log and the status
	}
}

// changed reports whether the file has changed since the last call.
func (w *watcher) changed() bool {
	now, err := os.Stat(w.cfg.Path)
	if err != nil {
		now = nil
	}
	same := rotation.SameState(w.last, now)
	w.last = now
	return !same
}
