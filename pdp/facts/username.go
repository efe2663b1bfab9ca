package facts

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Fold maps strings that differ only in case to the same string. Lists are sorted by it.
func Fold(s string) string {
	// Most strings are ASCII, for which lower case is enough.
	upper := false
	for i := range len(s) {
		c := s[i]
		if c >= utf8.RuneSelf {
			return strings.Map(lowerCherokee, cases.Fold().String(s))
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

// lowerCherokee maps both cases of a Cherokee letter to one: [cases.Fold] swaps them.
func lowerCherokee(r rune) rune {
	switch {
	case 0x13A0 <= r && r <= 0x13EF:
		return r - 0x13A0 + 0xAB70
	case 0x13F0 <= r && r <= 0x13F5:
		return r + 8
	}
	return r
}

// FoldCanonical maps strings that differ only in case or in composition to the same string, in NFC. It is used to compare
// usernames, and to search for the text of a list query.
func FoldCanonical(s string) string {
	return norm.NFC.String(Fold(norm.NFC.String(s)))
}

// IsUsername reports whether a string can be a username (policies/DOMAIN.md section 1). Nothing in a username may be
// invisible, or two usernames could look the same.
func IsUsername(s string) bool {
	return s != "" && utf8.ValidString(s) && strings.TrimFunc(s, isSpace) == s && !strings.ContainsFunc(s, isInvisible)
}

func isSpace(r rune) bool { return unicode.Is(unicode.White_Space, r) }

// isInvisible reports whether r is a control or format character, or has the property Default_Ignorable_Code_Point.
func isInvisible(r rune) bool {
	return r >= utf8.RuneSelf && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) ||
		r < ' ' || r == 0x7f
}
