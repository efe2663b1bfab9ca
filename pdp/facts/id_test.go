package facts_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

func TestIDFault(t *testing.T) {
	for id, want := range map[string]string{
		"a":                       "",
		"a b":                     "",
		"../é/%2F?":               "",
		strings.Repeat("x", 1024): "",
		"":                        "must not be empty",
		strings.Repeat("x", 1025): "is longer than 1024 bytes",
		"a\xff":                   "is not valid UTF-8",
		"a\nb":                    "has a control character",
		"a\x00":                   "has a control character",
		"a\u0085":                 "has a control character",
	} {
		assert.Equal(t, want, facts.IDFault(id), "%.20q", id)
		assert.Equal(t, want == "", facts.ValidID(id), "%.20q", id)
	}
}
