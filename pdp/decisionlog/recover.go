package decisionlog

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// recovery is what [Open] finds in a folder, and where the log goes on.
type recovery struct {
	chain
	number uint64    // of the segment to go on in
	size   int64     // of that segment; 0 if it is new
	opened time.Time // that segment
	format int       // of that segment
	leaves string
	torn   int64 // bytes that were cut off
	broken error
	closed []segment
}

// recoverFolder finds the end of the log in a folder, and cuts off an incomplete end. It leaves alone whatever else is broken.
func recoverFolder(dir string) (recovery, error) {
	all, err := segments(dir)
	if err != nil {
		return recovery{}, err
	}
	if err := removeParts(dir); err != nil {
		return recovery{}, err
	}
	r := recovery{number: 1}
	for i := len(all) - 1; i >= 0; i-- {
		s, last := all[i], i == len(all)-1 && r.broken == nil
		if last {
			r.number = s.number + 1
		}
		r.chain = chain{}
		at, err := r.scanFile(dir, s)
		var fault *Fault
		if err != nil && !errors.As(err, &fault) {
			return r, err
		}
		torn := false
		if fault != nil && last && !s.packed && !r.ended {
			if torn, err = tornFrom(filepath.Join(dir, s.name()), at.offset); err != nil {
				return r, err
			}
		}
		switch {
		case fault == nil || torn && at.lines > 0:
			r.closed = all[:i+1]
			switch {
			case !last || s.packed || r.ended:
			case r.format < format: // what is written now would not be known there
				if err := os.Truncate(filepath.Join(dir, s.name()), at.offset); err != nil {
					return r, err
				}
				r.closed[i].size, r.torn = at.offset, r.torn+s.size-at.offset
			default:
				r.closed, r.number, r.size, r.torn = all[:i], s.number, at.offset, r.torn+s.size-at.offset
			}
			if r.broken != nil {
				r.closed = all
			}
			return r, nil
		case torn: // it was created, and nothing had been written to it
			r.torn, r.number = r.torn+s.size, s.number
			if err := errors.Join(os.Remove(filepath.Join(dir, s.name())), syncDir(dir)); err != nil {
				return r, err
			}
			all = all[:i]
		default:
			if r.broken == nil {
				r.broken = fault
			}
			r.leaves = leavesBroken
			if at.lines > 0 {
				r.closed = all
				return r, nil
			}
		}
	}
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails
	r.chain = chain{log: hex.EncodeToString(id), oldest: 1}
	r.closed = all
	return r, nil
}

// date says when each closed segment ended: when the next one began. The times of the files say nothing, since whoever may write to the
// folder can change them.
func (r *recovery) date(dir string, now time.Time) {
	for i := range r.closed {
		later, next := r.closed[i+1:], now
		if len(later) == 0 && r.size > 0 {
			next = r.opened
		} else if h := headAfter(dir, later); h != nil {
			next = h.Time
		}
		r.closed[i].ended = next
	}
}

func (r *recovery) scanFile(dir string, s segment) (extent, error) {
	content, err := s.open(dir)
	if err != nil {
		return extent{}, err
	}
	defer func() { _ = content.Close() }()
	return r.scan(s, content, nil, func(_ extent, _ digest, l *line) error {
		if l.head != nil {
			r.opened, r.format = l.head.Time, l.head.Format
		}
		return nil
	})
}

// tornFrom reports whether nothing from an offset on has the form of a line: what a process that was killed, or a machine that
// lost its power, leaves behind.
func tornFrom(path string, offset int64) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }()
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return false, err
	}
	for lines := newLineReader(f); ; {
		data, err := lines.next()
		switch {
		case err == io.EOF:
			return true, nil
		case errors.Is(err, errTorn), errors.Is(err, errLong):
		case err != nil:
			return false, err
		default:
			if _, err := parseLine(data); err == nil {
				return false, nil
			}
		}
	}
}

// removeParts removes what an interrupted compression left behind.
func removeParts(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if name := entry.Name(); strings.HasPrefix(name, segmentPrefix) && strings.HasSuffix(name, partSuffix) {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}
