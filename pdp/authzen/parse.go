package authzen

import (
	"bytes"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// maxNumber is the most characters a number may have. A longer one says nothing more to anybody, and is slow to compute with.
const maxNumber = 400

// ParseObject reads a body that is one JSON object, strictly: I-JSON (RFC 7493), at most [MaxDepth] deep, nothing behind
// it. Members are kept as sent, numbers as [encoding/json.Number]. Every error is an [*Error].
func ParseObject(body []byte) (map[string]any, error) {
	p := open(body)
	defer p.close()
	m := make(map[string]any)
	err := p.message(func(name string) error {
		v, err := p.value()
		m[name] = v
		return err
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// ParseValue reads any one JSON value, as strictly as [ParseObject]. Every error is an [*Error].
func ParseValue(body []byte) (any, error) {
	p := open(body)
	defer p.close()
	v, err := p.value()
	if err != nil {
		return nil, err
	}
	return v, p.nothingMore("value")
}

// parser reads one message. jsontext rejects duplicate names, invalid UTF-8 and unpaired surrogates; the depth and the
// size of numbers are ours.
type parser struct {
	body []byte
	src  bytes.Buffer
	dec  *jsontext.Decoder
	kept int // values that have been read and not passed over
}

// parsers saves the decoder's state, its stacks and name sets, from one message to the next.
var parsers = sync.Pool{New: func() any { return &parser{dec: new(jsontext.Decoder)} }}

// open begins a message. Nothing that is read from it refers to body afterwards.
func open(body []byte) *parser {
	p := parsers.Get().(*parser)
	p.body, p.kept = body, 0
	p.src = *bytes.NewBuffer(body)
	p.dec.Reset(&p.src)
	return p
}

func (p *parser) close() {
	p.body = nil
	p.src = bytes.Buffer{}
	p.dec.Reset(&p.src)
	parsers.Put(p)
}

// message reads the whole body: one object, and nothing behind it.
func (p *parser) message(member func(name string) error) error {
	switch p.dec.PeekKind() {
	case '{', 0:
	default:
		if err := p.skip(); err != nil {
			return err
		}
		return &Error{Message: "The body is not a JSON object: send one JSON object."}
	}
	if err := p.object(member); err != nil {
		return err
	}
	return p.nothingMore("object")
}

// nothingMore refuses what stands behind the value that the body is.
func (p *parser) nothingMore(kind string) error {
	if _, err := p.dec.ReadToken(); err != io.EOF {
		return &Error{Message: "The body goes on after its JSON " + kind + ": send one JSON " + kind + " and nothing else."}
	}
	return nil
}

// object reads an object. member reads the value of the member that it is given.
func (p *parser) object(member func(name string) error) error {
	if err := p.begin(); err != nil {
		return err
	}
	for p.dec.PeekKind() != '}' {
		name, err := p.name()
		if err != nil {
			return err
		}
		if err := member(name); err != nil {
			return err
		}
	}
	return p.end()
}

// array reads an array. element reads the element with the index that it is given.
func (p *parser) array(element func(i int) error) error {
	if err := p.begin(); err != nil {
		return err
	}
	for i := 0; p.dec.PeekKind() != ']'; i++ {
		if p.dec.PeekKind() == 0 { // the next read would say what is wrong, but element may not read first
			return p.skip()
		}
		if err := element(i); err != nil {
			return err
		}
	}
	return p.end()
}

// begin reads the start of an object or array.
func (p *parser) begin() error {
	if _, err := p.dec.ReadToken(); err != nil {
		return p.syntaxError(err)
	}
	return p.checkDepth()
}

func (p *parser) end() error {
	if _, err := p.dec.ReadToken(); err != nil {
		return p.syntaxError(err)
	}
	return nil
}

func (p *parser) checkDepth() error {
	if p.dec.StackDepth() > MaxDepth {
		return fail(string(p.dec.StackPointer()), "The JSON is too deep", "nest objects and arrays at most "+strconv.Itoa(MaxDepth)+" levels")
	}
	return nil
}

// name reads a member name. The protocol's own names cost no allocation.
func (p *parser) name() (string, error) {
	raw, err := p.dec.ReadValue()
	if err != nil {
		return "", p.syntaxError(err)
	}
	if bytes.IndexByte(raw, '\\') >= 0 {
		b, err := jsontext.AppendUnquote(nil, raw)
		if err != nil {
			return "", p.syntaxError(err)
		}
		return string(b), nil
	}
	switch s := raw[1 : len(raw)-1]; string(s) {
	case "subject":
		return "subject", nil
	case "action":
		return "action", nil
	case "resource":
		return "resource", nil
	case "context":
		return "context", nil
	case "type":
		return "type", nil
	case "id":
		return "id", nil
	case "name":
		return "name", nil
	case "properties":
		return "properties", nil
	case "location":
		return "location", nil
	case "current_location":
		return "current_location", nil
	default:
		return string(s), nil
	}
}

// value reads any value.
func (p *parser) value() (any, error) {
	if p.kept++; p.kept > MaxValues {
		return nil, &Error{Message: "The body has too many values: send at most " + strconv.Itoa(MaxValues) + " in a request."}
	}
	switch p.dec.PeekKind() {
	case '{':
		m := make(map[string]any)
		err := p.object(func(name string) error {
			v, err := p.value()
			m[name] = v
			return err
		})
		return m, err
	case '[':
		a := []any{}
		err := p.array(func(int) error {
			v, err := p.value()
			a = append(a, v)
			return err
		})
		return a, err
	}
	tok, err := p.dec.ReadToken()
	if err != nil {
		return nil, p.syntaxError(err)
	}
	switch tok.Kind() {
	case '"':
		return tok.String(), nil
	case '0':
		return p.number(tok.String())
	case 't':
		return true, nil
	case 'f':
		return false, nil
	default:
		return nil, nil
	}
}

// number refuses what no double can hold (RFC 7493, section 2.2): 1e1000000000 is short to send and ruinous to compute.
func (p *parser) number(text string) (json.Number, error) {
	if len(text) <= maxNumber {
		f, err := strconv.ParseFloat(text, 64)
		mantissa, _, _ := strings.Cut(strings.ToLower(text), "e")
		if err == nil && (f != 0 || !strings.ContainsAny(mantissa, "123456789")) {
			return json.Number(text), nil
		}
	}
	return "", fail(string(p.dec.StackPointer()), "A number is out of range", "send numbers that a 64-bit float can hold")
}

// skip reads a value and forgets it.
func (p *parser) skip() error {
	depth := p.dec.StackDepth()
	for {
		if _, err := p.dec.ReadToken(); err != nil {
			return p.syntaxError(err)
		}
		if p.dec.StackDepth() <= depth {
			return nil
		}
		if err := p.checkDepth(); err != nil {
			return err
		}
	}
}
