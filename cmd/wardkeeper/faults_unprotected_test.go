package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
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

// TestFaultsWithoutProtection runs a test for each protection, with a server that is built without it. UNPROTECTED=1 runs it: it takes
// minutes.
func TestFaultsWithoutProtection(t *testing.T) {
	if os.Getenv("UNPROTECTED") == "" {
		t.Skip("UNPROTECTED=1 runs it")
	}
	t.Parallel()
	for tested, some := range removals() {
		for i, r := range some {
			t.Run(fmt.Sprintf("%s/%d", strings.NewReplacer("^", "", "$", "").Replace(tested), i), func(t *testing.T) {
				t.Parallel()
				out, err := exec.Command("go", "env", "GOFLAGS").Output()
				require.NoError(t, err)
				path, without := r.source(t)
				overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{path: writeFile(t, "without.go", string(without))}})
				require.NoError(t, err)
				flags := strings.TrimSpace(string(out) + " -overlay=" + writeFile(t, "overlay.json", string(overlay)))
				test := exec.Command(os.Args[0], "-test.run", tested, "-test.v")
				test.Env = append(os.Environ(), "SOAK=40s", "GOFLAGS="+strings.ReplaceAll(flags, "\n", ""))
				said, err := test.CombinedOutput()
				if strings.Contains(string(said), "--- SKIP") {
					t.Skipf("%s", said)
				}
				require.Error(t, err, "it passes without %q of %s:\n%s", r.piece, r.file, said)
				require.Regexp(t, r.fails, string(said), "it fails for another reason without %q of %s", r.piece, r.file)
			})
		}
	}
}
