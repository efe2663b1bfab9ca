package pgorigin

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
	"golang.org/x/text/unicode/norm"
)

// The database must fold every character as facts.Fold does.
func postgresFold(t *testing.T, server *servertest.Postgres) {
	ctx := context.Background()
	conn := servertest.Connect(t, server.URL())
	rows, err := conn.Query(ctx, "SELECT chr(i), "+folded("chr(i)")+", "+folded("'a' || chr(i)")+
		" FROM generate_series(1, 1114109) i WHERE i NOT BETWEEN 55296 AND 57343")
	require.NoError(t, err)
	n := 0
	for rows.Next() {
		var char, alone, last string
		require.NoError(t, rows.Scan(&char, &alone, &last))
		n++
		if want := facts.Fold(char); want != alone || "a"+want != last {
			assert.Fail(t, "folded differently", "%+q: want %+q, got %+q and %+q", char, want, alone, last)
		}
	}
	require.NoError(t, rows.Err())
	assert.Equal(t, 1114109-2048, n)
}

// The database and facts.FoldCanonical must agree on composition and on the order of combining marks.
func postgresComposition(t *testing.T, server *servertest.Postgres) {
	ctx := context.Background()
	conn := servertest.Connect(t, server.URL())
	agree := func(texts []string) {
		rows, err := conn.Query(ctx, "SELECT t, "+canonical("t")+" FROM unnest($1::text[]) t", texts)
		require.NoError(t, err)
		n := 0
		for ; rows.Next(); n++ {
			var text, folded string
			require.NoError(t, rows.Scan(&text, &folded))
			if want := facts.FoldCanonical(text); want != folded {
				assert.Fail(t, "folded differently", "%+q: want %+q, got %+q", text, want, folded)
			}
		}
		require.NoError(t, rows.Err())
		require.Equal(t, len(texts), n)
	}
	var single []string
	for r := rune(1); r <= unicode.MaxRune; r++ {
		if s := string(r); utf8.ValidRune(r) && (norm.NFD.String(s) != s || facts.Fold(s) != s) {
			single = append(single, s, norm.NFD.String(s))
		}
	}
	agree(single)
	letters := []rune("aAiIsSoOzßẞıİſςΣαωΩΑhjJνŉǰΐ\u1e9e\u212b\u212a\u1fb3\u1fbc\u1fc7가ㄱ\u1100\u1161\u11a8ꭰᎠ\u0430\u0419")
	marks := []rune("\u0300\u0301\u0303\u0304\u0307\u0308\u030a\u030c\u0323\u0327\u0328\u0331\u0342\u0345\u0344\u1161\u11a8\u3099\u05b0 @")
	random := rand.New(rand.NewPCG(1, 2))
	var many []string
	for range 50_000 {
		var b strings.Builder
		for range 1 + random.IntN(3) {
			b.WriteRune(letters[random.IntN(len(letters))])
			for range random.IntN(4) {
				b.WriteRune(marks[random.IntN(len(marks))])
			}
		}
		many = append(many, b.String())
	}
	agree(many)
}
