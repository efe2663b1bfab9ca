package authzen

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// maxEncodeDepth stops the encoding of a value that contains itself. It is far above MaxDepth.
const maxEncodeDepth = 1000

// AppendString appends s as a JSON string. Invalid UTF-8 becomes U+FFFD. Unlike encoding/json, it does not escape HTML.
func AppendString(dst []byte, s string) []byte {
	dst, _ = jsontext.AppendQuote(dst, s) // the only possible error is invalid UTF-8, which is replaced anyway
	return dst
}

// AppendValue appends v as JSON, as encoding/json does but without HTML escaping. Members of maps are sorted. Values of
// the types that this package decodes to are encoded without reflection.
func AppendValue(dst []byte, v any) ([]byte, error) { return appendValue(dst, v, 0) }

func appendValue(dst []byte, v any, depth int) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case bool:
		return strconv.AppendBool(dst, v), nil
	case string:
		return AppendString(dst, v), nil
	case int:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case map[string]any:
		if v == nil {
			return append(dst, "null"...), nil
		}
		return appendObject(dst, v, depth+1)
	case []any:
		if v == nil {
			return append(dst, "null"...), nil
		}
		return appendArray(dst, v, depth+1)
	}
	// A json.Number is encoded here as well: encoding/json checks that it is a valid number.
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return dst, err
	}
	return append(dst, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...), nil
}

func appendObject(dst []byte, m map[string]any, depth int) (_ []byte, err error) {
	if depth > maxEncodeDepth {
		return dst, fmt.Errorf("authzen: a value is more than %d levels deep", maxEncodeDepth)
	}
	var few [8]string // enough for most
	names := few[:0]
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	dst = append(dst, '{')
	for i, name := range names {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(AppendString(dst, name), ':')
		if dst, err = appendValue(dst, m[name], depth); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

func appendArray(dst []byte, a []any, depth int) (_ []byte, err error) {
	if depth > maxEncodeDepth {
		return dst, fmt.Errorf("authzen: a value is more than %d levels deep", maxEncodeDepth)
	}
	dst = append(dst, '[')
	for i, v := range a {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = appendValue(dst, v, depth); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

// ObjectWriter appends the members of a JSON object to a buffer, in the order in which they are added.
type ObjectWriter struct {
	Buf     []byte
	Err     error // the first encoding error; later members are dropped
	members int
}

// Name appends a member name. The caller appends the value to Buf.
func (w *ObjectWriter) Name(name string) {
	c := byte(',')
	if w.members == 0 {
		c = '{'
	}
	w.members++
	w.Buf = append(AppendString(append(w.Buf, c), name), ':')
}

// Value appends a member with its value.
func (w *ObjectWriter) Value(name string, v any) {
	if w.Err == nil {
		w.Name(name)
		w.Buf, w.Err = AppendValue(w.Buf, v)
	}
}

// Empty reports whether no member has been added.
func (w *ObjectWriter) Empty() bool { return w.members == 0 }

// Close appends the end of the object and returns the buffer.
func (w *ObjectWriter) Close() ([]byte, error) {
	if w.members == 0 {
		w.Buf = append(w.Buf, '{')
	}
	return append(w.Buf, '}'), w.Err
}
