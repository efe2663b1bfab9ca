package authzen

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// maxEncodeDepth stops a value that contains itself. It is far above what can be decoded.
const maxEncodeDepth = 1000

// AppendString appends a string as JSON. Invalid UTF-8 becomes U+FFFD; nothing is escaped for HTML.
func AppendString(dst []byte, s string) []byte {
	dst, _ = jsontext.AppendQuote(dst, s) // its only error is the invalid UTF-8 that it has already replaced
	return dst
}

// AppendValue appends a value as JSON, as encoding/json would but for HTML escaping, with members sorted. Values as
// decoded here are written without reflection.
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
	// A json.Number comes here too: encoding/json checks that it is one.
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
	dst = append(dst, '{')
	for i, name := range slices.Sorted(maps.Keys(m)) {
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
