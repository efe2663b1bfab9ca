package membership

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// jsonTokens reads JSON (RFC 8259). Duplicate names are let through: they are found behind the tokens, for both formats.
type jsonTokens struct {
	data  []byte
	in    *jsontext.Decoder
	known *interned
	depth int
	ended bool
}

func newJSONTokens(data []byte, known *interned) *jsonTokens {
	return &jsonTokens{
		data:  data,
		in:    jsontext.NewDecoder(bytes.NewBuffer(data), jsontext.AllowDuplicateNames(true)),
		known: known,
	}
}

func (j *jsonTokens) next() (token, error) {
	t, err := j.read()
	switch {
	case err == io.EOF && j.ended:
		return token{}, io.EOF
	case err == io.EOF:
		return token{}, errEmpty
	case err != nil:
		return token{}, j.locate(err)
	case j.ended:
		return token{}, errTrailing
	}
	j.ended = j.depth == 0
	return t, nil
}

func (j *jsonTokens) read() (token, error) {
	switch j.in.PeekKind() {
	case '"':
		raw, err := j.in.ReadValue()
		if err != nil {
			return token{}, err
		}
		return token{kind: kindText, text: j.unquote(raw)}, nil
	case '0':
		raw, err := j.in.ReadValue()
		return token{kind: kindNumber, text: string(raw)}, err
	}
	t, err := j.in.ReadToken()
	if err != nil {
		return token{}, err
	}
	switch t.Kind() {
	case '{':
		j.depth++
		return token{kind: kindObject}, nil
	case '[':
		j.depth++
		return token{kind: kindArray}, nil
	case '}', ']':
		j.depth--
		return token{kind: kindEnd}, nil
	case 't', 'f':
		return token{kind: kindBoolean, text: t.String()}, nil
	}
	return token{kind: kindNull}, nil
}

func (j *jsonTokens) unquote(raw []byte) string {
	inner := raw[1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return j.known.text(inner)
	}
	// The decoder has just read this value, so that it cannot fail.
	plain, _ := jsontext.AppendUnquote(nil, raw)
	return string(plain)
}

var jsonPhrases = []string{
	"unexpected EOF", "invalid character", "invalid UTF-8", "invalid surrogate pair", "invalid escape sequence",
	"object member name must be a string", "missing value after object name", "mismatching structural token",
	"exceeded max depth",
}

// locate says where a document cannot be read, by line and column, and nothing of what stands there.
func (j *jsonTokens) locate(err error) error {
	at := int(j.in.InputOffset())
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		at, err = int(syntax.ByteOffset), syntax.Err
	}
	before := j.data[:min(at, len(j.data))]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return fmt.Errorf("line %d, column %d: %s", line, column, phrase(err.Error(), jsonPhrases, "not well-formed JSON"))
}

// interned keeps one copy of the words that every record repeats.
type interned struct {
	words map[string]string
}

const longestWord = 32

func newInterned(words ...string) *interned {
	in := &interned{words: make(map[string]string, len(words))}
	for _, w := range words {
		in.words[w] = w
	}
	return in
}

func (in *interned) text(b []byte) string {
	if len(b) <= longestWord {
		if w, ok := in.words[string(b)]; ok {
			return w
		}
	}
	return string(b)
}
