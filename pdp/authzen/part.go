package authzen

import "strconv"

// itemIndex says where the parts of an evaluation are in the request: in that element of evaluations, or at the top level.
type itemIndex int

const topLevel itemIndex = -1

func (at itemIndex) pointer() string {
	if at == topLevel {
		return ""
	}
	return "/evaluations/" + strconv.Itoa(int(at))
}

// partSpec says how a subject, action or resource is decoded.
type partSpec struct {
	member string // subject, action or resource
	key    string // the identifying member: type or name
	id     bool   // whether an id is required; otherwise it is ignored
}

var (
	subjectSpec  = partSpec{"subject", "type", true}
	actionSpec   = partSpec{"action", "name", false}
	resourceSpec = partSpec{"resource", "type", true}
)

// part is a subject, action or resource as it was sent. It may be malformed: that is an error only if an evaluation uses
// it, since a default may be incomplete when every item has its own part (PROTOCOL.md section 7).
type part struct {
	sent       bool
	at         itemIndex
	key, id    string
	properties map[string]any
	err        error // the first error found in it
}

// rawEvaluation is an evaluation as it was sent, at the top level or in an item.
type rawEvaluation struct {
	at                        itemIndex
	subject, action, resource part
	context                   map[string]any
	contextErr                error
}

// member decodes the value of a member. Unknown members are skipped.
func (q *rawEvaluation) member(p *parser, name string) (err error) {
	switch name {
	case "subject":
		q.subject, err = p.part(subjectSpec, q.at)
	case "action":
		q.action, err = p.part(actionSpec, q.at)
	case "resource":
		q.resource, err = p.part(resourceSpec, q.at)
	case "context":
		q.context, err = p.objectMember(q.at.pointer, "context", &q.contextErr)
	default:
		err = p.skip()
	}
	return err
}

// part decodes a subject, action or resource. A returned error is about the body as a whole; an error in the part
// itself is kept in part.err.
func (p *parser) part(f partSpec, at itemIndex) (part, error) {
	switch p.dec.PeekKind() {
	case 'n':
		return part{}, p.skip()
	case '{', 0:
	default:
		return part{sent: true, err: newError(at.pointer(), quoted(f.member)+" is not an object", "send an object")}, p.skip()
	}
	v := part{sent: true, at: at}
	pointer := func() string { return at.pointer() + "/" + f.member }
	err := p.object(func(name string) (err error) {
		switch {
		case name == f.key:
			v.key, err = p.stringMember(pointer, name, &v.err)
		case name == "id" && f.id:
			v.id, err = p.stringMember(pointer, name, &v.err)
		case name == "properties":
			v.properties, err = p.objectMember(pointer, name, &v.err)
		default:
			err = p.skip()
		}
		return err
	})
	return v, err
}

// stringMember decodes a type, an id or a name; null is "". An error goes to partErr unless one is already there.
func (p *parser) stringMember(pointer func() string, name string, partErr *error) (string, error) {
	var problem, advice string
	switch p.dec.PeekKind() {
	case 'n':
		return "", p.skip()
	case '"', 0:
		tok, err := p.dec.ReadToken()
		if err != nil {
			return "", p.syntaxError(err)
		}
		s := tok.String()
		switch {
		case s == "":
			problem, advice = " is empty", "send a non-empty string"
		case len(s) > MaxName:
			problem, advice = " is too long", "send at most "+strconv.Itoa(MaxName)+" bytes"
		case hasControl(s):
			problem, advice = " has control characters", "send printable text"
		default:
			return s, nil
		}
	default:
		if err := p.skip(); err != nil {
			return "", err
		}
		problem, advice = " is not a string", "send a non-empty string"
	}
	if *partErr == nil {
		*partErr = newError(pointer(), quoted(name)+problem, advice)
	}
	return "", nil
}

// objectMember decodes an object of any content; null is nil. An error goes to partErr unless one is already there.
func (p *parser) objectMember(pointer func() string, name string, partErr *error) (map[string]any, error) {
	switch p.dec.PeekKind() {
	case 'n':
		return nil, p.skip()
	case '{', 0:
	default:
		if *partErr == nil {
			*partErr = newError(pointer(), quoted(name)+" is not an object", "send an object, or leave it out")
		}
		return nil, p.skip()
	}
	v, err := p.value()
	m, _ := v.(map[string]any)
	return m, err
}

// hasControl reports whether s, which is valid UTF-8, has a control character (C0, DEL or C1).
func hasControl(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c < 0x20 || c == 0x7f || c == 0xc2 && i+1 < len(s) && s[i+1] < 0xa0 {
			return true
		}
	}
	return false
}

func quoted(name string) string { return `The member "` + name + `"` }

// check returns an error if the part is missing, malformed or incomplete. missingAt is the evaluation that needs it.
func (v *part) check(f partSpec, missingAt itemIndex) error {
	switch {
	case !v.sent:
		return newError(missingAt.pointer(), quoted(f.member)+" is missing", "send an object")
	case v.err != nil:
		return v.err
	case v.key == "":
		return newError(v.at.pointer()+"/"+f.member, quoted(f.key)+" is missing", "send a non-empty string")
	case v.id == "" && f.id:
		return newError(v.at.pointer()+"/"+f.member, quoted("id")+" is missing", "send a non-empty string")
	}
	return nil
}

func (v *part) entity() Entity { return Entity{Type: v.key, ID: v.id, Properties: v.properties} }

func (v *part) toAction() Action { return Action{Name: v.key, Properties: v.properties} }
