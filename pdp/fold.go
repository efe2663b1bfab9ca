package pdp

import (
	"golang.org/x/text/cases"
)

// Fold maps texts that differ in case alone to the same one. Most texts are ASCII, where lower case is all that it takes.
func Fold(s string) string {
	upper := false
	for i := range len(s) {
		c := s[i]
		if c >= 0x80 {
			return cases.Fold().String(s)
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
