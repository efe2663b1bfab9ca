package authzen

import "strconv"

// place is where a question's parts are in the message: an index into evaluations, or the top level.
type place int

const top place = -1

func (at place) pointer() string {
	if at == top {
		return ""
	}
	return "/evaluations/" + strconv.Itoa(int(at))
}

// form says how a part is to be read.
type form struct {
	member string // its own name: subject, action, resource
	key    string // its first member: type or name
	id     bool   // whether its id counts
}

var (
	subjectForm  = form{"subject", "type", true}
	actionForm   = form{"action", "name", false}
	resourceForm = form{"resource", "type", true}
)

// part is a subject, action or resource as it was sent. That it is malformed matters only where it is used: a default
// may be incomplete when every item brings its own.
type part struct {
	sent       bool
	at         place
	key, id    string
	properties map[string]any
	err        error // the first fault
}

// question is an evaluation as it was sent, at the top level or in an item.
type question struct {
	at                        place
	subject, action, resource part
	context                   map[string]any
	contextErr                error
}

// member reads a member of an evaluation, and passes over one that it does not know.
func (q *question) member(p *parser, name string) (err error) {
	switch name {
	case "subject":
		q.subject, err = p.part(subjectForm, q.at)
	case "action":
		q.action, err = p.part(actionForm, q.at)
	case "resource":
		q.resource, err = p.part(resourceForm, q.at)
	case "context":
		q.context, err = p.free(q.at.pointer, "context", &q.contextErr)
	default:
		err = p.skip()
	}
	return err
}

// part reads a subject, action or resource. The error is about the message; what is wrong with the part is in the part.
func (p *parser) part(f form, at place) (part, error) {
	switch p.dec.PeekKind() {
	case 'n':
		return part{}, p.skip()
	case '{', 0:
	default:
		return part{sent: true, err: fail(at.pointer(), quoted(f.member)+" is not an object", "send an object")}, p.skip()
	}
	v := part{sent: true, at: at}
	pointer := func() string { return at.pointer() + "/" + f.member }
	err := p.object(func(name string) (err error) {
		switch {
		case name == f.key:
			v.key, err = p.text(pointer, name, &v.err)
		case name == "id" && f.id:
			v.id, err = p.text(pointer, name, &v.err)
		case name == "properties":
			v.properties, err = p.free(pointer, name, &v.err)
		default:
			err = p.skip()
		}
		return err
	})
	return v, err
}

// text reads a type, an id or a name; null is "". The first fault goes to fault.
func (p *parser) text(pointer func() string, name string, fault *error) (string, error) {
	var wrong, advice string
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
			wrong, advice = " is empty", "send a non-empty string"
		case len(s) > MaxName:
			wrong, advice = " is too long", "send at most "+strconv.Itoa(MaxName)+" bytes"
		case hasControl(s):
			wrong, advice = " has control characters", "send printable text"
		default:
			return s, nil
		}
	default:
		if err := p.skip(); err != nil {
			return "", err
		}
		wrong, advice = " is not a string", "send a non-empty string"
	}
	if *fault == nil {
		*fault = fail(pointer(), quoted(name)+wrong, advice)
	}
	return "", nil
}

// free reads an object that is kept as sent; null is nil. The first fault goes to fault.
func (p *parser) free(pointer func() string, name string, fault *error) (map[string]any, error) {
	switch p.dec.PeekKind() {
	case 'n':
		return nil, p.skip()
	case '{', 0:
	default:
		if *fault == nil {
			*fault = fail(pointer(), quoted(name)+" is not an object", "send an object, or leave it out")
		}
		return nil, p.skip()
	}
	v, err := p.value()
	m, _ := v.(map[string]any)
	return m, err
}

// hasControl finds the control characters of C0, C1, and DEL in valid UTF-8.
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

// check says what is wrong with a part, or what it lacks. missingAt is the question that it is for.
func (v *part) check(f form, missingAt place) error {
	switch {
	case !v.sent:
		return fail(missingAt.pointer(), quoted(f.member)+" is missing", "send an object")
	case v.err != nil:
		return v.err
	case v.key == "":
		return fail(v.at.pointer()+"/"+f.member, quoted(f.key)+" is missing", "send a non-empty string")
	case v.id == "" && f.id:
		return fail(v.at.pointer()+"/"+f.member, quoted("id")+" is missing", "send a non-empty string")
	}
	return nil
}

func (v *part) entity() Entity { return Entity{Type: v.key, ID: v.id, Properties: v.properties} }

func (v *part) asAction() Action { return Action{Name: v.key, Properties: v.properties} }
