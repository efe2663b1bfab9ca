package record

import (
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

const (
	// maxDepth is slightly more than the depth of a valid directory. Anything deeper is dropped, because its container is
	// refused anyway.
	maxDepth = 8
	// Unreadable replaces a refused value, so that the value is not reported as missing too. It is not a valid id.
	Unreadable = "\x00"
)

// value is a record, or part of one, as written in the document.
type value struct {
	kind  Kind
	name  string // if it is a member of an object
	text  string // of a scalar
	items []value
}

// reader checks the shape of records: which members they have, and of which type.
type reader struct {
	in     Tokenizer
	vocab  vocabulary
	faults *Faults
}

// value reads the value that begins with a token.
func (r *reader) value(t Token, depth int) (value, error) {
	v := value{kind: t.Kind, text: t.Text}
	if t.Kind != KindObject && t.Kind != KindArray {
		return v, nil
	}
	for {
		t, err := r.in.Next()
		if err != nil || t.Kind == KindEnd {
			return v, err
		}
		var item value
		if v.kind == KindObject {
			if item.name, err = r.name(t, depth); err != nil {
				return v, err
			}
			if t, err = r.in.Next(); err != nil {
				return v, err
			}
		}
		name := item.name
		if item, err = r.value(t, depth+1); err != nil {
			return v, err
		}
		item.name = name
		if depth < maxDepth {
			v.items = append(v.items, item)
		}
	}
}

// name reads a member's name. A name that is not text, which YAML allows, becomes Unreadable.
func (r *reader) name(t Token, depth int) (string, error) {
	if t.Kind == KindText {
		return t.Text, nil
	}
	_, err := r.value(t, depth+1)
	return Unreadable, err
}

// members calls take for each member; take returns whether it knows the name. Unknown and repeated members are faults.
func (r *reader) members(s Subject, at string, v value, take func(m value) bool) {
	if v.kind != KindObject {
		r.faults.Add(s, "%smust be an object, not %s", path(at), describe(v))
		return
	}
	seen := make([]string, 0, 16) // most records have fewer members, and need no map
	var more map[string]bool
	for _, m := range v.items {
		switch {
		case m.name == Unreadable:
			r.faults.Add(s, "%sa member's name must be text", path(at))
			continue
		case more[m.name] || more == nil && slices.Contains(seen, m.name):
			r.faults.Add(s, "%s is there twice", label(join(at, m.name)))
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
			r.faults.Add(s, "unknown field %s", quoteMember(join(at, m.name)))
		}
	}
}

// text reads a text. It may be empty.
func (r *reader) text(s Subject, at string, m value) string {
	if m.kind != KindText {
		r.faults.Add(s, "%s must be text, not %s", join(at, m.name), describe(m))
		return Unreadable
	}
	if m.text == Unreadable {
		r.faults.Add(s, "%s must not be a control character", join(at, m.name))
	}
	return m.text
}

// id reads an id that satisfies [facts.ValidID].
func (r *reader) id(s Subject, m value) string {
	t := r.text(s, "", m)
	if t == Unreadable {
		return t
	}
	if fault := facts.IDFault(t); fault != "" {
		r.faults.Add(s, "%s %s", m.name, fault)
		return Unreadable
	}
	return t
}

// username reads the name with which a user signs in. An empty one is absent. Its folded form must not be too long
// either.
func (r *reader) username(s Subject, m value) string {
	switch t := r.text(s, "", m); {
	case t == Unreadable, t == "":
		return t
	case len(t) > facts.MaxID || len(facts.FoldCanonical(t)) > facts.MaxID:
		r.faults.Add(s, "%s is longer than %d bytes", m.name, facts.MaxID)
	case strings.ContainsFunc(t, unicode.IsControl):
		r.faults.Add(s, "%s has a control character", m.name)
	case !facts.IsUsername(t):
		r.faults.Add(s, "%s must not begin or end with white space, nor have a character that cannot be seen", m.name)
	default:
		return t
	}
	return Unreadable
}

// oneOf reads one of the given words.
func (r *reader) oneOf(s Subject, at string, m value, words []string) string {
	t := r.text(s, at, m)
	if t == Unreadable || slices.Contains(words, t) {
		return t
	}
	r.faults.Add(s, "%s is not one of %s", join(at, m.name), strings.Join(words, ", "))
	return Unreadable
}

// instant reads an RFC 3339 time. YAML parses most of these as timestamps.
func (r *reader) instant(s Subject, m value) time.Time {
	if m.kind == KindTimestamp {
		m.kind = KindText
	}
	t := r.text(s, "", m)
	if t == Unreadable {
		return time.Time{}
	}
	at, ok := parseTime(t)
	if !ok {
		r.faults.Add(s, "%s must be an RFC 3339 time", m.name)
	}
	return at
}

// list calls take for each item of a list.
func (r *reader) list(s Subject, m value, take func(i int, item value)) {
	if m.kind != KindArray {
		r.faults.Add(s, "%s must be a list, not %s", m.name, describe(m))
		return
	}
	for i, item := range m.items {
		take(i, item)
	}
}

// finish returns an error if anything follows the document.
func (r *reader) finish() error {
	if _, err := r.in.Next(); err != io.EOF {
		return err
	}
	return nil
}

// idOf looks ahead for the id, which names the record in its faults.
func idOf(v value) string {
	for _, m := range v.items {
		if m.name == "id" && m.kind == KindText && len(m.text) <= facts.MaxID {
			return m.text
		}
	}
	return ""
}

func describe(v value) string {
	if v.kind == KindRefused {
		return v.text
	}
	return v.kind.String()
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
