package decisionrecord

import (
	"bytes"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wardkeeper/wardkeeper/bundles/input"
	"github.com/wardkeeper/wardkeeper/pdp/decisionpart"
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

// factParts are the parts of facts that many questions share, as they are written. They are safe for concurrent use.
type factParts struct {
	kept sync.Map // of *decisionpart.Part, by *input.Object or *ast.Term, which never change
	size atomic.Int64
}

// minPart is the length of the shortest part, in bytes. To refer to a shorter one takes as much as to write it: such as an unknown
// location, which has nothing but its id.
const minPart = 64

// partOverhead is about what a kept part needs besides its bytes, the records that it is made of included.
const partOverhead = 1 << 10

// object writes an object of facts with null for the parts that are shared.
func (w *writer) object(o *input.Object, as *form) {
	if as.keep && w.placeKept(o) {
		return
	}
	start := len(w.out)
	w.open()
	o.Each(func(m *input.Member) { w.member(m.Key, m.Value, m.Object, as) })
	w.end()
	if as.keep {
		w.share(start, o)
	}
}

// member writes a member of an object of facts if it may be kept.
func (w *writer) member(key, value *ast.Term, object *input.Object, as *form) {
	name, ok := key.Value.(ast.String)
	if !ok {
		return
	}
	inner := as.each
	if inner == nil {
		inner = as.members[string(name)]
	}
	if inner == nil {
		return
	}
	if w.comma {
		w.out = append(w.out, ',')
	}
	w.out = append(w.private.appendCode(w.out, string(name)), ':')
	w.comma = true
	if value == nil {
		w.object(object, inner)
	} else {
		w.term(value, inner)
	}
}

func (w *writer) term(term *ast.Term, as *form) {
	switch value := term.Value.(type) {
	case ast.String:
		if as.text != nil {
			w.out = as.text(w.private, w.out, string(value))
			return
		}
	case ast.Boolean:
		if as.scalar {
			w.out = strconv.AppendBool(w.out, bool(value))
			return
		}
	case ast.Object:
		if as.members != nil || as.each != nil {
			w.termObject(term, value, as)
			return
		}
	}
	w.out = append(w.out, "null"...)
}

func (w *writer) termObject(term *ast.Term, o ast.Object, as *form) {
	if as.keep && w.placeKept(term) {
		return
	}
	start := len(w.out)
	w.open()
	o.Foreach(func(key, value *ast.Term) { w.member(key, value, nil, as) })
	w.end()
	if as.keep {
		w.share(start, term)
	}
}

// placeKept writes null for what has been written before, and notes the part.
func (w *writer) placeKept(value any) bool {
	part, ok := w.facts.kept.Load(value)
	if ok {
		w.place(part.(*decisionpart.Part))
	}
	return ok
}

func (w *writer) place(part *decisionpart.Part) {
	w.parts = append(w.parts, decisionpart.Placed{Part: part, Offset: len(w.out)})
	w.out = append(w.out, decisionpart.Null...)
}

// share keeps what was written from start on for later records, and makes it a part of this one.
func (w *writer) share(start int, value any) {
	written := w.out[start:]
	if len(written) < minPart {
		return
	}
	made, err := decisionpart.New(bytes.Clone(written))
	if err != nil { // it is too long, and so is the record
		return
	}
	f := w.facts
	if f.size.Add(int64(len(written)+partOverhead)) > maxKept {
		f.kept.Clear()
		f.size.Store(0)
	}
	part, _ := f.kept.LoadOrStore(value, made)
	w.out = w.out[:start]
	w.place(part.(*decisionpart.Part))
}
