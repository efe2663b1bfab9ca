package record

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// Validator reads single records and holds them to DOMAIN.md section 1, by the tables of one policy. It is immutable and safe
// for concurrent use.
type Validator struct {
	Name  string // its own
	Vocab Vocabulary
	words *interned
}

func NewValidator(v pdp.Vocabulary) *Validator {
	vocab := Vocabulary{v}
	return &Validator{Name: rand.Text(), Vocab: vocab, words: NewInterned(vocab.Words()...)}
}

// recordDepth is how deep a record's members lie in a directory, by which the reader bounds them.
const recordDepth = 2

// errUnreadable is for what is no record at all: it is not known whose it is.
var errUnreadable = errors.New("the record cannot be read")

func (j *Validator) Tokens(data []byte) Tokenizer { return NewJSONTokens(data, j.words) }

// User reads a user. What is wrong with its shape is in the faults; an error means that nothing can be said of it.
func (j *Validator) User(in Tokenizer) (*User, *Faults, error) {
	r := &Reader{In: in, Vocab: j.Vocab, Faults: &Faults{}}
	v, err := r.whole()
	if err != nil {
		return nil, nil, err
	}
	u := r.User(0, v)
	if u.ID == "" || u.ID == Unreadable {
		return nil, nil, fmt.Errorf("%w: it has no id", errUnreadable)
	}
	return &u, r.Faults, nil
}

// Locations reads the locations of an organization, ordered by id.
func (j *Validator) Locations(in Tokenizer) ([]Location, *Faults, error) {
	r := &Reader{In: in, Vocab: j.Vocab, Faults: &Faults{}}
	t, err := in.Next()
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	if t.Kind != KindArray {
		return nil, nil, fmt.Errorf("%w: it is no list of locations", errUnreadable)
	}
	var all []Location
	for {
		t, err := in.Next()
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %w", errUnreadable, err)
		}
		if t.Kind == KindEnd {
			break
		}
		v, err := r.Value(t, recordDepth)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %w", errUnreadable, err)
		}
		all = append(all, r.Location(len(all), v))
	}
	if err := r.Finish(); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	slices.SortStableFunc(all, func(a, b Location) int { return cmp.Compare(a.ID, b.ID) })
	return all, r.Faults, nil
}

// whole reads the one object that a record is.
func (r *Reader) whole() (Value, error) {
	t, err := r.In.Next()
	if err != nil {
		return Value{}, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	v, err := r.Value(t, recordDepth)
	if err == nil {
		err = r.Finish()
	}
	if err != nil {
		return Value{}, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	if v.Kind != KindObject {
		return Value{}, fmt.Errorf("%w: it is %s, not an object", errUnreadable, Describe(v))
	}
	return v, nil
}

// Tree is the locations of one organization, checked and joined; immutable.
type Tree struct {
	*Forest
	Root    *facts.Location
	Records map[string]*Location
	Faults  error // the tree must not be used; nil where it is good
}

// errTree is for an organization that is none.
var errTree = errors.New("the locations are not those of one organization")

// Tree joins the locations of an organization. What has not changed since previous is kept, so that what is derived of it is
// kept as well. An error means that nothing can be said of it, not even whose it is.
func (j *Validator) Tree(drafts []Location, faults *Faults, version uint64, previous *Tree) (*Tree, error) {
	t := &Tree{Records: make(map[string]*Location, len(drafts))}
	in := &Document{Locations: slices.Clone(drafts)}
	(&Checker{Document: in, Vocab: j.Vocab, Faults: faults}).Check()
	rootID := ""
	for i := range drafts {
		l := &drafts[i]
		t.Records[l.ID] = l
		if l.Parent == "" && l.ID != "" && l.ID != Unreadable {
			if rootID != "" {
				return nil, fmt.Errorf("%w: it has two roots", errTree)
			}
			rootID = l.ID
		}
	}
	if rootID == "" {
		return nil, fmt.Errorf("%w: it has no root", errTree)
	}
	if t.Faults = faults.Err(); t.Faults != nil {
		// The root is all that can be told apart of a tree that must not be used.
		t.Root = facts.NewLocation(facts.LocationRecord{ID: rootID}, nil, version)
		return t, nil
	}
	var before *Forest
	if previous != nil {
		before = previous.Forest
	}
	t.Forest = NewForest(in.Locations, version, before)
	t.Root = t.ByID(rootID)
	return t, nil
}

// Join holds a user against the trees of its assignments and joins them. locate gives the tree that a location is in, nil
// where it is unknown. Where anything must not be used, the error is a [*facts.Suspended], which says in which organizations: a
// fault in what the record says of one organization is none of another's.
func (j *Validator) Join(u *User, shape *Faults, version uint64, locate func(location string) *Tree) (*facts.User, error) {
	faults := &Faults{Total: shape.Total, found: slices.Clone(shape.found)}
	in := &Document{Users: []User{*u}}
	locations := make(map[string]*Location, 2*len(u.Assignments))
	suspended := map[string]error{}
	var cause error
	for _, a := range u.Assignments {
		t := locate(a.Location)
		if t == nil {
			continue
		}
		if t.Faults != nil {
			cause = fmt.Errorf("organization %s: %w", membership.Quote(t.Root.ID()), t.Faults)
			suspended[t.Root.ID()] = cause
		}
		for l := t.Records[a.Location]; l != nil && t.Faults == nil; l = t.Records[l.Parent] {
			locations[l.ID] = l
		}
	}
	c := &Checker{Document: in, Vocab: j.Vocab, Faults: faults, Locations: locations, suspended: func(location string) bool {
		t := locate(location)
		return t != nil && t.Faults != nil
	}}
	c.CheckUsers()
	if err := faults.Err(); err != nil {
		cause = err
		for _, organization := range faults.organizations(locate) {
			suspended[organization] = err
		}
	}
	at := func(id string) *facts.Location {
		if t := locate(id); t != nil && t.Faults == nil {
			return t.ByID(id)
		}
		return nil
	}
	if cause != nil {
		return nil, &facts.Suspended{User: facts.NewSuspendedUser(u.UserRecord, version, at, suspended), Err: cause}
	}
	return facts.NewUser(u.UserRecord, version, at)
}

// organizations are those whose part of a user's record is at fault; "" among them stands for the record as such.
func (f *Faults) organizations(locate func(location string) *Tree) []string {
	if f.Total > len(f.found) {
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
func (t *Tree) organizationOf(location string) string {
	switch {
	case t == nil:
		return ""
	case t.Faults != nil:
		return t.Root.ID()
	}
	if l := t.ByID(location); l != nil {
		return l.Organization()
	}
	return ""
}

// Has says whether a tree has a location. One that must not be used has all that its records name.
func (t *Tree) Has(location string) bool { return t.Records[location] != nil }

// InOrder gives the records of a tree by id.
func (t *Tree) InOrder() []Location {
	all := make([]Location, 0, len(t.Records))
	for _, l := range t.All {
		all = append(all, *t.Records[l.ID()])
	}
	return all
}

// Suspended says what is known of a location of a tree that must not be used.
func (t *Tree) Suspended(location string) error {
	root, at := facts.LocationRecord{ID: t.Root.ID()}, facts.LocationRecord{ID: location}
	if l := t.Records[root.ID]; l != nil && l.Model != Unreadable {
		root.Model, root.Kind = l.Model, l.Kind
	}
	if l := t.Records[location]; l != nil && l.Kind != Unreadable {
		at.Kind, at.Model = l.Kind, l.Model
	}
	return &facts.Suspended{Location: facts.NewSuspendedLocation(root, at), Err: t.Faults}
}

// IdIn looks for the id in a record that has not been checked; empty where there is none.
func IdIn(record []byte) string {
	r := &Reader{In: NewJSONTokens(bytes.Clone(record), NewInterned())}
	t, err := r.In.Next()
	if err != nil {
		return ""
	}
	v, err := r.Value(t, 0)
	if err != nil {
		return ""
	}
	return idOf(v)
}
