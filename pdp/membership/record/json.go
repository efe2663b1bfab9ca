package record

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// Errors of any [Tokenizer].
var (
	ErrEmpty    = errors.New("the document is empty")
	ErrTrailing = errors.New("more follows after the document")
)

// jsonTokens reads JSON (RFC 8259). It allows duplicate names, because the reader finds them for every format.
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

func (j *jsonTokens) Next() (Token, error) {
	t, err := j.read()
	switch {
	case err == io.EOF && j.ended:
		return Token{}, io.EOF
	case err == io.EOF:
		return Token{}, ErrEmpty
	case err != nil:
		return Token{}, j.locate(err)
	case j.ended:
		return Token{}, ErrTrailing
	}
	j.ended = j.depth == 0
	return t, nil
}

func (j *jsonTokens) read() (Token, error) {
	switch j.in.PeekKind() {
	case '"':
		raw, err := j.in.ReadValue()
		if err != nil {
			return Token{}, err
		}
		return Token{Kind: KindText, Text: j.unquote(raw)}, nil
	case '0':
		raw, err := j.in.ReadValue()
		return Token{Kind: KindNumber, Text: string(raw)}, err
	}
	t, err := j.in.ReadToken()
	if err != nil {
		return Token{}, err
	}
	switch t.Kind() {
	case '{':
		j.depth++
		return Token{Kind: KindObject}, nil
	case '[':
		j.depth++
		return Token{Kind: KindArray}, nil
	case '}', ']':
		j.depth--
		return Token{Kind: KindEnd}, nil
	case 't', 'f':
		return Token{Kind: KindBoolean, Text: t.String()}, nil
	}
	return Token{Kind: KindNull}, nil
}

func (j *jsonTokens) unquote(raw []byte) string {
	inner := raw[1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return j.known.text(inner)
	}
	// AppendUnquote cannot fail, because the decoder has just read the value.
	plain, _ := jsontext.AppendUnquote(nil, raw)
	return string(plain)
}

var jsonPhrases = []string{
	"unexpected EOF", "invalid character", "invalid UTF-8", "invalid surrogate pair", "invalid escape sequence",
	"object member name must be a string", "missing value after object name", "mismatching structural token",
	"exceeded max depth",
}

// JSONErrorText returns the text of an error of package jsontext without anything that it quotes from the document.
func JSONErrorText(err error) string {
	return SafePhrase(err.Error(), jsonPhrases, "not well-formed JSON")
}

// locate returns an error with the line and column where a document cannot be read. It does not quote the document.
func (j *jsonTokens) locate(err error) error {
	at := int(j.in.InputOffset())
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		at, err = int(syntax.ByteOffset), syntax.Err
	}
	before := j.data[:min(at, len(j.data))]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return fmt.Errorf("line %d, column %d: %s", line, column, JSONErrorText(err))
}

// interned keeps one copy of each word that occurs in many records.
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
