package follow

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/internal/atomicfile"
)

// The files of a state directory.
const (
	archiveFile = "bundle.tar.gz" // the last good one
	stateFile   = "state.json"
	lockName    = "lock"
)

// stateStore saves what must outlive the process: the last good bundle, and the highest sequence that was ever active.
// Without a directory it only remembers the sequence, while the process lives.
type stateStore struct {
	dir     string // "" writes nothing to disk
	state   savedState
	lock    *os.File
	savedAt time.Time // when the state was last written; confirmations are written less often than they come
}

// savedState is the content of state.json.
type savedState struct {
	Sequence  int64     `json:"sequence"` // the highest that was ever active; 0 if none was
	ID        string    `json:"id"`       // of the content with this sequence
	Tag       string    `json:"tag"`      // identifies the state of the source that it came from
	Source    string    `json:"source"`   // the name of that source
	Confirmed time.Time `json:"confirmed"`
}

// openStateStore opens a state directory and locks out other processes. It creates a missing directory.
func openStateStore(dir string) (*stateStore, error) {
	s := &stateStore{dir: dir}
	if dir == "" {
		return s, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the state directory: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot write to the state directory: %w", err)
	}
	if err := lockFile(lock); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("the state directory %s is in use by another process: give each its own: %w", dir, err)
	}
	s.lock = lock
	s.removeTemporary()
	if s.state, err = readState(dir); err != nil {
		_ = lock.Close()
		return nil, err
	}
	return s, nil
}

// removeTemporary removes the files left by a process that died while writing.
func (s *stateStore) removeTemporary() {
	for _, pattern := range []string{".*.json.*", ".*.tar.gz.*"} {
		names, _ := filepath.Glob(filepath.Join(s.dir, pattern)) // fails only for a malformed pattern
		for _, name := range names {
			_ = os.Remove(name)
		}
	}
}

// readState reads state.json of a directory. If the file is missing, nothing was ever active.
func readState(dir string) (state savedState, err error) {
	name := filepath.Join(dir, stateFile)
	data, err := os.ReadFile(name)
	if err == nil {
		err = json.Unmarshal(data, &state)
	}
	if err == nil && (state.Sequence < 0 || state.Source == "") {
		err = errors.New("it names no source and release")
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		// Without it, any old release would be accepted. The file is written atomically, so a crash is not the cause.
		return savedState{}, fmt.Errorf("cannot read %s, which says which releases are too old: repair it, or remove it to accept any: %w", name, err)
	}
	return state, nil
}

func (s *stateStore) close() {
	if s.lock != nil {
		_ = s.lock.Close()
	}
}

// archive returns the last good bundle as it was sent, or nil if there is none.
func (s *stateStore) archive(limits bundles.Limits) ([]byte, error) {
	if s.dir == "" {
		return nil, nil
	}
	raw, err := readFile(filepath.Join(s.dir, archiveFile), limits)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return raw, err
}

// checkRelease refuses a release that is older than one that was active, and a different release with the same sequence.
func (s *stateStore) checkRelease(r *bundles.Revision) error {
	highest := s.state.Sequence
	switch {
	case highest == 0 || r.Sequence > highest || r.Sequence == highest && r.ID == s.state.ID:
		return nil
	case r.Sequence == 0:
		return bundles.Refusef(bundles.Replayed, "it has no sequence, and release %d has been active here: build it with a sequence", highest)
	case r.Sequence == highest:
		return bundles.Refusef(bundles.Replayed, "it is another release %d than the one that has been active here (%s): give it a higher sequence",
			highest, s.state.ID)
	}
	return bundles.Refusef(bundles.Replayed, "it is release %d, and %d has been active here: to go back, release the old content again "+
		"(wardkeeper bundle release --from); if this one is newer, build it from a later commit or with a higher --sequence", r.Sequence, highest)
}

// save makes a release the last good one. It writes the bundle before the state. If the process dies at any point, the
// bundle on disk is a good one, from the source that the state names, and not older than the state says.
func (s *stateStore) save(r *bundles.Revision, f fetched, source string) error {
	if err := s.switchSource(source); err != nil {
		return err
	}
	if s.dir != "" {
		raw := f.raw
		if raw == nil { // it came from a directory
			var packed bytes.Buffer
			if err := f.archive.Write(&packed); err != nil {
				return err
			}
			raw = packed.Bytes()
		}
		if err := atomicfile.Write(filepath.Join(s.dir, archiveFile), raw, 0o600); err != nil {
			return err
		}
	}
	return s.write(savedState{Sequence: max(r.Sequence, s.state.Sequence), ID: r.ID, Tag: f.tag, Source: source, Confirmed: time.Now()})
}

// switchSource forgets the bundle of another source.
func (s *stateStore) switchSource(source string) error {
	if s.dir == "" || s.state.Source == source {
		return nil
	}
	if err := os.Remove(filepath.Join(s.dir, archiveFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := atomicfile.SyncDir(s.dir); err != nil {
		return err
	}
	state := s.state
	state.Source, state.Tag = source, ""
	return s.write(state)
}

// catchUp makes the state name the bundle on disk, after a process died between writing the two.
func (s *stateStore) catchUp(r *bundles.Revision) error {
	state := s.state
	state.Sequence, state.ID, state.Tag = max(r.Sequence, state.Sequence), r.ID, ""
	return s.write(state)
}

// confirm records that the source still had the active release at a time.
func (s *stateStore) confirm(at time.Time) error {
	state := s.state
	state.Confirmed = at
	if at.Sub(s.savedAt) < 10*time.Second {
		s.state = state
		return nil
	}
	return s.write(state)
}

func (s *stateStore) write(state savedState) error {
	if s.dir != "" {
		data, err := json.Marshal(state)
		if err != nil {
			return err
		}
		if err := atomicfile.Write(filepath.Join(s.dir, stateFile), append(data, '\n'), 0o600); err != nil {
			return err
		}
	}
	s.state, s.savedAt = state, time.Now()
	return nil
}
