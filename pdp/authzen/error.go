package authzen

import (
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Error describes a malformed message. Its text is one sentence that may be sent to the client.
type Error struct {
	Pointer string // location as a JSON pointer (RFC 6901); "" if it is the whole message or unknown
	Message string // the sentence, location included
}

func (e *Error) Error() string { return e.Message }

// newError returns the error "problem at pointer: advice."
func newError(pointer, problem, advice string) error {
	return &Error{Pointer: pointer, Message: problem + location(pointer) + ": " + advice + "."}
}

// location describes a JSON pointer. Pointers contain member names that the sender chose, so the text is truncated and
// control characters are replaced.
func location(pointer string) string {
	if pointer == "" {
		return " at the top level"
	}
	const most = 128
	if len(pointer) > most {
		cut := most
		for !utf8.RuneStart(pointer[cut]) {
			cut--
		}
		pointer = pointer[:cut] + "..."
	}
	return " at " + strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return utf8.RuneError
		}
		return r
	}, pointer)
}

// syntaxError translates an error of jsontext, whose wording is neither stable nor meant for clients.
func (p *parser) syntaxError(err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if len(p.body) == 0 {
		return &Error{Message: "The body is empty: send one JSON object."}
	}
	if !utf8.Valid(p.body) {
		return &Error{Message: "The body is not valid UTF-8: send JSON encoded as UTF-8."}
	}
	var pointer string
	var offset int64
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		pointer, offset = string(e.JSONPointer), e.ByteOffset
	}
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return newError(pointer, "A member appears twice", "send each member of an object once")
	case errors.Is(err, jsontext.ErrNonStringName):
		return newError(pointer, "A member name is not a string", "put every member name in double quotes")
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return &Error{Pointer: pointer, Message: "The body ends before its JSON is complete: send the whole object."}
	case p.escapeAt(offset):
		return newError(pointer, "A string has an invalid escape sequence",
			"send surrogates in pairs, and only the escapes that JSON defines")
	}
	return newError(pointer, "The body is not valid JSON near byte "+strconv.FormatInt(offset, 10), "send one well-formed JSON object")
}

// escapeAt reports whether an escape sequence starts at offset. jsontext has no error of its own for invalid escapes.
func (p *parser) escapeAt(offset int64) bool {
	return offset >= 0 && offset < int64(len(p.body)) && p.body[offset] == '\\'
}
