package directory

import (
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/wardkeeper/wardkeeper/pdp/rotation"
)

// watcher detects that a file is written or replaced. A file is replaced by a rename, or by a new target of a symbolic
// link in its path: Kubernetes updates a ConfigMap by replacing the link ..data.
type watcher struct {
	cfg    FileConfig
	path   string            // as in file events
	events *fsnotify.Watcher // nil if the system provides no file events
	last   os.FileInfo       // as of the last call of changed; nil if there was no file
}

func newWatcher(cfg FileConfig) *watcher {
	w := &watcher{cfg: cfg, path: filepath.Clean(cfg.Path)}
	w.last = w.stat()
	events, err := fsnotify.NewWatcher()
	if err != nil {
		cfg.Logger.Warn("no file events available, polling the directory file", "interval", cfg.Interval, "error", err)
		return w
	}
	w.events = events
	w.watchFolder()
	return w
}

// watchFolder subscribes to the events of the folder, because a subscription to the file would end when another file is
// renamed over it. Each poll calls it again, because the folder may have been replaced too. If it fails, polling
// continues.
func (w *watcher) watchFolder() {
	if w.events != nil {
		_ = w.events.Add(filepath.Dir(w.path))
	}
}

func (w *watcher) stat() os.FileInfo {
	info, err := os.Stat(w.path)
	if err != nil {
		return nil
	}
	return info
}

func (w *watcher) close() {
	if w.events != nil {
		_ = w.events.Close()
	}
}

// run calls reload after each change, once the file has stayed unchanged for cfg.Settle. It returns when stop is closed.
func (w *watcher) run(stop <-chan struct{}, reload func() error) {
	defer w.close()
	var events <-chan fsnotify.Event
	var errs <-chan error
	if w.events != nil {
		events, errs = w.events.Events, w.events.Errors
	}
	poll := time.NewTicker(w.cfg.Interval)
	defer poll.Stop()
	debounce := time.NewTimer(w.cfg.Settle) // started at once, for a change since the file was first read
	defer debounce.Stop()
	for {
		select {
		case <-stop:
			return
		case e, ok := <-events:
			if !ok {
				events = nil
			} else if w.affects(e) {
				debounce.Reset(w.cfg.Settle)
			}
		case _, ok := <-errs:
			if !ok { // any error can mean that events were lost
				errs = nil
			} else {
				debounce.Reset(w.cfg.Settle)
			}
		case <-poll.C:
			w.watchFolder()
			if w.changed() {
				debounce.Reset(w.cfg.Settle)
			}
		case <-debounce.C:
			if w.changed() { // the writer has not finished, and not every write causes an event
				debounce.Reset(w.cfg.Settle)
			} else if err := reload(); rotation.Unsettled(err) {
				debounce.Reset(w.cfg.Settle)
			} // all other errors are in the log and the status
		}
	}
}

// affects reports whether an event means that the file may have changed. The event can be about another file in the
// folder.
func (w *watcher) affects(e fsnotify.Event) bool {
	if e.Op == fsnotify.Chmod { // also caused by a new link to the file or a new access time
		return w.changed()
	}
	return filepath.Clean(e.Name) == w.path || w.changed()
}

// changed reports whether the file has changed since the last call.
func (w *watcher) changed() bool {
	now := w.stat()
	same := rotation.SameState(w.last, now)
	w.last = now
	return !same
}
