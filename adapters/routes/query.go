package routes

import (
	"net/http"
	"strings"
	"unicode/utf8"
)

// parameter returns the value of a query parameter; ok is false if the query does not have it. A second one is an error, and
// so is one that only some programs take for it. The query must have passed [checkQuery].
func parameter(query, name string) (value string, ok bool, err error) {
	for pair := range strings.SplitSeq(query, "&") {
		rawKey, rawValue, _ := strings.Cut(pair, "=")
		if !sameParameter(decodeParameter(rawKey), name) {
			continue
		}
		switch {
		case ok:
			return "", false, badRequest("The query parameter " + name + " is there twice: send it once.")
		case decodeParameter(rawKey) != name || strings.Contains(rawKey, "+"):
			return "", false, badRequest("The query parameter " + name + " is there in another spelling: send it as " + name + ".")
		case strings.Contains(rawValue, "+"):
			return "", false, badRequest("The query parameter " + name + " has a plus sign: send %20 for a space or %2B for a plus sign.")
		case rawValue == "":
			return "", false, badRequest("The query parameter " + name + " is empty: send a value, or leave it out.")
		}
		value, ok = decodeParameter(rawValue), true
	}
	return value, ok, nil
}

// checkQuery refuses a query that programs could read in different ways.
func checkQuery(query string) error {
	if strings.Contains(query, ";") {
		return badRequest("The query has a semicolon: programs disagree on whether a parameter begins there. Send %3B.")
	}
	decoded := query
	if strings.Contains(query, "%") {
		var ok bool
		if decoded, ok = unescape(query); !ok {
			return badRequest("The query has a percent sign without two hexadecimal digits after it: encode characters as %XX.")
		}
	}
	if !utf8.ValidString(decoded) {
		return badRequest("The query is not valid UTF-8 after decoding: percent-encode characters as UTF-8.")
	}
	if hasControl(decoded) {
		return badRequest("The query has an encoded control character.")
	}
	return nil
}

// checkNoForm refuses a form beside a drawn query parameter: many frameworks merge form fields with query parameters,
// whatever the method.
func checkNoForm(header http.Header) error {
	contentType, _, err := one(header, "Content-Type")
	if err != nil {
		return err
	}
	contentType = strings.ToLower(strings.TrimLeft(contentType, " \t"))
	if strings.HasPrefix(contentType, "application/x-www-form-urlencoded") || strings.HasPrefix(contentType, "multipart/") {
		return badRequest("The request has a form, whose fields some programs take for parameters of the query: send them in one place.")
	}
	return nil
}

// checkMembers refuses a JSON body with a member that is named like a drawn query parameter: some frameworks merge those too.
func checkMembers(body any, drawn []string) error {
	members, _ := body.(map[string]any)
	for member := range members {
		for _, name := range drawn {
			if sameParameter(member, name) {
				return badRequest("The body has a member with the name of the query parameter " + name + ": send one of them.")
			}
		}
	}
	return nil
}

// overridesMethod reports whether the query has a parameter with which some frameworks override the method of the request.
func overridesMethod(query string) bool {
	if query == "" {
		return false
	}
	for pair := range strings.FieldsFuncSeq(query, func(r rune) bool { return r == '&' || r == ';' }) {
		name, _, _ := strings.Cut(pair, "=")
		if len(name) >= len(methodParameter) && sameParameter(decodeParameter(name), methodParameter) {
			return true
		}
	}
	return false
}

const methodParameter = "_method"

// decodeParameter decodes a name or a value of a query. If a percent-encoding is invalid, it decodes only plus signs.
func decodeParameter(s string) string {
	if strings.Contains(s, "+") {
		s = strings.ReplaceAll(s, "+", " ")
	}
	if !strings.Contains(s, "%") {
		return s
	}
	if decoded, ok := unescape(s); ok {
		return decoded
	}
	return s
}

// sameParameter reports whether some program takes the parameter received for name: ignoring case; with PHP's underscore for
// a dot, a space or a bracket; as an array or an object (name[], name[x], [name]); or with spaces around it.
func sameParameter(received, name string) bool {
	received = strings.Trim(received, " ")
	if equalParameters(received, name) {
		return true
	}
	received = strings.TrimLeft(received, "[ ")
	bracket := strings.IndexAny(received, "[]\x00")
	return bracket > 0 && equalParameters(received[:bracket], name)
}

func equalParameters(a, b string) bool {
	if len(a) == len(b) {
		same := true
		for i := 0; i < len(a) && same; i++ {
			same = foldParameter(a[i]) == foldParameter(b[i])
		}
		if same {
			return true
		}
	}
	return !isASCII(a) && strings.EqualFold(a, b)
}

func foldParameter(c byte) byte {
	switch {
	case c >= 'A' && c <= 'Z':
		return c + 'a' - 'A'
	case c == '.', c == ' ', c == '[', c == '+':
		return '_'
	}
	return c
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
