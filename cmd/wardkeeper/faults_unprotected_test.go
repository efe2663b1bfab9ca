package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// removal takes something away that protects against a fault.
type removal struct {
	file, piece, instead string // a piece of the source, which is there once, and what the server is built with instead
	fails                string // pattern of why the test then fails
}

func without(file, piece, instead, fails string) removal { return removal{file, piece, instead, fails} }

// Wrong answers that removals lead to.
const (
	revokedIsAllowed    = "answered true to " + revokedAdmin + " by version [0-9]+, "
	everythingIsAllowed = nobodysAdmin + " was allowed"
)

// source returns a file with the piece, and with what is there instead.
func (r removal) source(t *testing.T) (path string, without []byte) {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("../..", r.file))
	require.NoError(t, err)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(whole), r.piece), "%s has %q once", r.file, r.piece)
	return path, []byte(strings.Replace(string(whole), r.piece, r.instead, 1))
}

// removals returns what can be removed, by the pattern of the test that must then fail.
func removals() map[string][]removal {
	all := map[string][]removal{"^TestFootprintStaysFlat$": soakUnprotected}
	for name, one := range faults() {
		all["^TestFaults$/^"+strings.ReplaceAll(name, " ", "_")+"$"] = one.unprotected
	}
	return all
}

func TestEveryFaultHasAProtectionThatCanBeRemoved(t *testing.T) {
	for test, some := range removals() {
		require.NotEmpty(t, some, test)
		for _, r := range some {
			r.source(t)
		}
	}
}
