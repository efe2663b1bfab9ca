package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/membership/sampledata"
)

func TestGeneratedDirectoriesAreValid(t *testing.T) {
	skipIfShort(t)
	t.Parallel()
	dir := t.TempDir()
	for i, args := range [][]string{
		{"--users", "0"}, {"--users", "1", "--seed", "18446744073709551615"}, {}, {"--users", "2500", "--seed", "3", "--format", "json"},
	} {
		for _, ending := range []string{"json", "yaml", "yml"} {
			if len(args) == 6 && ending != "json" {
				continue
			}
			file := filepath.Join(dir, strconv.Itoa(i)+"."+ending)
			made := run(t, nil, append([]string{"directory", "generate", "-o", file}, args...)...)
			require.Equal(t, statusOK, made.status, made)
			require.Empty(t, made.err)
			require.Regexp(t, `^\S+: \d+ locations in \d+ organizations, \d+ users?\n$`, made.out)
			checked := run(t, nil, "directory", "check", file)
			require.Equal(t, result{out: file + " is valid" + made.out[len(file):]}, checked)
		}
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 10, "nothing else is left behind")
}

func TestGenerateWritesToStandardOutput(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "d.yaml")
	require.Equal(t, statusOK, run(t, nil, "directory", "generate", "--users", "30", "-o", file).status)
	written, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, result{out: string(written)}, run(t, nil, "directory", "generate", "--users", "30", "--seed", "1", "--format", "yaml"))
	got := run(t, nil, "directory", "generate", "--users", "30", "--seed", "2")
	require.Equal(t, statusOK, got.status, got)
	require.Equal(t, byte('{'), got.out[0])
}

func TestGenerateReplacesAFileOnlyWithForce(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "d.json")
	require.NoError(t, os.WriteFile(file, []byte("mine"), 0o600))
	got := run(t, nil, "directory", "generate", "--users", "3", "-o", file)
	require.Equal(t, statusFailed, got.status)
	require.Equal(t, "wardkeeper: "+file+" exists: name another file, or use --force to replace it\n", got.err)
	kept, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "mine", string(kept))

	require.Equal(t, statusOK, run(t, nil, "directory", "generate", "--users", "3", "-o", file, "--force").status)
	require.Equal(t, statusOK, run(t, nil, "directory", "check", file).status)
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o644), info.Mode().Perm())

	link := filepath.Join(t.TempDir(), "stdout.json")
	require.NoError(t, os.Symlink("/dev/null", link))
	got = run(t, nil, "directory", "generate", "--users", "3", "-o", link, "--force")
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.err, "is not a regular file")
}

// A policy without tables allows any role.
func TestGenerateUsesTheTablesOfAPolicy(t *testing.T) {
	t.Parallel()
	other := run(t, nil, "directory", "generate", "--users", "40", "--bundle", testPolicies, "--decision", "app/decision")
	require.Equal(t, statusOK, other.status, other)
	require.Equal(t, generated(t, pdp.Vocabulary{}), other.out)
	policy, err := builtInPolicy()
	require.NoError(t, err)
	require.Equal(t, generated(t, *policy.Vocabulary()), run(t, nil, "directory", "generate", "--users", "40").out)
	got := run(t, nil, "directory", "generate", "--bundle", "testdata/none")
	require.Equal(t, statusFailed, got.status)
	require.Empty(t, got.out)
}

// generated returns a generated directory of 40 users for a vocabulary.
func generated(t *testing.T, v pdp.Vocabulary) string {
	t.Helper()
	var out strings.Builder
	_, err := sampledata.Write(t.Context(), &out, sampledata.Config{Users: 40, Seed: 1, Vocabulary: v})
	require.NoError(t, err)
	return out.String()
}
