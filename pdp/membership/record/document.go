package record

import (
	"github.com/wardkeeper/wardkeeper/pdp"
)

// Document contains the records of a directory. Each record has valid members, but their consistency may be unchecked.
type Document struct {
	Locations []Location
	Users     []User
}

// ReadDocument reads a directory and checks every rule of policies/DOMAIN.md section 1. It adds violations to faults. An
// error means that the document cannot be read to its end; the consistency of the records is then not checked.
func ReadDocument(in Tokenizer, v pdp.Vocabulary, faults *Faults) (*Document, error) {
	vocab := vocabulary{v}
	r := reader{in: in, vocab: vocab, faults: faults}
	d, err := r.document()
	if err != nil {
		return nil, err
	}
	c := checker{vocab: vocab, faults: faults}
	c.checkLocations(d.Locations)
	c.checkUsers(d.Users)
	return d, nil
}

// NewJSONDocument returns the tokens of a directory in JSON.
func NewJSONDocument(data []byte, v pdp.Vocabulary) Tokenizer {
	return newJSONTokens(data, newInterned(vocabulary{v}.words()...))
}

func (r *reader) document() (*Document, error) {
	t, err := r.in.Next()
	if err != nil {
		return nil, err
	}
	d := &Document{}
	if t.Kind != KindObject {
		v, err := r.value(t, 0)
		r.faults.Add(Subject{}, "the document must be an object, not %s", describe(v))
		return d, err
	}
	seen := map[string]bool{}
	for {
		t, err := r.in.Next()
		if err != nil {
			return nil, err
		}
		if t.Kind == KindEnd {
			break
		}
		if err := r.section(d, t, seen); err != nil {
			return nil, err
		}
	}
	for _, list := range []List{LocationList, UserList} {
		if !seen[list.String()] {
			r.faults.Add(Subject{}, "%s is missing", list)
		}
	}
	return d, r.finish()
}

// section reads one of the two lists record by record, because the values of a whole list would be many times the size
// of the file.
func (r *reader) section(d *Document, t Token, seen map[string]bool) error {
	name, err := r.name(t, 1)
	if err != nil {
		return err
	}
	if t, err = r.in.Next(); err != nil {
		return err
	}
	var take func(i int, v value)
	switch {
	case name == Unreadable:
		r.faults.Add(Subject{}, "a member's name must be text")
	case seen[name]:
		r.faults.Add(Subject{}, "%s is there twice", quoteMember(name))
	case name == LocationList.String():
		take = func(i int, v value) {
			if l := r.location(i, v); v.kind == KindObject {
				d.Locations = append(d.Locations, l)
			}
		}
	case name == UserList.String():
		take = func(i int, v value) {
			if u := r.user(i, v); v.kind == KindObject {
				d.Users = append(d.Users, u)
			}
		}
	default:
		r.faults.Add(Subject{}, "unknown field %s", quoteMember(name))
	}
	seen[name] = true
	if t.Kind != KindArray || take == nil {
		v, err := r.value(t, 1)
		if take != nil {
			r.faults.Add(Subject{}, "%s must be a list, not %s", name, describe(v))
		}
		return err
	}
	for i := 0; ; i++ {
		if t, err = r.in.Next(); err != nil || t.Kind == KindEnd {
			return err
		}
		v, err := r.value(t, 2)
		if err != nil {
			return err
		}
		take(i, v)
	}
}
