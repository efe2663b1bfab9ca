package record

import (
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

const (
	// deepest is a bit more than the levels that a directory has; what lies deeper is in a place that is refused anyway.
	deepest = 8
	// unreadable stands for a value that was refused, so that it is not reported as missing too. No id can be it.
	Unreadable = "\x00"
)

// Value is one record, or a part of one, as the document has it.
type Value struct {
	Kind  Kind
	name  string // where it is a member of an object
	text  string // of a scalar
	Items []Value
}

// Reader checks the shape of a document: which members there are, and of which type.
type Reader struct {
	In     Tokenizer
	Vocab  Vocabulary
	Faults *Faults
}

// Value reads what a token begins.
func (r *Reader) Value(t Token, depth int) (Value, error) {
	v := Value{Kind: t.Kind, text: t.Text}
	if t.Kind != KindObject && t.Kind != KindArray {
		return v, nil
	}
	for {
		t, err := r.In.Next()
		if err != nil || t.Kind == KindEnd {
			return v, err
		}
		var item Value
		if v.Kind == KindObject {
			if item.name, err = r.Name(t, depth); err != nil {
				return v, err
			}
			if t, err = r.In.Next(); err != nil {
				return v, err
			}
		}
		name := item.name
		if item, err = r.Value(t, depth+1); err != nil {
			return v, err
		}
		item.name = name
		if depth < deepest {
			v.Items = append(v.Items, item)
		}
	}
}

// Name reads a member's name. YAML can have other things than text there; they get a name that no member has.
func (r *Reader) Name(t Token, depth int) (string, error) {
	if t.Kind == KindText {
		return t.Text, nil
	}
	_, err := r.Value(t, depth+1)
	return Unreadable, err
}

// members gives each member to take, which says whether it knows the name. It reports unknown and repeated ones.
func (r *Reader) members(s Subject, at string, v Value, take func(m Value) bool) {
	if v.Kind != KindObject {
		r.Faults.Add(s, "%smust be an object, not %s", path(at), Describe(v))
		return
	}
	seen := make([]string, 0, 16) // most records have fewer, and need no map
	var more map[string]bool
	for _, m := range v.Items {
		switch {
		case m.name == Unreadable:
			r.Faults.Add(s, "%sa member's name must be text", path(at))
			continue
		case more[m.name] || more == nil && slices.Contains(seen, m.name):
			r.Faults.Add(s, "%s is there twice", label(join(at, m.name)))
			continue
		}
		if more == nil && len(seen) < cap(seen) {
			seen = append(seen, m.name)
		} else {
			if more == nil {
				more = make(map[string]bool)
				for _, name := range seen {
					more[name] = true
				}
			}
			more[m.name] = true
		}
		if !take(m) {
			r.Faults.Add(s, "unknown field %s", MadeUp(join(at, m.name)))
		}
	}
}

// text reads a text that may be empty.
func (r *Reader) text(s Subject, at string, m Value) string {
	if m.Kind != KindText {
		r.Faults.Add(s, "%s must be text, not %s", join(at, m.name), Describe(m))
		return Unreadable
	}
	if m.text == Unreadable {
		r.Faults.Add(s, "%s must not be a control character", join(at, m.name))
	}
	return m.text
}

// id is a text that must say something.
func (r *Reader) id(s Subject, m Value) string {
	switch t := r.text(s, "", m); {
	case t == Unreadable:
		return t
	case t == "":
		r.Faults.Add(s, "%s must not be empty", m.name)
	case len(t) > membership.MaxID:
		r.Faults.Add(s, "%s is longer than %d bytes", m.name, membership.MaxID)
	case strings.ContainsFunc(t, unicode.IsControl):
		r.Faults.Add(s, "%s has a control character", m.name)
	default:
		return t
	}
	return Unreadable
}

// username reads what people sign in with; an empty one is absent. What it is compared by has to fit as well.
func (r *Reader) username(s Subject, m Value) string {
	switch t := r.text(s, "", m); {
	case t == Unreadable, t == "":
		return t
	case len(t) > membership.MaxID || len(facts.FoldCanonical(t)) > membership.MaxID:
		r.Faults.Add(s, "%s is longer than %d bytes", m.name, membership.MaxID)
	case strings.ContainsFunc(t, unicode.IsControl):
		r.Faults.Add(s, "%s has a control character", m.name)
	case !facts.IsUsername(t):
		r.Faults.Add(s, "%s must not begin or end with white space, nor have a character that cannot be seen", m.name)
	default:
		return t
	}
	return Unreadable
}

// oneOf reads one of some words.
func (r *Reader) oneOf(s Subject, at string, m Value, words []string) string {
	t := r.text(s, at, m)
	if t == Unreadable || slices.Contains(words, t) {
		return t
	}
	r.Faults.Add(s, "%s is not one of %s", join(at, m.name), strings.Join(words, ", "))
	return Unreadable
}

// instant reads an RFC 3339 time. YAML has times of its own, which it is written like.
func (r *Reader) instant(s Subject, m Value) time.Time {
	if m.Kind == KindTimestamp {
		m.Kind = KindText
	}
	t := r.text(s, "", m)
	if t == Unreadable {
		return time.Time{}
	}
	at, ok := ParseTime(t)
	if !ok {
		r.Faults.Add(s, "%s must be an RFC 3339 time", m.name)
	}
	return at
}

// list gives each item of a list to take.
func (r *Reader) list(s Subject, m Value, take func(i int, item Value)) {
	if m.Kind != KindArray {
		r.Faults.Add(s, "%s must be a list, not %s", m.name, Describe(m))
		return
	}
	for i, item := range m.Items {
		take(i, item)
	}
}

// Finish makes sure that nothing follows.
func (r *Reader) Finish() error {
	if _, err := r.In.Next(); err != io.EOF {
		return err
	}
	return nil
}

// idOf looks ahead for the id, by which every fault of a record is told.
func idOf(v Value) string {
	for _, m := range v.Items {
		if m.name == "id" && m.Kind == KindText && len(m.text) <= membership.MaxID {
			return m.text
		}
	}
	return ""
}

func Describe(v Value) string {
	if v.Kind == KindRefused {
		return v.text
	}
	return v.Kind.String()
}

func join(at, name string) string {
	if at == "" {
		return name
	}
	return at + "." + name
}

func path(at string) string {
	if at == "" {
		return ""
	}
	return at + " "
}
