package facts_test

import (
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

func TestFoldCanonicalIgnoresCaseAndComposition(t *testing.T) {
	for _, same := range [][]string{
		{"jose\u0301@example.org", "jos\u00e9@example.org", "JOSE\u0301@Example.org", "JOS\u00c9@EXAMPLE.ORG"},
		{"stra\u00dfe", "STRASSE", "stra\u1e9ee", "strasse"},
		{"\u212bngstr\u00f6m", "\u00e5ngstro\u0308m", "A\u030aNGSTR\u00d6M"}, // the unit, the letter, and in parts
		{"\u03b1\u0345\u0301", "\u03b1\u0301\u0345", "\u1fb4", "\u0386\u0399"},
		{"\u1100\u1161", "\uac00"}, // Hangul
		{"\u0130", "i\u0307", "I\u0307"},
		{"\u03c2", "\u03a3", "\u03c3"},
		{"\u1e9b\u0323", "s\u0323\u0307", "\u1e69"},
	} {
		for _, one := range same {
			assert.Equal(t, facts.FoldCanonical(same[0]), facts.FoldCanonical(one), "%+q and %+q", same[0], one)
		}
	}
	for _, other := range [][2]string{{"i", "\u0131"}, {"a", "\u0430"}, {"fi", "f\u200bi"}, {"1", "\u00b9"}, {"jose", "jos\u00e9"}} {
		assert.NotEqual(t, facts.FoldCanonical(other[0]), facts.FoldCanonical(other[1]), "%+q", other)
	}
}

func TestIsUsername(t *testing.T) {
	for _, name := range []string{
		"a", "jane.doe@example.org", "Jane Doe", "jos\u00e9", "jose\u0301", "\u4e2d\u6587", "\U0001f600", "a\u00a0b", "a\u2028b", "o'neil", "\u2060x"[3:],
		"\ufffd", "\ue000", "\u0378", // replacement, private use, unassigned
	} {
		assert.True(t, facts.IsUsername(name), "%+q", name)
	}
	for _, name := range []string{
		"", " ", " a", "a ", "a\u00a0", "\u3000a", "a\u2028", "\u1680a", "a\u0085", // white space at an end
		"a\tb", "\x00", "a\x7f", "a\u009fb", "a\nb", // controls
		"a\u00adb", "a\u200bb", "a\u200db", "a\u200e", "\ufeffa", "a\u2060b", "a\u061cb", "a\u0600b", "a\U000e0041b", "a\u180eb", "a\ufff9b", // formats
		"a\u034fb", "a\u115fb", "a\u1160b", "a\u3164", "a\uffa0", "a\ufe0f", "a\U000e0100", "a\u17b4b", "a\u180b", "a\u2065b", "a\ufff0b", "a\U000e0fffb", // ignorable
		"\xff", "a\xc3", "\xed\xa0\x80", // not UTF-8
	} {
		assert.False(t, facts.IsUsername(name), "%+q", name)
	}
}

// Folding twice equals folding once, and neither case nor composition changes the result.
func FuzzFold(f *testing.F) {
	for _, s := range []string{"", "Jane", "jose\u0301", "\u01f0", "\u0390", "\u03b1\u0345\u0301", "\u1e9e\u0130", "\u13a0\uab70", "\u1fb7\u0323", "\uac01"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		folded := facts.FoldCanonical(s)
		require.Equal(t, folded, facts.FoldCanonical(folded), "%+q", s)
		require.Equal(t, facts.Fold(s), facts.Fold(facts.Fold(s)), "%+q", s)
		if !utf8.ValidString(s) {
			require.False(t, facts.IsUsername(s))
			return
		}
		require.True(t, norm.NFC.IsNormalString(folded), "%+q", s)
		require.Equal(t, folded, facts.FoldCanonical(norm.NFD.String(s)), "%+q", s)
	})
}
