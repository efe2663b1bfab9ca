package accessreview

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/decisionlog"
	"github.com/wardkeeper/wardkeeper/pdp/review"
)

// The files of a review beside its lists.
const (
	ManifestFile  = "manifest.json"
	SignatureFile = "manifest.json.sig" // the Ed25519 signature of the manifest's bytes, 64 bytes
)

// Manifest says what a review was made of and what its files are.
type Manifest struct {
	Kind      string    `json:"kind"` // "access review"
	Version   string    `json:"version"`
	Moment    time.Time `json:"moment"` // the directory was in this state
	Directory Source    `json:"directory"`
	// Incomplete is the number of faults of records that are not reviewed, or not as of the moment; the list incomplete has them, 10,000 at most.
	Incomplete int           `json:"incomplete,omitempty"`
	Policy     Source        `json:"policy"`
	LeftOut    []string      `json:"left_out"` // actions of the policy that are not reviewed
	Counts     review.Counts `json:"counts"`
	Log        *LogPeriod    `json:"log,omitempty"` // nil: nothing is said of what was used
	Files      []File        `json:"files"`
	Key        string        `json:"key,omitempty"` // the id of the key that signed; absent if none did
}

// Source names a directory or a policy, and its revision.
type Source struct {
	Name     string `json:"name"`
	Revision string `json:"revision"`
}

// File is one of the files of a review.
type File struct {
	Name   string `json:"name"`
	Rows   int    `json:"rows"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// KindOfManifest is the kind that every manifest of a review has.
const KindOfManifest = "access review"

// Folder is the folder that a review is written to. It is complete once it has a manifest.
type Folder struct {
	dir    string
	format Format
	lists  []*List
}

// Create makes a folder. It must not exist, or be empty: an earlier review is evidence, and is not replaced. What is in it is readable
// by its owner alone.
func Create(dir string, format Format) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	if len(entries) > 0 {
		return nil, fmt.Errorf("%s is not empty: name another folder", dir)
	}
	return &Folder{dir: dir, format: format}, nil
}

// List begins a list with the columns given.
func (f *Folder) List(name string, columns ...string) (*List, error) {
	name += f.format.extension()
	file, err := os.OpenFile(filepath.Join(f.dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	l := newList(name, columns, f.format, file)
	f.lists = append(f.lists, l)
	return l, nil
}

// Finish writes the manifest, signed if there is a key, once all lists are on disk.
func (f *Folder) Finish(m Manifest, key ed25519.PrivateKey) error {
	m.Kind = KindOfManifest
	for _, l := range f.lists {
		file, err := l.close()
		if err != nil {
			return err
		}
		m.Files = append(m.Files, file)
	}
	if key != nil {
		m.Key = decisionlog.KeyID(key.Public().(ed25519.PublicKey))
	}
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	data = append(data, '\n')
	if key != nil {
		if err := writeSynced(filepath.Join(f.dir, SignatureFile), ed25519.Sign(key, data)); err != nil {
			return err
		}
	}
	return writeSynced(filepath.Join(f.dir, ManifestFile), data)
}

// Discard removes what was written, after a failure.
func (f *Folder) Discard() {
	for _, l := range f.lists {
		_ = l.file.Close()
		_ = os.Remove(l.file.Name())
	}
	for _, name := range []string{SignatureFile, ManifestFile} {
		_ = os.Remove(filepath.Join(f.dir, name))
	}
	_ = os.Remove(f.dir)
}

func writeSynced(path string, data []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Sync(), file.Close())
}

// maxManifest bounds a manifest that is read.
const maxManifest = 1 << 20

// Verify checks the files of a review against its manifest, and that against the keys, of which one must have signed it. No keys leave
// the signature unchecked. A [*Fault] says what is wrong; any other error that it could not be checked.
func Verify(dir string, keys []ed25519.PublicKey) (*Manifest, error) {
	data, err := readBounded(filepath.Join(dir, ManifestFile), maxManifest)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &Fault{ManifestFile, "it is missing: the review is not complete"}
	}
	if err != nil {
		return nil, err
	}
	if len(keys) > 0 {
		if err := verifySignature(dir, data, keys); err != nil {
			return nil, err
		}
	}
	var m Manifest
	if err := json.Unmarshal(data, &m); err != nil || m.Kind != KindOfManifest {
		return nil, &Fault{ManifestFile, "it is no manifest of an access review"}
	}
	known := map[string]bool{ManifestFile: true, SignatureFile: true}
	for _, file := range m.Files {
		known[file.Name] = true
		if err := file.verify(dir); err != nil {
			return nil, err
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		if !known[entry.Name()] {
			return nil, &Fault{entry.Name(), "the manifest does not have it"}
		}
	}
	return &m, nil
}

func verifySignature(dir string, manifest []byte, keys []ed25519.PublicKey) error {
	signature, err := readBounded(filepath.Join(dir, SignatureFile), ed25519.SignatureSize)
	if errors.Is(err, fs.ErrNotExist) {
		return &Fault{ManifestFile, "it is not signed"}
	}
	if err != nil {
		return err
	}
	for _, key := range keys {
		if ed25519.Verify(key, manifest, signature) {
			return nil
		}
	}
	return &Fault{ManifestFile, "none of the keys has signed it"}
}

func (f File) verify(dir string) error {
	if !filepath.IsLocal(f.Name) || filepath.Base(f.Name) != f.Name || f.Name == "." {
		return &Fault{ManifestFile, "it names a file that is not in its folder"}
	}
	sum, size, err := hashFile(filepath.Join(dir, f.Name))
	if errors.Is(err, fs.ErrNotExist) {
		return &Fault{f.Name, "it is missing"}
	}
	if err != nil {
		return err
	}
	if size != f.Size || hex.EncodeToString(sum.Sum(nil)) != f.SHA256 {
		return &Fault{f.Name, "it is not what the manifest says: it was changed"}
	}
	return nil
}

// Fault says what is wrong with a review.
type Fault struct{ File, What string }

func (f *Fault) Error() string { return f.File + ": " + f.What }

func newHash() hash.Hash { return sha256.New() }
