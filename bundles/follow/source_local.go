package follow

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// maxLooks is how often a source is read that changes meanwhile, before it is told that it does not rest.
const maxLooks = 10

// localSource is a directory of policy or a .tar.gz file. It is looked at once a second, which sees every way of changing
// it: by writing, by rename, by another target of a link, on any file system.
type localSource struct {
	path   string
	limits bundles.Limits
	every  time.Duration
	settle time.Duration // how long a changed source must look the same before it is read

	reads int       // of what looks the same, in a row
	due   time.Time // when it is read once more
}

func newLocalSource(path string, limits bundles.Limits) *localSource {
	return &localSource{path: path, limits: limits.WithDefaults(), every: time.Second, settle: 200 * time.Millisecond}
}

func (s *localSource) confirms() time.Duration { return s.every + time.Second }

func (s *localSource) network() bool  { return false }
func (s *localSource) String() string { return s.path }

func (s *localSource) pause(failures int, _ bool) time.Duration {
	if failures > 0 {
		return max(s.every, backoff(failures, time.Minute))
	}
	return s.every
}

func (s *localSource) fetch(ctx context.Context, before seen) (fetched, error) {
	last := lookOf(before.tag)
	for range maxLooks {
		look, fresh, err := s.look()
		if err != nil {
			return fetched{}, unreached(err)
		}
		if look == last.state && !last.fresh && (before.proven || time.Now().Before(s.due)) {
			return fetched{tag: before.tag}, nil
		}
		f, err := s.read()
		// What changed meanwhile is read again once it rests: half of a release is none.
		if again, _, lookErr := s.look(); lookErr == nil && again == look {
			sum := f.digest()
			f.tag = localTag{look, fresh, sum}.String()
			s.readAgain(look == last.state)
			if sum != "" && sum == last.sum {
				return fetched{tag: f.tag}, nil // the same again
			}
			return f, err
		}
		select {
		case <-ctx.Done():
			return fetched{}, unreached(ctx.Err())
		case <-time.After(s.settle):
		}
	}
	return fetched{}, unreached(errors.New("it does not come to rest: replace it by a rename"))
}

// readAgain says when what was not proven to be good is read anew although it looks the same: a file system can be wrong
// about that, too.
func (s *localSource) readAgain(same bool) {
	if s.reads++; !same {
		s.reads = 1
	}
	s.due = time.Now().Add(max(s.every, backoff(s.reads, time.Minute)))
}

// localTag names the state of a path: how it looks, and the content behind it. What has just been written is fresh: it
// could be written once more within the same tick of the file system's clock, and look the same.
type localTag struct {
	state string
	fresh bool
	sum   string // "" where nothing could be read
}

func (l localTag) String() string { return fmt.Sprintf("%s %t %s", l.state, l.fresh, l.sum) }

// lookOf reads a tag. One of another form names no state.
func lookOf(tag string) localTag {
	parts := strings.Split(tag, " ")
	if len(parts) != 3 {
		return localTag{}
	}
	return localTag{parts[0], parts[1] == "true", parts[2]}
}

// tick is longer than one of any file system's clock.
const tick = 2 * time.Second

// digest tells contents apart; "" where nothing could be read.
func (f fetched) digest() string {
	switch {
	case f.raw != nil:
		return digest(f.raw)
	case f.archive == nil:
		return ""
	}
	sum := sha256.New()
	for _, file := range f.archive.Files {
		fmt.Fprintf(sum, "%q %d\n%s", file.Name, len(file.Data), file.Data)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func unreached(err error) error {
	return &bundles.Refusal{Reason: bundles.Unavailable, Temporary: true, Err: err}
}

// look describes the state of the source without reading it, and says whether that is a state of just now.
func (s *localSource) look() (state string, fresh bool, err error) {
	info, err := os.Stat(s.path)
	if err != nil {
		return "", false, err
	}
	sum, now := sha256.New(), time.Now()
	describe := func(name string, info fs.FileInfo) {
		fresh = fresh || now.Sub(info.ModTime()).Abs() < tick
		fmt.Fprintf(sum, "%q %v %d %d %d\n", name, info.Mode(), info.Size(), info.ModTime().UnixNano(), inode(info))
	}
	if !info.IsDir() {
		describe("", info)
		return hex.EncodeToString(sum.Sum(nil)), fresh, nil
	}
	entries := 0
	err = bundles.WalkTree(os.DirFS(s.path), bundles.IsPolicyFile, func(name string) error {
		if entries++; entries > s.limits.Files {
			return fmt.Errorf("%s has more than %d files", s.path, s.limits.Files)
		}
		info, err := fs.Stat(os.DirFS(s.path), name) // where a link leads to
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
		return f, unreached(err)
	case info.IsDir():
		f.archive, err = bundles.ReadTree(os.DirFS(s.path), s.limits)
		return f, err
	}
	f.raw, err = ReadFile(s.path, s.limits)
	return f, err
}

// ReadFile reads an archive's bytes, within their limit. Errors are a [*bundles.Refusal].
func ReadFile(path string, limits bundles.Limits) ([]byte, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file", path) // to open a pipe would wait for its writer
	}
	if err != nil {
		return nil, unreached(err)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, unreached(err)
	}
	defer func() { _ = file.Close() }()
	return readBounded(file, limits.WithDefaults().Compressed)
}

// readBounded reads to the end, and refuses what is longer than a limit: of that it gives the beginning.
func readBounded(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	switch {
	case err != nil:
		return nil, unreached(fmt.Errorf("it could not be read to its end: %w", err))
	case int64(len(data)) > limit:
		return data, bundles.Refusef(bundles.TooLarge, "it is larger than %d bytes", limit)
	case len(data) == 0:
		return data, &bundles.Refusal{Reason: bundles.Malformed, Err: errors.New("it is empty")}
	}
	return data, nil
}
