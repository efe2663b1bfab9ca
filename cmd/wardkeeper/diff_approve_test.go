package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// pasted returns what a comparison prints to be written into approved.yaml.
func pasted(t *testing.T, out, says string) string {
	t.Helper()
	_, rest, ok := strings.Cut(out, says+", with a reason:\n\n")
	require.True(t, ok, out)
	entries, _, ok := strings.Cut(strings.TrimPrefix(rest, "```yaml\n"), "\n\n")
	require.True(t, ok, out)
	return strings.TrimSuffix(entries, "\n```") + "\n"
}

// What is printed for changes that are not approved is pasted, and the next comparison passes: beside each kind of file that there can be.
func TestDiffPrintsWhatApproves(t *testing.T) {
	t.Parallel()
	old := policyFolder(t, phones)
	more := strings.Replace(phones, `{"chief"}`, `{"chief", "clerk"}`, 1)
	fresh := policyFolder(t, more)
	got := run(t, nil, "diff", old, fresh)
	whole := pasted(t, got.out, "\nTo approve 1 change, write this as "+filepath.Join(fresh, "approved.yaml"))
	require.Equal(t, whole, pasted(t, run(t, nil, "diff", old, fresh, "--markdown").out, "To approve 1 change, write this as "+markdownText(filepath.Join(fresh, "approved.yaml"))))
	id := strings.TrimPrefix(strings.Split(whole, "\n")[1], "  - id: ")

	for name, c := range map[string]struct{ file, says string }{
		"none":             {"", "write this as "},
		"an empty list":    {"approved: []\n", "write this as "},
		"not indented":     {"approved:\n- id: " + strings.Repeat("0", 32) + "\n  change: another\n  reason: R\n", "add this at the end of "},
		"indented by four": {"approved:\n    - id: " + strings.Repeat("0", 32) + "\n      change: another\n      reason: R\n", "add this at the end of "},
		"in brackets":      {"approved: [{id: " + strings.Repeat("0", 32) + ", change: another, reason: R}]\n", "write this as "},
		"another sentence": {"approved:\n- {id: " + id + ", change: another, reason: R}\n", "write this as "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changed := policyFolder(t, more)
			approved := filepath.Join(changed, "approved.yaml")
			require.NoError(t, os.WriteFile(approved, []byte(c.file), 0o600))
			got := run(t, nil, "diff", old, changed)
			require.Equal(t, statusNo, got.status, got)
			text := pasted(t, got.out, "\nTo approve 1 change, "+c.says+approved)
			if strings.HasPrefix(c.says, "add") {
				text = c.file + text
			}
			require.NoError(t, os.WriteFile(approved, []byte(text), 0o600))
			got = run(t, nil, "diff", old, changed)
			require.Equal(t, statusNo, got.status, "nobody has said why: %v", got)
			require.Contains(t, got.err, "the approval of "+id+" does not count: its reason is still to be written")
			text = strings.Replace(text, "Say here who wants this, and why.", "Clerks answer the phone.", 1)
			require.NoError(t, os.WriteFile(approved, []byte(text), 0o600))
			got = run(t, nil, "diff", old, changed)
			require.Equal(t, statusOK, got.status, got)
			require.NotContains(t, got.out, "To approve")
			require.Equal(t, strings.Contains(c.file, "000"), strings.Contains(got.err, "the approval of 000"), "approvals of other changes stay")
		})
	}
}

// Whoever puts the file beside the tables, or spells its ending otherwise, is told where it has to be.
func TestMisplacedApprovalsAreNamed(t *testing.T) {
	t.Parallel()
	old := policyFolder(t, phones)
	changed := policyFolder(t, strings.Replace(phones, `{"chief"}`, `{"chief", "clerk"}`, 1))
	require.NoError(t, os.Mkdir(filepath.Join(changed, "authz"), 0o700))
	build := []string{"bundle", "build", changed, "--coverage", "0", "--revision", "r1", "--sequence", "1", "-o", filepath.Join(t.TempDir(), "policy.tar.gz"), "--diff", old}
	for _, name := range []string{"authz/approved.yaml", "approved.yml"} {
		misplaced := filepath.Join(changed, name)
		require.NoError(t, os.WriteFile(misplaced, []byte("approved: []\n"), 0o600))
		for _, args := range [][]string{{"diff", old, changed}, build} {
			got := run(t, nil, args...)
			require.Equal(t, statusNo, got.status, got)
			require.Contains(t, got.err, misplaced+" approves nothing: what is approved has to be in "+filepath.Join(changed, "approved.yaml")+"\n")
		}
	}
}
