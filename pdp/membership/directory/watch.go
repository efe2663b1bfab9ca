package directory

import (
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/wardkeeper/wardkeeper/pdp/rotation"
)

// watch notices when a file is written or replaced, be it by rename or by another target of a symbolic link somewhere
// on its path, which is how Kubernetes updates a ConfigMap (..data).
type watch struct {
	cfg    FileConfig
	path   string            // clean, as events name it
	events *fsnotify.Watcher // nil where the system gives none
	last   os.FileInfo       // as last seen; nil where there was none
}

func newWatch(cfg FileConfig) *watch {
	w := &watch{cfg: cfg, path: filepath.Clean(cfg.Path)}
	w.last = w.look()
	events, err := fsnotify.NewWatcher()
	if err != nil {
		cfg.Logger.Warn("no file events, the directory file is looked at now and then", "interval", cfg.Interval, "error", err)
		return w
	}
	w.events = events
	w.watchFolder()
	return w
}

// watchFolder watches the folder, since a watched file is lost when another one is renamed over it. It is repeated, for
// the folder may be replaced too; where it fails, the looks go on.
func (w *watch) watchFolder() {
	if w.events != nil {
		_ = w.events.Add(filepath.Dir(w.path))
	}
}

func (w *watch) look() os.FileInfo {
	info, err := os.Stat(w.path)
	if err != nil {
		return nil
	}
	return info
}

func (w *watch) close() {
	if w.events != nil {
		_ = w.events.Close()
	}
}

// run calls reload after each change, once the file has been left alone for a while, until stop is closed.
func (w *watch) run(stop <-chan struct{}, reload func() error) {
	defer w.close()
	var events <-chan fsnotify.Event
	var errs <-chan error
	if w.events != nil {
		events, errs = w.events.Events, w.events.Errors
	}
	poll := time.NewTicker(w.cfg.Interval)
	defer poll.Stop()
	settled := time.NewTimer(w.cfg.Settle) // also for what changed while the first directory was read
	defer settled.Stop()
	for {
		select {
		case <-stop:
			return
		case e, ok := <-events:
			if !ok {
				events = nil
			} else if w.concerns(e) {
				settled.Reset(w.cfg.Settle)
			}
		case _, ok := <-errs:
			// Events were lost.
			if !ok {
				errs = nil
			} else {
				settled.Reset(w.cfg.Settle)
			}
		case <-poll.C:
			w.watchFolder()
			if w.moved() {
				settled.Reset(w.cfg.Settle)
			}
		case <-settled.C:
			if w.moved() { // a slow writer, or one whose events cannot be seen
				settled.Reset(w.cfg.Settle)
			} else if err := reload(); rotation.Unsettled(err) {
				settled.Reset(w.cfg.Settle)
			} // any other error is told by the log and the status
		}
	}
}

// concerns says whether an event can have changed what the path leads to. Other files of the folder do not count.
func (w *watch) concerns(e fsnotify.Event) bool {
	if e.Op == fsnotify.Chmod { // also for each link, and for times that say nothing
		return w.moved()
	}
	return filepath.Clean(e.Name) == w.path || w.moved()
}

// moved says whether the file is another one than at the last look.
func (w *watch) moved() bool {
	now := w.look()
	same := rotation.SameState(w.last, now)
	w.last = now
	return !same
}
