package follow

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/pdp/rotation"
)

// maxReads is how many reads in a row may find the source changing before that is reported.
const maxReads = 10

// localSource is a directory of policy or a .tar.gz file. It is examined once a second, which detects every kind of
// change on any file system: writes, renames, and links that are pointed elsewhere.
type localSource struct {
	path        string
	limits      bundles.Limits
	interval    time.Duration
	settleDelay time.Duration // how long to wait after the source changed during a read

	reads    int       // reads in a row that found the same state
	rereadAt time.Time // when it is reread although it looks the same
}

func newLocalSource(path string, limits bundles.Limits) *localSource {
	return &localSource{path: path, limits: limits.WithDefaults(), interval: time.Second, settleDelay: 200 * time.Millisecond}
}

func (s *localSource) confirmInterval() time.Duration { return s.interval + time.Second }

func (s *localSource) remote() bool   { return false }
func (s *localSource) String() string { return s.path }

func (s *localSource) pause(failures int, _ bool) interval {
	if failures > 0 {
		return exactly(max(s.interval, backoff(failures, time.Minute).min))
	}
	return exactly(s.interval) // nobody else reads this machine's files
}

func (s *localSource) fetch(ctx context.Context, last seen) (fetched, error) {
	before := parseLocalTag(last.tag)
	for range maxReads {
		state, fresh, err := s.stat()
		if err != nil {
			return fetched{}, unavailable(err)
		}
		if state == before.state && !before.fresh && (last.trusted || time.Now().Before(s.rereadAt)) {
			return fetched{tag: last.tag}, nil
		}
		f, err := s.read()
		// If it changed meanwhile, half of a release may have been read: wait until it settles, and read again.
		if after, _, statErr := s.stat(); statErr == nil && after == state {
			sum := f.digest()
			f.tag = localTag{state, fresh, sum}.String()
			s.scheduleReread(state == before.state)
			if sum != "" && sum == before.sum {
				return fetched{tag: f.tag}, nil
			}
			return f, err
		}
		select {
		case <-ctx.Done():
			return fetched{}, unavailable(ctx.Err())
		case <-time.After(s.settleDelay):
		}
	}
	return fetched{}, unavailable(errors.New("it changes each time it is read: replace it by a rename"))
}

// scheduleReread sets when content that is not trusted is reread although it looks the same: the file system, too, may have
// returned damaged content.
func (s *localSource) scheduleReread(same bool) {
	if s.reads++; !same {
		s.reads = 1
	}
	s.rereadAt = time.Now().Add(max(s.interval, backoff(s.reads, time.Minute).min))
}

// localTag identifies the state of a path by its files' metadata and by the content.
type localTag struct {
	state string
	fresh bool   // written so recently that a later write could leave the same metadata
	sum   string // "" if nothing could be read
}

func (l localTag) String() string { return fmt.Sprintf("%s %t %s", l.state, l.fresh, l.sum) }

// parseLocalTag returns the zero tag if tag has another form.
func parseLocalTag(tag string) localTag {
	parts := strings.Split(tag, " ")
	if len(parts) != 3 {
		return localTag{}
	}
	return localTag{parts[0], parts[1] == "true", parts[2]}
}

// stat describes the files without reading them, and reports whether one was written just now.
func (s *localSource) stat() (state string, fresh bool, err error) {
	info, err := os.Stat(s.path)
	if err != nil {
		return "", false, err
	}
	sum, now := sha256.New(), time.Now()
	describe := func(name string, info fs.FileInfo) {
		fresh = fresh || now.Sub(info.ModTime()).Abs() < rotation.TimestampGranularity
		fmt.Fprintf(sum, "%q %v %d %d %d\n", name, info.Mode(), info.Size(), info.ModTime().UnixNano(), inode(info))
	}
	if !info.IsDir() {
		describe("", info)
		return hex.EncodeToString(sum.Sum(nil)), fresh, nil
	}
	entries := 0
	err = bundles.WalkTree(os.DirFS(s.path), bundles.IsBundleFile, func(name string) error {
		if entries++; entries > s.limits.Files {
			return fmt.Errorf("%s has more than %d files", s.path, s.limits.Files)
		}
		info, err := fs.Stat(os.DirFS(s.path), name) // follows links
		if err == nil {
			describe(name, info)
		}
		return err
	})
	return hex.EncodeToString(sum.Sum(nil)), fresh, err
}

func (s *localSource) read() (f fetched, err error) {
	info, err := os.Stat(s.path)
	switch {
	case err != nil:
		return f, unavailable(err)
	case info.IsDir():
		f.archive, err = bundles.ReadTree(os.DirFS(s.path), s.limits)
		return f, err
	}
	f.raw, err = readFile(s.path, s.limits)
	return f, err
}

// readFile reads an archive as it is, within its limit. The error is a [*bundles.Refusal].
func readFile(path string, limits bundles.Limits) ([]byte, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path) // opening a pipe would block until somebody writes to it
	}
	if err != nil {
		return nil, unavailable(err)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, unavailable(err)
	}
	defer func() { _ = file.Close() }()
	return readBounded(file, limits.WithDefaults().Compressed)
}
