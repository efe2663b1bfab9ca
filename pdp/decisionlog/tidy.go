package decisionlog

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/klauspost/compress/gzip"
)

// tidyInterval is how often old segments are looked for, and compression is tried again.
const tidyInterval = time.Minute

// keepTidy compresses closed segments and deletes old ones until the log is closed.
func (l *Log) keepTidy() {
	tick := time.NewTicker(tidyInterval)
	defer tick.Stop()
	failed := false
	for {
		err := errors.Join(l.removeOld(), l.compress())
		l.chooseOld()
		switch {
		case err != nil && !failed:
			l.cfg.Logger.Error("decision log: segments cannot be compressed or deleted", "dir", l.cfg.Dir, "error", err)
		case err == nil && failed:
			l.cfg.Logger.Info("decision log: segments are compressed and deleted again", "dir", l.cfg.Dir)
		}
		failed = err != nil
		select {
		case <-l.tidy:
		case <-tick.C:
		case <-l.closing:
			return
		}
	}
}

// chooseOld decides which segments are to be deleted. That is done once a checkpoint says so, or else they would seem to be
// removed by somebody.
func (l *Log) chooseOld() {
	l.mu.Lock()
	defer l.mu.Unlock()
	total := int64(0)
	for _, s := range l.segments {
		total += s.size
	}
	for _, s := range l.segments {
		tooMuch := l.cfg.MaxTotal > 0 && total > l.cfg.MaxTotal
		tooOld := l.cfg.MaxAge > 0 && l.cfg.now().Sub(s.ended) > l.cfg.MaxAge
		if !tooMuch && !tooOld {
			break
		}
		total -= s.size
		l.oldest = max(l.oldest, s.number+1)
	}
	if l.oldest > l.stated {
		signal(l.wake)
	}
}

// removeOld deletes the segments that a checkpoint on disk has said to be deleted.
func (l *Log) removeOld() error {
	removed := false
	for {
		l.mu.Lock()
		found := len(l.segments) > 0 && l.segments[0].number < l.stated
		var s segment
		if found {
			s = l.segments[0]
		}
		l.mu.Unlock()
		if !found {
			break
		}
		for _, packed := range []bool{false, true} { // both, if compression was interrupted
			if err := os.Remove(filepath.Join(l.cfg.Dir, segmentName(s.number, packed))); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		removed = true
		l.mu.Lock()
		l.segments = slices.Delete(l.segments, 0, 1)
		l.mu.Unlock()
	}
	if !removed {
		return nil
	}
	return syncDir(l.cfg.Dir)
}

// compress compresses the closed segments.
func (l *Log) compress() error {
	l.mu.Lock()
	waiting := slices.DeleteFunc(slices.Clone(l.segments), func(s segment) bool { return s.packed || s.number < l.oldest })
	l.mu.Unlock()
	var faults []error
	for _, s := range waiting {
		packed, err := pack(l.cfg.Dir, s, l.closing)
		removed := errors.Is(err, fs.ErrNotExist) && l.lacks(s)
		if err != nil && !removed {
			faults = append(faults, err)
			continue
		}
		if removed {
			l.cfg.Logger.Error("decision log: a segment was removed by somebody else; run wardkeeper log verify", "dir", l.cfg.Dir, "segment", s.number)
		}
		l.mu.Lock()
		if i := slices.IndexFunc(l.segments, func(o segment) bool { return o.number == s.number }); i >= 0 && removed {
			l.segments = slices.Delete(l.segments, i, i+1)
		} else if i >= 0 {
			l.segments[i] = packed
		}
		l.mu.Unlock()
	}
	return errors.Join(faults...)
}

// lacks reports whether the folder is there and a closed segment is not: a folder that was moved away may come back with it.
func (l *Log) lacks(s segment) bool {
	if _, err := os.Stat(l.cfg.Dir); err != nil {
		return false
	}
	_, err := os.Lstat(filepath.Join(l.cfg.Dir, s.name()))
	return errors.Is(err, fs.ErrNotExist)
}

var errStopped = errors.New("stopped")

// pack replaces a segment by a compressed copy. At any moment, one of the two is complete and on disk.
func pack(dir string, s segment, stop <-chan struct{}) (packed segment, err error) {
	plain := filepath.Join(dir, s.name())
	packed = segment{number: s.number, packed: true, content: s.size, ended: s.ended}
	target := filepath.Join(dir, packed.name())
	in, err := os.Open(plain)
	if err != nil {
		return s, err
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(target+partSuffix, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return s, err
	}
	if packed.size, err = packInto(out, stoppable{io.LimitReader(in, s.size), stop}); err != nil {
		_ = os.Remove(out.Name())
		if errors.Is(err, errStopped) {
			return s, nil
		}
		return s, err
	}
	if err := os.Rename(out.Name(), target); err != nil {
		return s, err
	}
	if err := syncDir(dir); err != nil {
		return s, err
	}
	if err := os.Remove(plain); err != nil {
		return s, err
	}
	return packed, syncDir(dir)
}

// packInto writes and closes a compressed file, and returns its size.
func packInto(out *os.File, in io.Reader) (int64, error) {
	defer func() { _ = out.Close() }()
	z, err := gzip.NewWriterLevel(out, gzip.BestSpeed) // what runs here is taken from decisions
	if err != nil {
		return 0, err
	}
	if _, err := io.Copy(z, in); err != nil {
		return 0, err
	}
	if err := z.Close(); err != nil {
		return 0, err
	}
	if err := out.Sync(); err != nil {
		return 0, err
	}
	info, err := out.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), out.Close()
}

// stoppable is a reader that stops when a channel is closed.
type stoppable struct {
	r    io.Reader
	stop <-chan struct{}
}

// Read implements [io.Reader].
func (s stoppable) Read(to []byte) (int, error) {
	select {
	case <-s.stop:
		return 0, errStopped
	default:
		return s.r.Read(to)
	}
}
