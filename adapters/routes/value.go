package routes

import (
	"encoding/json"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// source says where a value comes from.
type source string

const (
	fromFile   source = "" // a literal
	fromPath   source = "path"
	fromQuery  source = "query"
	fromHeader source = "header"
	fromClaim  source = "claim"
	fromBody   source = "body"
)

// sources are the keys of a reference.
var sources = []source{fromPath, fromQuery, fromHeader, fromClaim, fromBody}

// value is a literal or a reference.
type value struct {
	source   source
	literal  any
	name     string   // of the parameter, header or claim, or the JSON pointer
	pointer  []string // the decoded tokens of the JSON pointer
	segment  int      // of the template, for a path parameter
	optional bool
}

// form constrains a value.
type form uint8

const (
	anyForm     form = iota // any JSON value
	textForm                // not empty, without control characters and spaces around; a whole number counts as its digits
	booleanForm             // true or false, also as text
)

// member is a named value.
type member struct {
	name  string
	value *value
}

// convert returns a drawn value in the form that its place needs. problem says what is wrong with the value, or is "".
func (f form) convert(v any) (converted any, problem string) {
	switch f {
	case textForm:
		text, ok := textOf(v)
		switch {
		case !ok:
			return nil, "is not a text"
		case text == "":
			return nil, "is empty"
		case len(text) > authzen.MaxName:
			return nil, "is longer than " + strconv.Itoa(authzen.MaxName) + " bytes"
		case hasControl(text):
			return nil, "has control characters"
		case strings.TrimFunc(text, isInvisible) != text: // many frameworks trim what they receive
			return nil, "has spaces around it"
		}
		return text, ""
	case booleanForm:
		switch v {
		case true, "true":
			return true, ""
		case false, "false":
			return false, ""
		}
		return nil, "is neither true nor false"
	}
	if !isExact(v) {
		return nil, "has a number that programs round in different ways"
	}
	return v, ""
}

// isExact reports whether every number in a value keeps its digits as a 64-bit float, which many programs make of it.
func isExact(v any) bool {
	switch v := v.(type) {
	case json.Number:
		float, err := v.Float64()
		if err != nil || float == 0 {
			return err == nil
		}
		written, ok := new(big.Rat).SetString(v.String())
		kept, _ := new(big.Rat).SetString(strconv.FormatFloat(float, 'g', -1, 64))
		return ok && written.Cmp(kept) == 0
	case []any:
		for _, element := range v {
			if !isExact(element) {
				return false
			}
		}
	case map[string]any:
		for _, member := range v {
			if !isExact(member) {
				return false
			}
		}
	}
	return true
}

// isInvisible reports whether r is a space or an invisible format character, such as U+200B.
func isInvisible(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) }

// textOf returns a text, or the digits of a whole number that every program reads alike.
func textOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		n, err := strconv.ParseInt(v.String(), 10, 64)
		return v.String(), err == nil && n > -1<<53 && n < 1<<53 && strconv.FormatInt(n, 10) == v.String()
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), v == math.Trunc(v) && math.Abs(v) < 1<<53
	case int:
		return strconv.Itoa(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	}
	return "", false
}

// hasControl reports whether s has a control character (C0, DEL or C1) or is not valid UTF-8.
func hasControl(s string) bool {
	for _, r := range s {
		if r < 0x20 || r >= 0x7f && r < 0xa0 {
			return true
		}
	}
	return !utf8.ValidString(s)
}
