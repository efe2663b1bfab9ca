package directory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// MaxSize is the maximum size of a directory file, in bytes.
const MaxSize = 256 << 20

// Directory is one state of a directory. It is immutable and safe for concurrent use.
type Directory struct {
	*record.Forest
	digest  [sha256.Size]byte // SHA-256 of the document
	version uint64
	users   []*facts.User // by id

	userAt   map[string]int32 // by id, into users
	signIn   map[string]int32 // by folded username, into users
	assigned [][]int32        // users assigned at each location, into users

	rankings       [orderCount]ranking // of all users; each is built on first use
	byOrganization sync.Map            // rankingKey -> *ranking
	lists          sync.Map            // listKey -> *list
	search         searchTexts

	confirmed atomic.Int64 // when the file was last known to have this content, as Unix time in nanoseconds
}

var _ facts.View = (*Directory)(nil)

// Parse reads a directory in JSON or YAML and checks every rule of policies/DOMAIN.md section 1. The error wraps a
// [*record.Faults]. If a list of the vocabulary is nil, the terms that it would list are not checked; an empty list
// allows none.
func Parse(data []byte, v pdp.Vocabulary) (*Directory, error) {
	return ParseDocument(data, record.Auto, v, nil)
}

// ParseDocument is like [Parse] for a given format. It reuses the unchanged users and locations of the previous
// directory, with everything derived from them. The previous directory may be nil.
func ParseDocument(data []byte, f record.Format, v pdp.Vocabulary, previous *Directory) (*Directory, error) {
	faults := &record.Faults{}
	d := ReadRecords(data, f, v, faults)
	if err := faults.Err(); err != nil {
		return nil, fmt.Errorf("directory refused, %w", err)
	}
	version := uint64(1)
	if previous != nil {
		version = previous.version + 1
	}
	return build(d, sha256.Sum256(data), version, previous), nil
}

// ReadRecords reads and checks the records of a directory. It returns nil if the document cannot be read to its end.
func ReadRecords(data []byte, f record.Format, v pdp.Vocabulary, faults *record.Faults) *record.Document {
	if len(data) > MaxSize {
		faults.Add(record.Subject{}, "the document is larger than %d bytes", MaxSize)
		return nil
	}
	read := readYAML
	if f.Of(data) == record.JSON {
		read = readJSON
	}
	d, err := read(data, v, faults)
	if err != nil {
		faults.Add(record.Subject{}, "%v", err)
		return nil
	}
	return d
}

func readJSON(data []byte, v pdp.Vocabulary, faults *record.Faults) (*record.Document, error) {
	return record.ReadDocument(record.NewJSONDocument(data, v), v, faults)
}

// New returns the directory of records that have no fault, with the digest of its content.
func New(in *record.Document, digest [sha256.Size]byte) *Directory { return build(in, digest, 1, nil) }

// Revision returns an identifier of the content: the first 12 hex digits of its SHA-256.
func (d *Directory) Revision() string { return hex.EncodeToString(d.digest[:6]) }

// UserFreshness implements [facts.View].
func (d *Directory) UserFreshness(u *facts.User) facts.Freshness { return d.freshness(u.Version()) }

// OrganizationFreshness implements [facts.View].
func (d *Directory) OrganizationFreshness(*facts.Location) facts.Freshness {
	return d.freshness(d.version)
}

// freshness never sets Confirmed: a file does not announce its changes.
func (d *Directory) freshness(version uint64) facts.Freshness {
	return facts.Freshness{Version: version, AsOf: time.Unix(0, d.confirmed.Load())}
}

// AllLocations returns the locations in the order of their ids. The slice must not be modified.
func (d *Directory) AllLocations() []*facts.Location { return d.All }

// AllUsers returns the users in the order of their ids. The slice must not be modified.
func (d *Directory) AllUsers() []*facts.User { return d.users }

// LocationCount returns the number of locations.
func (d *Directory) LocationCount() int { return len(d.All) }

// UserCount returns the number of users.
func (d *Directory) UserCount() int { return len(d.users) }

// Location implements [facts.View].
func (d *Directory) Location(_ context.Context, id string) (*facts.Location, error) {
	return d.ByID(id), nil
}

// User implements [facts.View].
func (d *Directory) User(_ context.Context, id string) (*facts.User, error) {
	if i, ok := d.userAt[id]; ok {
		return d.users[i], nil
	}
	return nil, nil
}

// UserByUsername implements [facts.View].
func (d *Directory) UserByUsername(_ context.Context, username string) (*facts.User, error) {
	if i, ok := d.signIn[facts.FoldCanonical(username)]; ok {
		return d.users[i], nil
	}
	return nil, nil
}

// Locations implements [facts.View].
func (d *Directory) Locations(_ context.Context, q facts.LocationQuery) ([]*facts.Location, error) {
	return d.Page(q), nil
}
