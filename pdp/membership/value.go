package membership

import (
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/wardkeeper/wardkeeper/pdp"
)

const (
	// deepest is a bit more than the levels that a directory has; what lies deeper is in a place that is refused anyway.
	deepest = 8
	longest = 1 << 10 // bytes of an id, or of a username as it is written and as it is compared
	// unreadable stands for a value that was refused, so that it is not reported as missing too. No id can be it.
	unreadable = "\x00"
)

// value is one record, or a part of one, as the document has it.
type value struct {
	kind  kind
	name  string // where it is a member of an object
	text  string // of a scalar
	items []value
}

// reader checks the shape of a document: which members there are, and of which type.
type reader struct {
	in     tokenizer
	vocab  vocabulary
	faults *Faults
}

// value reads what a token begins.
func (r *reader) value(t token, depth int) (value, error) {
	v := value{kind: t.kind, text: t.text}
	if t.kind != kindObject && t.kind != kindArray {
		return v, nil
	}
	for {
		t, err := r.in.next()
		if err != nil || t.kind == kindEnd {
			return v, err
		}
		var item value
		if v.kind == kindObject {
			if item.name, err = r.name(t, depth); err != nil {
				return v, err
			}
			if t, err = r.in.next(); err != nil {
				return v, err
			}
		}
		name := item.name
		if item, err = r.value(t, depth+1); err != nil {
			return v, err
		}
		item.name = name
		if depth < deepest {
			v.items = append(v.items, item)
		}
	}
}

// name reads a member's name. YAML can have other things than text there; they get a name that no member has.
func (r *reader) name(t token, depth int) (string, error) {
	if t.kind == kindText {
		return t.text, nil
	}
	_, err := r.value(t, depth+1)
	return unreadable, err
}

// members gives each member to take, which says whether it knows the name. It reports unknown and repeated ones.
func (r *reader) members(s subject, at string, v value, take func(m value) bool) {
	if v.kind != kindObject {
		r.faults.add(s, "%smust be an object, not %s", path(at), describe(v))
		return
	}
	seen := make([]string, 0, 16) // most records have fewer, and need no map
	var more map[string]bool
	for _, m := range v.items {
		switch {
		case m.name == unreadable:
			r.faults.add(s, "%sa member's name must be text", path(at))
			continue
		case more[m.name] || more == nil && slices.Contains(seen, m.name):
			r.faults.add(s, "%s is there twice", label(join(at, m.name)))
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
			r.faults.add(s, "unknown field %s", madeUp(join(at, m.name)))
		}
	}
}

// text reads a text that may be empty.
func (r *reader) text(s subject, at string, m value) string {
	if m.kind != kindText {
		r.faults.add(s, "%s must be text, not %s", join(at, m.name), describe(m))
		return unreadable
	}
	if m.text == unreadable {
		r.faults.add(s, "%s must not be a control character", join(at, m.name))
	}
	return m.text
}

// id is a text that must say something.
func (r *reader) id(s subject, m value) string {
	switch t := r.text(s, "", m); {
	case t == unreadable:
		return t
	case t == "":
		r.faults.add(s, "%s must not be empty", m.name)
	case len(t) > longest:
		r.faults.add(s, "%s is longer than %d bytes", m.name, longest)
	case strings.ContainsFunc(t, unicode.IsControl):
		r.faults.add(s, "%s has a control character", m.name)
	default:
		return t
	}
	return unreadable
}

// username reads what people sign in with; an empty one is absent. What it is compared by has to fit as well.
func (r *reader) username(s subject, m value) string {
	switch t := r.text(s, "", m); {
	case t == unreadable, t == "":
		return t
	case len(t) > longest || len(pdp.FoldCanonical(t)) > longest:
		r.faults.add(s, "%s is longer than %d bytes", m.name, longest)
	case strings.ContainsFunc(t, unicode.IsControl):
		r.faults.add(s, "%s has a control character", m.name)
	case !pdp.IsUsername(t):
		r.faults.add(s, "%s must not begin or end with white space, nor have a character that cannot be seen", m.name)
	default:
		return t
	}
	return unreadable
}

// oneOf reads one of some words.
func (r *reader) oneOf(s subject, at string, m value, words []string) string {
	t := r.text(s, at, m)
	if t == unreadable || slices.Contains(words, t) {
		return t
	}
	r.faults.add(s, "%s is not one of %s", join(at, m.name), strings.Join(words, ", "))
	return unreadable
}

// instant reads an RFC 3339 time. YAML has times of its own, which it is written like.
func (r *reader) instant(s subject, m value) time.Time {
	if m.kind == kindTimestamp {
		m.kind = kindText
	}
	t := r.text(s, "", m)
	if t == unreadable {
		return time.Time{}
	}
	at, ok := parseTime(t)
	if !ok {
		r.faults.add(s, "%s must be an RFC 3339 time", m.name)
	}
	return at
}

// list gives each item of a list to take.
func (r *reader) list(s subject, m value, take func(i int, item value)) {
	if m.kind != kindArray {
		r.faults.add(s, "%s must be a list, not %s", m.name, describe(m))
		return
	}
	for i, item := range m.items {
		take(i, item)
	}
}

// finish makes sure that nothing follows.
func (r *reader) finish() error {
	if _, err := r.in.next(); err != io.EOF {
		return err
	}
	return nil
}

// idOf looks ahead for the id, by which every fault of a record is told.
func idOf(v value) string {
	for _, m := range v.items {
		if m.name == "id" && m.kind == kindText && len(m.text) <= longest {
			return m.text
		}
	}
	return ""
}

func describe(v value) string {
	if v.kind == kindRefused {
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
