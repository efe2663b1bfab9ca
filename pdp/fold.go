package pdp

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Fold maps texts that differ in case alone to the same one. It is what lists are sorted by. Most texts are ASCII, where
// lower case is all that it takes.
func Fold(s string) string {
	upper := false
	for i := range len(s) {
		c := s[i]
		if c >= utf8.RuneSelf {
			return strings.Map(smallCherokee, cases.Fold().String(s))
		}
		upper = upper || 'A' <= c && c <= 'Z'
	}
	if !upper {
		return s
	}
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + ('a' - 'A')
		}
	}
	return string(b)
}

// smallCherokee makes one case of the two: [cases.Fold] gives each letter of Cherokee the other one.
func smallCherokee(r rune) rune {
	switch {
	case 0x13A0 <= r && r <= 0x13EF:
		return r - 0x13A0 + 0xAB70
	case 0x13F0 <= r && r <= 0x13F5:
		return r + 8
	}
	return r
}

// FoldCanonical maps texts that differ in case or in composition alone to the same one, in NFC. It is what usernames are
// compared by, and what the text of a list is looked for in.
func FoldCanonical(s string) string {
	return norm.NFC.String(Fold(norm.NFC.String(s)))
}

// IsUsername says whether a text can be somebody's username (DOMAIN.md section 1): nothing in it may be invisible, or two
// usernames could look the same.
func IsUsername(s string) bool {
	return s != "" && utf8.ValidString(s) && strings.TrimFunc(s, isSpace) == s && !strings.ContainsFunc(s, invisible)
}

func isSpace(r rune) bool { return unicode.Is(unicode.White_Space, r) }

// invisible matches controls, formats, and what has the property Default_Ignorable_Code_Point.
func invisible(r rune) bool {
	return r >= utf8.RuneSelf && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) ||
		r < ' ' || r == 0x7f
}
