package decisionlog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	segmentPrefix = "decisions-"
	plainSuffix   = ".ndjson"
	packedSuffix  = ".ndjson.gz"
	partSuffix    = ".part" // of a file that is being compressed
)

// segment is a file of the log.
type segment struct {
	number  uint64
	packed  bool
	size    int64
	content int64     // bytes before it was compressed; 0 if that is not known
	ended   time.Time // by its content; only known to a [Log]
}

func (s segment) name() string { return segmentName(s.number, s.packed) }

func segmentName(number uint64, packed bool) string {
	if packed {
		return fmt.Sprintf("%s%08d%s", segmentPrefix, number, packedSuffix)
	}
	return fmt.Sprintf("%s%08d%s", segmentPrefix, number, plainSuffix)
}

// segments lists the segments of a folder in order. It refuses links, which would lead elsewhere, and pipes, whose readers would
// wait for ever. While a segment is there in both forms, which is so for a moment when it is
// compressed, the plain one is listed.
func segments(dir string) ([]segment, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	found := map[uint64]segment{}
	for _, entry := range entries {
		s, ok := segmentOf(entry.Name())
		if earlier, twice := found[s.number]; !ok || twice && !earlier.packed {
			continue
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) { // it was deleted or compressed just now
			if s.packed {
				continue
			}
			s.packed = true
			info, err = os.Lstat(filepath.Join(dir, s.name()))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
		}
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%s is not a regular file: remove it from the folder", s.name())
		}
		s.size = info.Size()
		found[s.number] = s
	}
	all := make([]segment, 0, len(found))
	for _, s := range found {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b segment) int {
		if a.number < b.number {
			return -1
		}
		return 1
	})
	return all, nil
}

func segmentOf(name string) (s segment, ok bool) {
	digits, ok := strings.CutPrefix(name, segmentPrefix)
	if !ok {
		return s, false
	}
	if digits, s.packed = strings.CutSuffix(digits, packedSuffix); !s.packed {
		digits, ok = strings.CutSuffix(digits, plainSuffix)
	}
	var err error
	s.number, err = strconv.ParseUint(digits, 10, 64)
	return s, ok && err == nil && s.number > 0 && s.name() == name
}

// file is what the log needs of a segment that it writes.
type file interface {
	Write([]byte) (int, error)
	Sync() error
	Truncate(size int64) error
	Close() error
}

// openFile opens a segment for appending, and creates it if it does not exist.
func openFile(path string) (file, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND|noFollow, 0o600)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// syncDir makes new names and removals in a folder durable.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
