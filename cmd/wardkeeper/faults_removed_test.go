//go:build unprotected

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFaultsWithoutProtection runs a test for each protection, with a server that is built without it. It takes minutes, so it has a
// tag: go test -tags unprotected -run TestFaultsWithoutProtection ./cmd/wardkeeper
func TestFaultsWithoutProtection(t *testing.T) {
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
