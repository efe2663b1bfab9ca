package record

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// Validator reads single records and checks them against policies/DOMAIN.md section 1, using the vocabulary of one
// policy. It is immutable and safe for concurrent use.
type Validator struct {
	Name       string // unique to this validator
	Vocabulary pdp.Vocabulary
	words      *interned
}

// NewValidator returns a validator for the vocabulary of a policy.
func NewValidator(v pdp.Vocabulary) *Validator {
	return &Validator{Name: rand.Text(), Vocabulary: v, words: newInterned(vocabulary{v}.words()...)}
}

// recordDepth is the depth of a record in a directory. The reader counts [maxDepth] from there.
const recordDepth = 2

// errUnreadable means that a record cannot be read at all, so that not even its id is known.
var errUnreadable = errors.New("the record cannot be read")

// Tokens returns the tokens of a record in JSON.
func (v *Validator) Tokens(data []byte) Tokenizer { return newJSONTokens(data, v.words) }

// User reads a user. The faults describe invalid members. An error means that the record cannot be read at all.
func (v *Validator) User(in Tokenizer) (*User, *Faults, error) {
	r := v.reader(in)
	whole, err := r.whole()
	if err != nil {
		return nil, nil, err
	}
	u := r.user(0, whole)
	if u.ID == "" || u.ID == Unreadable {
		return nil, nil, fmt.Errorf("%w: it has no id", errUnreadable)
	}
	return &u, r.faults, nil
}

// Locations reads the locations of an organization and sorts them by id. The faults and the error are as for
// [Validator.User].
func (v *Validator) Locations(in Tokenizer) ([]Location, *Faults, error) {
	r := v.reader(in)
	t, err := in.Next()
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	if t.Kind != KindArray {
		return nil, nil, fmt.Errorf("%w: it is not a list of locations", errUnreadable)
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
		item, err := r.value(t, recordDepth)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %w", errUnreadable, err)
		}
		all = append(all, r.location(len(all), item))
	}
	if err := r.finish(); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	slices.SortStableFunc(all, func(a, b Location) int { return cmp.Compare(a.ID, b.ID) })
	return all, r.faults, nil
}

func (v *Validator) reader(in Tokenizer) *reader {
	return &reader{in: in, vocab: vocabulary{v.Vocabulary}, faults: &Faults{}}
}

// whole reads a record, which must be one object.
func (r *reader) whole() (value, error) {
	t, err := r.in.Next()
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
	if v.kind != KindObject {
		return value{}, fmt.Errorf("%w: it is %s, not an object", errUnreadable, describe(v))
	}
	return v, nil
}

// RawUser is [Validator.User] for a record as an origin delivers it.
func (v *Validator) RawUser(raw membership.RawRecord) (*User, *Faults, error) {
	if raw.Fault != nil {
		return nil, nil, raw.Fault
	}
	return v.User(v.Tokens(raw.Record))
}

// IDOf returns the id of an unchecked record; "" if it has none.
func IDOf(raw membership.RawRecord) string {
	if raw.Fault != nil {
		return raw.ID
	}
	r := &reader{in: newJSONTokens(bytes.Clone(raw.Record), newInterned())}
	t, err := r.in.Next()
	if err != nil {
		return ""
	}
	v, err := r.value(t, 0)
	if err != nil {
		return ""
	}
	return idOf(v)
}

// CheckLocations checks the consistency of the locations of all organizations, and returns them by id. Together with
// [Validator.CheckUser], it is for directories that cannot be read as one document.
func (v *Validator) CheckLocations(all []Location, faults *Faults) map[string]*Location {
	c := checker{vocab: vocabulary{v.Vocabulary}, faults: faults}
	c.checkLocations(all)
	return c.locations
}

// CheckUser checks a user against all locations, as [Validator.CheckLocations] returns them.
func (v *Validator) CheckUser(u *User, locations map[string]*Location, faults *Faults) {
	c := checker{vocab: vocabulary{v.Vocabulary}, faults: faults, locations: locations}
	c.checkUsers([]User{*u})
}
