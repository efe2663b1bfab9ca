package directory

import (
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// DocumentReader reads the document of a directory.
type DocumentReader struct{ *record.Reader }

// Read reads a document of either format.
func (r DocumentReader) Read(data []byte, f record.Format) (*record.Document, error) {
	if f == record.JSON {
		r.In = record.NewJSONTokens(data, record.NewInterned(r.Vocab.Words()...))
		return r.directory()
	}
	if sections := splitYAML(data, blockSize); sections != nil {
		r.In = &yamlBlocks{sections: sections}
		if d, err := r.directory(); err == nil {
			return d, nil
		}
		*r.Faults = record.Faults{}
	}
	whole, err := newYAMLTokens(data)
	if err != nil {
		return nil, err
	}
	r.In = whole
	return r.directory()
}

// directory reads the document. An error means that it cannot be read to its end.
func (r DocumentReader) directory() (*record.Document, error) {
	t, err := r.In.Next()
	if err != nil {
		return nil, err
	}
	d := &record.Document{}
	if t.Kind != record.KindObject {
		v, err := r.Value(t, 0)
		r.Faults.Add(record.Subject{}, "the document must be an object, not %s", record.Describe(v))
		return d, err
	}
	seen := map[string]bool{}
	for {
		t, err := r.In.Next()
		if err != nil {
			return nil, err
		}
		if t.Kind == record.KindEnd {
			break
		}
		if err := r.section(d, t, seen); err != nil {
			return nil, err
		}
	}
	for _, name := range record.ListNames[record.LocationList:] {
		if !seen[name] {
			r.Faults.Add(record.Subject{}, "%s is missing", name)
		}
	}
	return d, r.Finish()
}

// section reads one of the two lists, record by record: a whole list as values would be many times the file.
func (r DocumentReader) section(d *record.Document, t record.Token, seen map[string]bool) error {
	name, err := r.Name(t, 1)
	if err != nil {
		return err
	}
	if t, err = r.In.Next(); err != nil {
		return err
	}
	var take func(i int, v record.Value)
	switch {
	case name == record.Unreadable:
		r.Faults.Add(record.Subject{}, "a member's name must be text")
	case seen[name]:
		r.Faults.Add(record.Subject{}, "%s is there twice", record.MadeUp(name))
	case name == record.ListNames[record.LocationList]:
		take = func(i int, v record.Value) {
			if l := r.Location(i, v); v.Kind == record.KindObject {
				d.Locations = append(d.Locations, l)
			}
		}
	case name == record.ListNames[record.UserList]:
		take = func(i int, v record.Value) {
			if u := r.User(i, v); v.Kind == record.KindObject {
				d.Users = append(d.Users, u)
			}
		}
	default:
		r.Faults.Add(record.Subject{}, "unknown field %s", record.MadeUp(name))
	}
	seen[name] = true
	if t.Kind != record.KindArray || take == nil {
		v, err := r.Value(t, 1)
		if take != nil {
			r.Faults.Add(record.Subject{}, "%s must be a list, not %s", name, record.Describe(v))
		}
		return err
	}
	for i := 0; ; i++ {
		if t, err = r.In.Next(); err != nil || t.Kind == record.KindEnd {
			return err
		}
		v, err := r.Value(t, 2)
		if err != nil {
			return err
		}
		take(i, v)
	}
}
