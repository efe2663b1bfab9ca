package membership

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// judge reads single records and holds them to DOMAIN.md section 1, by the tables of one policy. It is immutable and safe
// for concurrent use.
type judge struct {
	name  string // its own
	vocab vocabulary
	words *interned
}

func newJudge(v pdp.Vocabulary) *judge {
	vocab := vocabulary{v}
	return &judge{name: newInstance(), vocab: vocab, words: newInterned(vocab.words()...)}
}

// recordDepth is how deep a record's members lie in a directory, by which the reader bounds them.
const recordDepth = 2

// errUnreadable is for what is no record at all: it is not known whose it is.
var errUnreadable = errors.New("the record cannot be read")

func (j *judge) json(data []byte) tokenizer { return newJSONTokens(data, j.words) }

// user reads a user. What is wrong with its shape is in the faults; an error means that nothing can be said of it.
func (j *judge) user(in tokenizer) (*userDraft, *Faults, error) {
	r := &reader{in: in, vocab: j.vocab, faults: &Faults{}}
	v, err := r.whole()
	if err != nil {
		return nil, nil, err
	}
	u := r.user(0, v)
	if u.ID == "" || u.ID == unreadable {
		return nil, nil, fmt.Errorf("%w: it has no id", errUnreadable)
	}
	return &u, r.faults, nil
}

// locations reads the locations of an organization, ordered by id.
func (j *judge) locations(in tokenizer) ([]locationDraft, *Faults, error) {
	r := &reader{in: in, vocab: j.vocab, faults: &Faults{}}
	t, err := in.next()
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	if t.kind != kindArray {
		return nil, nil, fmt.Errorf("%w: it is no list of locations", errUnreadable)
	}
	var all []locationDraft
	for {
		t, err := in.next()
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %w", errUnreadable, err)
		}
		if t.kind == kindEnd {
			break
		}
		v, err := r.value(t, recordDepth)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %w", errUnreadable, err)
		}
		all = append(all, r.location(len(all), v))
	}
	if err := r.finish(); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	slices.SortStableFunc(all, func(a, b locationDraft) int { return cmp.Compare(a.ID, b.ID) })
	return all, r.faults, nil
}

// whole reads the one object that a record is.
func (r *reader) whole() (value, error) {
	t, err := r.in.next()
	if err != nil {
		return value{}, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	v, err := r.value(t, recordDepth)
	if err == nil {
		err = r.finish()
	}
	if err != nil {
		return value{}, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	if v.kind != kindObject {
		return value{}, fmt.Errorf("%w: it is %s, not an object", errUnreadable, describe(v))
	}
	return v, nil
}

// locationTree is the locations of one organization, checked and joined; immutable.
type locationTree struct {
	*Directory // of locations alone
	root       *pdp.Location
	drafts     map[string]*locationDraft
	faults     error // the tree must not be used; nil where it is good
}

// errTree is for an organization that is none.
var errTree = errors.New("the locations are not those of one organization")

// tree joins the locations of an organization. What has not changed since previous is kept, so that what is derived of it is
// kept as well. An error means that nothing can be said of it, not even whose it is.
func (j *judge) tree(drafts []locationDraft, faults *Faults, version uint64, previous *locationTree) (*locationTree, error) {
	t := &locationTree{drafts: make(map[string]*locationDraft, len(drafts))}
	in := &draft{locations: slices.Clone(drafts)}
	(&structure{draft: in, vocab: j.vocab, faults: faults}).check()
	rootID := ""
	for i := range drafts {
		l := &drafts[i]
		t.drafts[l.ID] = l
		if l.Parent == "" && l.ID != "" && l.ID != unreadable {
			if rootID != "" {
				return nil, fmt.Errorf("%w: it has two roots", errTree)
			}
			rootID = l.ID
		}
	}
	if rootID == "" {
		return nil, fmt.Errorf("%w: it has no root", errTree)
	}
	if t.faults = faults.err(); t.faults != nil {
		// The root is all that can be told apart of a tree that must not be used.
		t.root = pdp.NewLocation(pdp.LocationRecord{ID: rootID}, nil, version)
		return t, nil
	}
	var before *Directory
	if previous != nil {
		before = previous.Directory
	}
	t.Directory = build(in, [sha256.Size]byte{}, version, before)
	t.root = t.Directory.location(rootID)
	return t, nil
}

// join holds a user against the trees of its assignments and joins them. locate gives the tree that a location is in, nil
// where it is unknown. Where anything must not be used, the error is a [*pdp.Suspended], which says in which organizations: a
// fault in what the record says of one organization is none of another's.
func (j *judge) join(u *userDraft, shape *Faults, version uint64, locate func(location string) *locationTree) (*pdp.User, error) {
	faults := &Faults{count: shape.count, found: slices.Clone(shape.found)}
	in := &draft{users: []userDraft{*u}}
	locations := make(map[string]*locationDraft, 2*len(u.Assignments))
	suspended := map[string]error{}
	var cause error
	for _, a := range u.Assignments {
		t := locate(a.Location)
		if t == nil {
			continue
		}
		if t.faults != nil {
			cause = fmt.Errorf("organization %s: %w", quote(t.root.ID()), t.faults)
			suspended[t.root.ID()] = cause
		}
		for l := t.drafts[a.Location]; l != nil && t.faults == nil; l = t.drafts[l.Parent] {
			locations[l.ID] = l
		}
	}
	c := &structure{draft: in, vocab: j.vocab, faults: faults, locations: locations, suspended: func(location string) bool {
		t := locate(location)
		return t != nil && t.faults != nil
	}}
	c.checkUsers()
	if err := faults.err(); err != nil {
		cause = err
		for _, organization := range faults.organizations(locate) {
			suspended[organization] = err
		}
	}
	at := func(id string) *pdp.Location {
		if t := locate(id); t != nil && t.faults == nil {
			return t.Directory.location(id)
		}
		return nil
	}
	if cause != nil {
		return nil, &pdp.Suspended{User: pdp.NewSuspendedUser(u.UserRecord, version, at, suspended), Err: cause}
	}
	return pdp.NewUser(u.UserRecord, version, at)
}

// organizations are those whose part of a user's record is at fault; "" among them stands for the record as such.
func (f *Faults) organizations(locate func(location string) *locationTree) []string {
	if f.count > len(f.found) {
		return []string{""}
	}
	var all []string
	for _, one := range f.found {
		organization := ""
		if one.about.assignment > 0 {
			organization = locate(one.about.location).organizationOf(one.about.location)
		}
		all = append(all, organization)
	}
	return all
}

// organizationOf is the id of the organization of a location, "" where it is not known.
func (t *locationTree) organizationOf(location string) string {
	switch {
	case t == nil:
		return ""
	case t.faults != nil:
		return t.root.ID()
	}
	if l := t.Directory.location(location); l != nil {
		return l.Organization()
	}
	return ""
}
