package directory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// MaxSize is how many bytes a directory document may have.
const MaxSize = 256 << 20

// Directory is one state of a directory, immutable and safe for concurrent use.
type Directory struct {
	*record.Forest
	digest  [sha256.Size]byte // of the document
	version uint64
	users   []*facts.User // by id

	UserAt   map[string]int32 // by id, into users
	signIn   map[string]int32 // by folded username, into users
	assigned [][]int32        // for each location, into users

	rankings       [rankings]ranking // each built when first asked for
	byOrganization sync.Map          // rankingKey -> *ranking, of its users alone
	stretch        sync.Map          // listKey -> *ranks
	search         searchTexts

	confirmed atomic.Int64 // when the document was last seen to say this: Unix, in nanoseconds
}

var _ facts.View = (*Directory)(nil)

// Parse reads a directory, JSON or YAML, and checks every rule of DOMAIN.md section 1. Its error is a [*record.Faults]. What a
// part of the vocabulary that is nil would list is not checked; an empty one lists nothing.
func Parse(data []byte, v pdp.Vocabulary) (*Directory, error) {
	return ParseDocument(data, record.Auto, v, nil)
}

// ParseDocument keeps of the previous state what has not changed, for what is derived from records is kept with them.
func ParseDocument(data []byte, f record.Format, v pdp.Vocabulary, previous *Directory) (*Directory, error) {
	faults := &record.Faults{}
	d := ReadRecords(data, f, v, faults)
	if err := faults.Err(); err != nil {
		return nil, err
	}
	version := uint64(1)
	if previous != nil {
		version = previous.version + 1
	}
	return build(d, sha256.Sum256(data), version, previous), nil
}

func ReadRecords(data []byte, f record.Format, v pdp.Vocabulary, faults *record.Faults) *record.Document {
	if len(data) > MaxSize {
		faults.Add(record.Subject{}, "the document is larger than %d bytes", MaxSize)
		return nil
	}
	vocab := record.Vocabulary{Vocabulary: v}
	r := DocumentReader{&record.Reader{Vocab: vocab, Faults: faults}}
	d, err := r.Read(data, f.Of(data))
	if err != nil {
		// How records fit together is not judged by a part of them.
		faults.Add(record.Subject{}, "%v", err)
		return nil
	}
	(&record.Checker{Document: d, Vocab: vocab, Faults: faults}).Check()
	return d
}

// Revision names the document, by the beginning of its SHA-256.
func (d *Directory) Revision() string { return hex.EncodeToString(d.digest[:6]) }

// UserFreshness implements [facts.View].
func (d *Directory) UserFreshness(u *facts.User) facts.Freshness { return d.fact(u.Version()) }

// OrganizationFreshness implements [facts.View].
func (d *Directory) OrganizationFreshness(*facts.Location) facts.Freshness { return d.fact(d.version) }

// fact is vouched for by nobody: a file says nothing until it is looked at.
func (d *Directory) fact(version uint64) facts.Freshness {
	return facts.Freshness{Version: version, AsOf: time.Unix(0, d.confirmed.Load())}
}

// AllLocations gives the locations in the order of their ids, and AllUsers the users. Neither must be changed.
func (d *Directory) AllLocations() []*facts.Location { return d.All }

// AllUsers gives the users in the order of their ids.
func (d *Directory) AllUsers() []*facts.User { return d.users }

// LocationCount is the number of locations.
func (d *Directory) LocationCount() int { return len(d.All) }

// UserCount is the number of users.
func (d *Directory) UserCount() int { return len(d.users) }

// Location implements [facts.View].
func (d *Directory) Location(_ context.Context, id string) (*facts.Location, error) {
	return d.ByID(id), nil
}

// User implements [facts.View].
func (d *Directory) User(_ context.Context, id string) (*facts.User, error) {
	if i, ok := d.UserAt[id]; ok {
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
