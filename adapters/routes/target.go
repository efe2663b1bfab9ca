package routes

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxTarget is the maximum length of a request target in bytes.
const maxTarget = 8 << 10

// target is a request target in canonical form.
type target struct {
	path  string // decoded: slashes only separate segments; no backslash, percent sign, semicolon, question mark or number sign
	query string // as received, without the question mark
}

// parseTarget returns the canonical form of a request target as received, or an [*Error] if programs could read the target in
// different ways.
func parseTarget(raw string) (target, error) {
	switch {
	case len(raw) > maxTarget:
		return target{}, badRequest("The request target is too long: send at most 8 KiB.")
	case raw == "" || raw[0] != '/':
		return target{}, badRequest("The request target is not a path: send it in origin form, beginning with a slash.")
	}
	for i := range len(raw) {
		switch c := raw[i]; {
		case c <= ' ' || c >= 0x7f:
			return target{}, badRequest("The request target has a space, a control character or a character outside ASCII: percent-encode it as UTF-8.")
		case c == '#':
			return target{}, badRequest("The request target has a fragment: leave it out.")
		}
	}
	path, query, _ := strings.Cut(raw, "?")
	decoded, err := decodePath(path)
	if err != nil {
		return target{}, err
	}
	if err := checkSegments(decoded); err != nil {
		return target{}, err
	}
	return target{decoded, query}, nil
}

// decodePath decodes the percent-encoded characters of a path. It allocates only if there are any.
func decodePath(path string) (string, error) {
	encoded := 0
	for i := range len(path) {
		switch c := path[i]; {
		case c == '%':
			encoded++
		case c != '/' && !rawInPath(c):
			return "", badRequest(rawProblem(c))
		}
	}
	if encoded == 0 {
		return path, nil
	}
	decoded, ok := unescape(path)
	if !ok {
		return "", badRequest("The path has a percent sign without two hexadecimal digits after it: encode characters as %XX.")
	}
	for i := range len(path) {
		if path[i] == '%' && strings.IndexByte(`/\%;?#`, hexByte(path[i+1:])) >= 0 {
			return "", badRequest("The path has an encoded slash, backslash, percent sign, semicolon, question mark or number sign: " +
				"programs read it in different ways.")
		}
	}
	if !utf8.ValidString(decoded) {
		return "", badRequest("The path is not valid UTF-8 after decoding: percent-encode characters as UTF-8.")
	}
	return decoded, nil
}

// rawInPath reports whether a path may contain c unencoded: RFC 3986 section 3.3, without the semicolon.
func rawInPath(c byte) bool {
	return isUnreserved(c) || strings.IndexByte("!$&'()*+,=:@", c) >= 0
}

func isUnreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

func rawProblem(c byte) string {
	switch c {
	case ';':
		return "The path has a semicolon: programs disagree on whether a parameter begins there."
	case '\\':
		return "The path has a backslash: programs disagree on whether it is a slash."
	}
	return "The path has a character that must be percent-encoded there."
}

// checkSegments refuses segments that some programs skip, resolve or shorten, and characters that some take for others.
func checkSegments(path string) error {
	for i, r := range path {
		switch {
		case r == '/':
			if strings.HasPrefix(path[i+1:], "/") {
				return badRequest("The path has an empty segment (//): send single slashes.")
			}
			segment := path[:i]
			if err := checkSegment(segment[strings.LastIndexByte(segment, '/')+1:]); err != nil {
				return err
			}
		case r < utf8.RuneSelf && (r < ' ' || r == 0x7f):
			return badRequest("The path has an encoded control character.")
		case r >= utf8.RuneSelf && (unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp) || isLookalike(r)):
			return badRequest("The path has a character that some programs convert to a slash, a dot or another delimiter, or to a line break.")
		}
	}
	return checkSegment(path[strings.LastIndexByte(path, '/')+1:])
}

func checkSegment(segment string) error {
	switch {
	case segment == "":
		return nil
	case segment == "." || segment == "..":
		return badRequest("The path has a dot segment: send the path that is meant.")
	}
	switch segment[len(segment)-1] {
	case '.', ' ':
		return badRequest("A segment of the path ends with a dot or a space: some programs drop it.")
	}
	return nil
}

// isLookalike reports whether compatibility normalization (NFKC), which some programs apply to paths, turns r into text with a
// delimiter of paths.
func isLookalike(r rune) bool {
	switch r {
	case 0x037e, 0x2024, 0x2025, 0x2026, 0x2047, 0x2048, 0x2049, 0x2100, 0x2101, 0x2105, 0x2106, 0x33c2, 0x33c7, 0x33d8,
		0xfe16, 0xfe14, 0xfe19, 0xfe30, 0xfe52, 0xfe54, 0xfe56, 0xfe5f, 0xfe68, 0xfe6a, 0xff03, 0xff05, 0xff0e, 0xff0f, 0xff1b, 0xff1f, 0xff3c,
		0x1f100:
		return true
	}
	return r >= 0x2488 && r <= 0x249b
}

// canonicalPath encodes a decoded path, in one spelling for all paths that mean the same.
func canonicalPath(path string) string {
	for i := range len(path) {
		if c := path[i]; c != '/' && !rawInPath(c) {
			return escapePath(path)
		}
	}
	return path
}

func escapePath(path string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(path) {
		if c := path[i]; c == '/' || rawInPath(c) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return b.String()
}

// unescape decodes %XX; ok is false if a percent sign is not followed by two hexadecimal digits.
func unescape(s string) (decoded string, ok bool) {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b = append(b, s[i])
			continue
		}
		if i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]) {
			return "", false
		}
		b = append(b, hexByte(s[i+1:]))
		i += 2
	}
	return string(b), true
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// hexByte returns the byte that the first two hexadecimal digits of s encode.
func hexByte(s string) byte { return hexDigit(s[0])<<4 | hexDigit(s[1]) }

func hexDigit(c byte) byte {
	if c >= 'a' {
		return c - 'a' + 10
	}
	if c >= 'A' {
		return c - 'A' + 10
	}
	return c - '0'
}
