package membership

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// MaxSize is how many bytes a directory document may have.
const MaxSize = 256 << 20

// Directory is one state of a directory, immutable and safe for concurrent use.
type Directory struct {
	digest    [sha256.Size]byte // of the document
	version   uint64
	locations []*pdp.Location // by id
	users     []*pdp.User     // by id

	locationAt map[string]int32 // by id, into locations
	userAt     map[string]int32 // by id, into users
	signIn     map[string]int32 // by folded username, into users
	children   [][]int32        // for each location, into locations
	assigned   [][]int32        // for each location, into users

	rankings       [rankings]ranking // each built when first asked for
	byOrganization sync.Map          // rankingKey -> *ranking, of its users alone
	stretch        sync.Map          // listKey -> *ranks
	beneath        sync.Map          // location id -> []*pdp.Location
	search         searchTexts

	confirmed atomic.Int64 // when the document was last seen to say this: Unix, in nanoseconds
}

var _ pdp.View = (*Directory)(nil)

// Parse reads a directory, JSON or YAML, and checks every rule of DOMAIN.md section 1. Its error is a [*Faults]. What a
// part of the vocabulary that is nil would list is not checked; an empty one lists nothing.
func Parse(data []byte, v pdp.Vocabulary) (*Directory, error) {
	return parse(data, Auto, v, nil)
}

// parse keeps of the previous state what has not changed, for what is derived from records is kept with them.
func parse(data []byte, f Format, v pdp.Vocabulary, previous *Directory) (*Directory, error) {
	faults := &Faults{}
	d := readDraft(data, f, v, faults)
	if err := faults.err(); err != nil {
		return nil, err
	}
	version := uint64(1)
	if previous != nil {
		version = previous.version + 1
	}
	return build(d, sha256.Sum256(data), version, previous), nil
}

func readDraft(data []byte, f Format, v pdp.Vocabulary, faults *Faults) *draft {
	if len(data) > MaxSize {
		faults.add(subject{}, "the document is larger than %d bytes", MaxSize)
		return nil
	}
	vocab := vocabulary{v}
	r := &reader{vocab: vocab, faults: faults}
	d, err := r.read(data, f.of(data))
	if err != nil {
		// How records fit together is not judged by a part of them.
		faults.add(subject{}, "%v", err)
		return nil
	}
	(&structure{draft: d, vocab: vocab, faults: faults}).check()
	return d
}

// Revision names the document, by the beginning of its SHA-256.
func (d *Directory) Revision() string { return hex.EncodeToString(d.digest[:6]) }

// UserFact implements [pdp.View].
func (d *Directory) UserFact(u *pdp.User) pdp.Fact { return d.fact(u.Version()) }

// OrganizationFact implements [pdp.View].
func (d *Directory) OrganizationFact(*pdp.Location) pdp.Fact { return d.fact(d.version) }

// fact is vouched for by nobody: a file says nothing until it is looked at.
func (d *Directory) fact(version uint64) pdp.Fact {
	return pdp.Fact{Version: version, AsOf: time.Unix(0, d.confirmed.Load())}
}

// LocationCount is the number of locations.
func (d *Directory) LocationCount() int { return len(d.locations) }

// UserCount is the number of users.
func (d *Directory) UserCount() int { return len(d.users) }

// Location implements [pdp.View].
func (d *Directory) Location(_ context.Context, id string) (*pdp.Location, error) {
	return d.location(id), nil
}

func (d *Directory) location(id string) *pdp.Location {
	if i, ok := d.locationAt[id]; ok {
		return d.locations[i]
	}
	return nil
}

// User implements [pdp.View].
func (d *Directory) User(_ context.Context, id string) (*pdp.User, error) {
	if i, ok := d.userAt[id]; ok {
		return d.users[i], nil
	}
	return nil, nil
}

// UserByUsername implements [pdp.View].
func (d *Directory) UserByUsername(_ context.Context, username string) (*pdp.User, error) {
	if i, ok := d.signIn[pdp.FoldCanonical(username)]; ok {
		return d.users[i], nil
	}
	return nil, nil
}

// Locations implements [pdp.View].
func (d *Directory) Locations(_ context.Context, q pdp.LocationQuery) ([]*pdp.Location, error) {
	all := d.locationsBeneath(q.Beneath)
	from, found := slices.BinarySearchFunc(all, q.After, func(l *pdp.Location, id string) int {
		return strings.Compare(l.ID(), id)
	})
	if found {
		from++
	}
	page := all[from:]
	return slices.Clone(page[:min(len(page), limit(q.Limit))]), nil
}

func (d *Directory) locationsBeneath(id string) []*pdp.Location {
	if id == "" {
		return d.locations
	}
	at, ok := d.locationAt[id]
	if !ok {
		return nil
	}
	if kept, ok := d.beneath.Load(id); ok {
		return kept.([]*pdp.Location)
	}
	ordinals := d.covered(at)
	slices.Sort(ordinals)
	all := make([]*pdp.Location, len(ordinals))
	for i, at := range ordinals {
		all[i] = d.locations[at]
	}
	d.beneath.Store(id, all)
	return all
}

// covered gives a location and all beneath it.
func (d *Directory) covered(at int32) []int32 {
	all := []int32{at}
	for i := 0; i < len(all); i++ {
		all = append(all, d.children[all[i]]...)
	}
	return all
}

// limit is the page size of a query.
func limit(asked int) int {
	if asked < 1 {
		return 1000
	}
	return asked
}
