package policies_test

import (
	"regexp"
	"testing"
	"unicode"

	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/stretchr/testify/require"
)

// TestWhatIsNoUsername checks the pattern of usernames against Unicode's properties of every character. A username has no
// control, format or default-ignorable character, and no white space at either end. With -short the test leaves out planes
// 4 to 13, which have no characters yet, and 15 and 16, which are for private use.
func TestWhatIsNoUsername(t *testing.T) {
	found, err := rego.New(rego.Compiler(compiled(t)), rego.Query("data.authz.question._username")).Eval(t.Context())
	require.NoError(t, err)
	pattern := regexp.MustCompile(found[0].Expressions[0].Value.(string))
	refused := 0
	for c := rune(0); c <= unicode.MaxRune; c++ {
		if c == 0xD800 {
			c = 0xE000 // surrogates are not characters
		}
		if plane := c >> 16; testing.Short() && plane > 3 && plane != 14 {
			continue
		}
		hidden := unicode.In(c, unicode.Cc, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
		space := unicode.Is(unicode.White_Space, c)
		s := string(c)
		if hidden || space {
			refused++
		}
		if hidden == pattern.MatchString("a"+s+"b") || (hidden || space) == pattern.MatchString(s) ||
			(hidden || space) == pattern.MatchString(s+"a") || (hidden || space) == pattern.MatchString("a"+s) {
			require.Failf(t, "the pattern is wrong", "U+%04X: hidden %t, space %t", c, hidden, space)
		}
	}
	require.Greater(t, refused, 4000)
	require.False(t, pattern.MatchString(""))
}
