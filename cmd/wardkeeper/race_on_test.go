//go:build race

package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// fewerQuestions reports whether a test that asks many questions or starts many servers, one after another, should do so less often:
// under the race detector, which makes each question ten times slower. `make test` then runs it once more, without the detector, and must
// name it.
func fewerQuestions(t *testing.T) bool {
	t.Helper()
	test, _, _ := strings.Cut(t.Name(), "/")
	require.Regexp(t, `\b`+test+`\b`, readFile(t, "../../Makefile"), "make test must run it without the race detector too")
	return true
}
