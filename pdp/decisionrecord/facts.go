package decisionrecord

import (
	"bytes"
	"sync"
	"sync/atomic"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wardkeeper/wardkeeper/bundles/input"
	"github.com/wardkeeper/wardkeeper/pdp/decisionpart"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// form says what a record may hold of a part of the facts. Exactly one of the fields is set, and keep besides.
type form struct {
	text    func(p *private, out []byte, text string) []byte // appends a string
	scalar  bool                                             // of true, false or null
	members map[string]*form                                 // of an object: others are left out
	each    *form                                            // of an object by codes, such as the ids of locations
	keep    bool                                             // many questions have the same, so that it is a part of their records
}

var (
	aCode     = &form{text: (*private).appendCode}
	anID      = &form{text: (*private).appendID}
	aUsername = &form{text: (*private).appendHidden}
	aFlag     = &form{scalar: true}

	aUser = &form{keep: true, members: map[string]*form{
		"id": anID, "username": aUsername, "status": aCode, "default_location": aCode, "assigned": aFlag,
		"assignments": {each: &form{members: map[string]*form{
			"role": aCode, "status": aCode, "access": {members: map[string]*form{"level": aCode, "areas": {each: aFlag}}},
		}}},
		"held": {each: aCode}, "within": {each: aFlag},
	}}
	aLocation = &form{keep: true, members: map[string]*form{
		"id": aCode, "kind": aCode, "model": aCode, "organization": aCode, "plan": aCode, "path": {each: aFlag}, "held": {each: aCode},
	}}
	allFacts = &form{members: map[string]*form{
		"model": aCode, "organization": {members: map[string]*form{"id": aCode}}, "subject": aUser, "user": aUser,
		"current": aLocation, "place": aLocation, "target": aLocation,
		"standings": {each: aLocation}, "locations": {each: aLocation}, "facilities": {each: aLocation},
		"folded": {each: aUsername}, "namesake": {members: map[string]*form{"id": anID}},
	}}
)

// maxKept limits the parts of facts that are kept as they are written, in bytes.
const maxKept = 8 << 20

// factWriter writes facts. It keeps the parts that many questions share as they are written. It is safe for concurrent use.
type factWriter struct {
	private *private
	kept    sync.Map // of *decisionpart.Part, by *input.Object or *ast.Term, which never change
	size    atomic.Int64
}

// write writes facts with null for the parts that are shared, which it appends to parts.
func (w *factWriter) write(out []byte, parts *[]decisionpart.Placed, f *facts.Facts) []byte {
	return w.object(out, parts, f.Object(), allFacts)
}

// share writes null for what many questions share, and notes the part.
func (w *factWriter) share(out []byte, parts *[]decisionpart.Placed, value any, write func([]byte) []byte) []byte {
	part, ok := w.kept.Load(value)
	if !ok {
		start := len(out)
		out = write(out)
		written := out[start:]
		if len(written) < minPart {
			return out
		}
		made, err := decisionpart.New(bytes.Clone(written))
		if err != nil { // it is too long, and so is the record
			return out
		}
		out = out[:start]
		if w.size.Add(int64(len(written)+partOverhead)) > maxKept {
			w.kept.Clear()
			w.size.Store(0)
		}
		part, _ = w.kept.LoadOrStore(value, made)
	}
	*parts = append(*parts, decisionpart.Placed{Part: part.(*decisionpart.Part), Offset: len(out)})
	return append(out, "null"...)
}

// minPart is the length of the shortest part, in bytes. To refer to a shorter one takes as much as to write it: such as an unknown
// location, which has nothing but its id.
const minPart = 64

// partOverhead is about what a kept part needs besides its bytes, the records that it is made of included.
const partOverhead = 1 << 10

func (w *factWriter) object(out []byte, parts *[]decisionpart.Placed, o *input.Object, as *form) []byte {
	write := func(out []byte) []byte {
		out, first := append(out, '{'), true
		o.Each(func(m *input.Member) {
			out = w.member(out, parts, &first, m.Key, m.Value, m.Object, as)
		})
		return append(out, '}')
	}
	if as.keep {
		return w.share(out, parts, o, write)
	}
	return write(out)
}

// member writes a member of an object if it may be kept.
func (w *factWriter) member(out []byte, parts *[]decisionpart.Placed, first *bool, key, value *ast.Term, object *input.Object, as *form) []byte {
	name, ok := key.Value.(ast.String)
	if !ok {
		return out
	}
	inner := as.each
	if inner == nil {
		inner = as.members[string(name)]
	}
	if inner == nil {
		return out
	}
	if !*first {
		out = append(out, ',')
	}
	*first = false
	out = append(w.private.appendCode(out, string(name)), ':')
	if value == nil {
		return w.object(out, parts, object, inner)
	}
	return w.term(out, parts, value, inner)
}

func (w *factWriter) term(out []byte, parts *[]decisionpart.Placed, term *ast.Term, as *form) []byte {
	switch value := term.Value.(type) {
	case ast.String:
		if as.text != nil {
			return as.text(w.private, out, string(value))
		}
	case ast.Boolean:
		if as.scalar {
			return append(out, value.String()...)
		}
	case ast.Object:
		if as.members == nil && as.each == nil {
			break
		}
		write := func(out []byte) []byte {
			out, first := append(out, '{'), true
			value.Foreach(func(key, member *ast.Term) { out = w.member(out, parts, &first, key, member, nil, as) })
			return append(out, '}')
		}
		if as.keep {
			return w.share(out, parts, term, write)
		}
		return write(out)
	}
	return append(out, "null"...)
}
