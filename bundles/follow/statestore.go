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
	keptArchive = "bundle.tar.gz" // the last good one
	keptState   = "state.json"
	keptLock    = "lock"
)

// keeper keeps on disk what must outlive the process: the last good bundle, and the highest sequence that was ever
// active. Without a directory it remembers the sequence alone, for as long as the process lives.
type keeper struct {
	dir   string // "" keeps nothing on disk
	state keptRecord
	lock  *os.File
	// saved is when the record was last written, so that confirmations do not wear the disk.
	saved time.Time
}

// keptRecord is the content of state.json.
type keptRecord struct {
	Sequence  int64     `json:"sequence"` // the highest that was ever active; 0 where none was
	ID        string    `json:"id"`       // the content that has it
	Tag       string    `json:"tag"`      // the state of the source that it came from
	Source    string    `json:"source"`   // where that was
	Confirmed time.Time `json:"confirmed"`
}

// openKeeper opens a state directory, makes it where it is missing, and keeps other processes out of it.
func openKeeper(dir string) (*keeper, error) {
	k := &keeper{dir: dir}
	if dir == "" {
		return k, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the state directory cannot be made: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, keptLock), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the state directory cannot be written: %w", err)
	}
	if err := lockFile(lock); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("the state directory %s is in use by another process: give each its own: %w", dir, err)
	}
	k.lock = lock
	if left, err := filepath.Glob(filepath.Join(dir, ".*.json.*")); err == nil { // by a process that died while it wrote
		archives, _ := filepath.Glob(filepath.Join(dir, ".*.tar.gz.*"))
		for _, name := range append(left, archives...) {
			_ = os.Remove(name)
		}
	}
	if k.state, err = readRecord(dir); err != nil {
		_ = lock.Close()
		return nil, err
	}
	return k, nil
}

// readRecord reads the record of a state directory; where there is none, nothing was active.
func readRecord(dir string) (record keptRecord, err error) {
	name := filepath.Join(dir, keptState)
	data, err := os.ReadFile(name)
	if err == nil {
		err = json.Unmarshal(data, &record)
	}
	if err == nil && (record.Sequence < 0 || record.Source == "") {
		err = errors.New("it does not say of which source and release")
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		// To go on without would let any old release in. It is written whole, so this is no torn write of ours.
		return keptRecord{}, fmt.Errorf("%s cannot be read, and says which releases are too old: mend it, or remove it to accept any: %w", name, err)
	}
	return record, nil
}

func (k *keeper) close() {
	if k.lock != nil {
		_ = k.lock.Close()
	}
}

// archive reads the last good bundle as it came; nil where there is none.
func (k *keeper) archive(limits bundles.Limits) ([]byte, error) {
	if k.dir == "" {
		return nil, nil
	}
	raw, err := ReadFile(filepath.Join(k.dir, keptArchive), limits)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return raw, err
}

// admits refuses a release that is older than one that was active, and another one under the same number.
func (k *keeper) admits(r *bundles.Revision) error {
	highest := k.state.Sequence
	switch {
	case highest == 0 || r.Sequence > highest || r.Sequence == highest && r.ID == k.state.ID:
		return nil
	case r.Sequence == 0:
		return bundles.Refusef(bundles.Replayed, "it has no sequence, and release %d has been active here: build it with one", highest)
	case r.Sequence == highest:
		return bundles.Refusef(bundles.Replayed, "it is another release %d than the one that has been active here (%s): give it a higher sequence",
			highest, k.state.ID)
	}
	return bundles.Refusef(bundles.Replayed, "it is release %d, and %d has been active here: to go back, release the old content anew "+
		"(wardkeeper bundle release --from); if this is newer, build it from a later commit, or with a higher --sequence", r.Sequence, highest)
}

// keep makes a release the last good one. The bundle is written before the record: whenever the process dies, the bundle
// on disk is a good one, not older than what the record says, and of the source that it names.
func (k *keeper) keep(r *bundles.Revision, f fetched, source string) error {
	if err := k.moveTo(source); err != nil {
		return err
	}
	if k.dir != "" {
		raw := f.raw
		if raw == nil { // a directory
			var packed bytes.Buffer
			if err := f.archive.Write(&packed); err != nil {
				return err
			}
			raw = packed.Bytes()
		}
		if err := atomicfile.Write(filepath.Join(k.dir, keptArchive), raw, 0o600); err != nil {
			return err
		}
	}
	record := keptRecord{Sequence: max(r.Sequence, k.state.Sequence), ID: r.ID, Tag: f.tag, Source: source, Confirmed: time.Now()}
	return k.save(record)
}

// moveTo forgets the bundle of another source.
func (k *keeper) moveTo(source string) error {
	if k.dir == "" || k.state.Source == source {
		return nil
	}
	if err := os.Remove(filepath.Join(k.dir, keptArchive)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := atomicfile.SyncDir(k.dir); err != nil {
		return err
	}
	record := k.state
	record.Source, record.Tag = source, ""
	return k.save(record)
}

// catchUp makes the record say what the bundle on disk is, where the process died between the two.
func (k *keeper) catchUp(r *bundles.Revision) error {
	record := k.state
	record.Sequence, record.ID, record.Tag = max(r.Sequence, record.Sequence), r.ID, ""
	return k.save(record)
}

// confirm remembers that the source still has the active release.
func (k *keeper) confirm(at time.Time) error {
	record := k.state
	record.Confirmed = at
	if at.Sub(k.saved) < 10*time.Second {
		k.state = record
		return nil
	}
	return k.save(record)
}

func (k *keeper) save(record keptRecord) error {
	if k.dir != "" {
		data, err := json.Marshal(record)
		if err != nil {
			return err
		}
		if err := atomicfile.Write(filepath.Join(k.dir, keptState), append(data, '\n'), 0o600); err != nil {
			return err
		}
	}
	k.state, k.saved = record, time.Now()
	return nil
}
