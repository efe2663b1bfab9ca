package main

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
)

// printable escapes whatever could steer a terminal or turn its text around: a server's sentences, ids and names are
// other people's. The escapes are JSON's, so that a JSON text stays the same value.
func printable(s string) string {
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		switch {
		case strconv.IsPrint(r):
			b.WriteRune(r)
		case r <= 0xFFFF:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		}
	}
	return b.String()
}
