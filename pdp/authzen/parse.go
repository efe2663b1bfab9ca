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

// maxNumber is the maximum length of a number in bytes. A longer number adds no precision and is slow to compute with.
const maxNumber = 400

// ParseObject parses a body that is one JSON object. It is strict: I-JSON (RFC 7493), nested at most [MaxDepth] levels,
// and no trailing data. Numbers become [encoding/json.Number]. Every error is an [*Error].
func ParseObject(body []byte) (map[string]any, error) {
	p := newParser(body)
	defer p.release()
	m := make(map[string]any)
	err := p.topLevelObject(func(name string) error {
		v, err := p.value()
		m[name] = v
		return err
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// ParseValue parses a body that is one JSON value of any kind, as strictly as [ParseObject]. Every error is an [*Error].
func ParseValue(body []byte) (any, error) {
	p := newParser(body)
	defer p.release()
	v, err := p.value()
	if err != nil {
		return nil, err
	}
	return v, p.expectEnd("value")
}

// parser parses one body. jsontext rejects duplicate names, invalid UTF-8 and unpaired surrogates; the parser adds the
// limits on nesting, numbers and the count of values.
type parser struct {
	body   []byte
	src    bytes.Buffer
	dec    *jsontext.Decoder
	values int // values decoded so far; skipped ones do not count
}

// parsers reuses the decoders' stacks and name sets.
var parsers = sync.Pool{New: func() any { return &parser{dec: new(jsontext.Decoder)} }}

// newParser returns a parser for body. Decoded values do not refer to body, so the caller may reuse it.
func newParser(body []byte) *parser {
	p := parsers.Get().(*parser)
	p.body, p.values = body, 0
	p.src = *bytes.NewBuffer(body)
	p.dec.Reset(&p.src)
	return p
}

func (p *parser) release() {
	p.body = nil
	p.src = bytes.Buffer{}
	p.dec.Reset(&p.src)
	parsers.Put(p)
}

// topLevelObject parses the whole body, which must be one object.
func (p *parser) topLevelObject(member func(name string) error) error {
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
	return p.expectEnd("object")
}

// expectEnd fails if data follows the top-level value.
func (p *parser) expectEnd(kind string) error {
	if _, err := p.dec.ReadToken(); err != io.EOF {
		return &Error{Message: "The body continues after its JSON " + kind + ": send one JSON " + kind + " and nothing else."}
	}
	return nil
}

// object parses an object. It calls member for each name; member must consume the value.
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

// array parses an array. It calls element for each index; element must consume the value.
func (p *parser) array(element func(i int) error) error {
	if err := p.begin(); err != nil {
		return err
	}
	for i := 0; p.dec.PeekKind() != ']'; i++ {
		if p.dec.PeekKind() == 0 { // a syntax error: skip reports it, while element might not read at all
			return p.skip()
		}
		if err := element(i); err != nil {
			return err
		}
	}
	return p.end()
}

// begin consumes the start of an object or array.
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
		return newError(string(p.dec.StackPointer()), "The JSON is nested too deeply", "nest objects and arrays at most "+strconv.Itoa(MaxDepth)+" levels")
	}
	return nil
}

// name parses a member name. The protocol's own names do not allocate.
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

// value parses a value of any kind.
func (p *parser) value() (any, error) {
	if p.values++; p.values > MaxValues {
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

// number rejects numbers that a float64 cannot hold (RFC 7493, section 2.2): 1e1000000000 is short to send and very
// expensive to compute with.
func (p *parser) number(text string) (json.Number, error) {
	if len(text) <= maxNumber {
		f, err := strconv.ParseFloat(text, 64)
		mantissa, _, _ := strings.Cut(strings.ToLower(text), "e")
		if err == nil && (f != 0 || !strings.ContainsAny(mantissa, "123456789")) {
			return json.Number(text), nil
		}
	}
	return "", newError(string(p.dec.StackPointer()), "A number is out of range", "send numbers that a 64-bit float can hold")
}

// skip consumes a value without keeping it, and checks its syntax and nesting.
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
