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

// Error says what is wrong with a message, in one sentence that may be shown to whoever sent it.
type Error struct {
	Pointer string // where: a JSON pointer (RFC 6901), "" for the whole message or where it is not known
	Message string // what to do, the place included
}

func (e *Error) Error() string { return e.Message }

// fail makes the error "what at pointer: advice."
func fail(pointer, what, advice string) error {
	return &Error{Pointer: pointer, Message: what + at(pointer) + ": " + advice + "."}
}

// at words a place. A pointer holds member names of the sender's choice: it is cut, and made printable.
func at(pointer string) string {
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

// syntaxError translates an error of jsontext, whose wording is neither stable nor meant for callers.
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
		return fail(pointer, "A member is there twice", "send each member of an object once")
	case errors.Is(err, jsontext.ErrNonStringName):
		return fail(pointer, "A member name is not a string", "put every member name in double quotes")
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return &Error{Pointer: pointer, Message: "The body ends before its JSON is complete: send the whole object."}
	case p.escapeAt(offset):
		return fail(pointer, "A string has an invalid escape sequence",
			`send surrogates in pairs, and no other escapes than those of JSON`)
	}
	return fail(pointer, "The body is not valid JSON near byte "+strconv.FormatInt(offset, 10), "send one well-formed JSON object")
}

// escapeAt says whether the text at an offset is an escape sequence, which is then what was wrong there.
func (p *parser) escapeAt(offset int64) bool {
	return offset >= 0 && offset < int64(len(p.body)) && p.body[offset] == '\\'
}
