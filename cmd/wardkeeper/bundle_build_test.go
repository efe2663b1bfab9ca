package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
)

func TestBundleBuildChecksAndWrites(t *testing.T) {
	t.Parallel()
	output := filepath.Join(t.TempDir(), "policy.tar.gz")
	got := run(t, nil, buildReaders(readersPolicy(t, nil), output)...)
	require.Equal(t, statusOK, got.status, got)
	require.Equal(t, output+": revision r1, release 7, not signed\n", got.out)
	require.Equal(t, []string{
		"wardkeeper: compiled: 2 files",
		"wardkeeper: every Rego file is formatted",
		"wardkeeper: 3 tests passed, covering 100.0 % of the policy's lines",
		"wardkeeper: a server would accept it, with 2 golden decisions",
	}, strings.Split(strings.TrimSpace(got.err), "\n"))
}

// The same folder at any path gives the same bytes, even when signed with RSA.
func TestBundleBuildIsReproducible(t *testing.T) {
	t.Parallel()
	private, _ := keyFiles(t, rsaKey(t, 2048))
	first, again, copied := readersPolicy(t, nil), filepath.Join(t.TempDir(), "b.tar.gz"), filepath.Join(t.TempDir(), "c.tar.gz")
	output := filepath.Join(t.TempDir(), "a.tar.gz")
	for path, dir := range map[string]string{output: first, again: first, copied: readersPolicy(t, nil)} {
		got := run(t, nil, buildReaders(dir, path, "--signing-key", private)...)
		require.Equal(t, statusOK, got.status, got)
	}
	require.True(t, readFile(t, output) == readFile(t, again), "built twice")
	require.True(t, readFile(t, output) == readFile(t, copied), "built elsewhere")
	other := filepath.Join(t.TempDir(), "d.tar.gz")
	got := run(t, nil, buildReaders(first, other, "--signing-key", private, "--sequence", "8")...)
	require.Equal(t, statusOK, got.status, got)
	require.False(t, readFile(t, output) == readFile(t, other), "another release")
}

// All faults of a step are reported, and nothing is written.
func TestBundleBuildReportsFaults(t *testing.T) {
	t.Parallel()
	rego := readersFiles["policy/app/app.rego"]
	tests := readersFiles["policy/app/app_test.rego"]
	decisions := readersFiles["golden/decisions/reading.yaml"]
	for name, c := range map[string]struct {
		changes map[string]string
		more    []string
		wanted  []string
		status  int
	}{
		"what does not compile": {
			changes: map[string]string{
				"policy/app/app.rego":   rego + "\nlater if time.now_ns() > 0\n",
				"policy/app/other.rego": "package app\n\nother := http.send({})\n",
			},
			wanted: []string{"app/app.rego:19: ", "time.now_ns is not", "app/other.rego:3: ", "http.send is not"},
		},
		"what does not parse":        {changes: map[string]string{"policy/app/app.rego": rego + "{"}, wanted: []string{"app/app.rego:18"}},
		"a test that does not parse": {changes: map[string]string{"policy/app/app_test.rego": tests + "{"}, wanted: []string{"app/app_test.rego:8"}},
		"a test that does not compile": {
			changes: map[string]string{"policy/app/app_test.rego": tests + "\ntest_it if {\n\tx := 1\n}\n"},
			wanted:  []string{"app/app_test.rego:10: ", "unused"},
		},
		"no policy":         {changes: map[string]string{"policy/app/app.rego": "", "policy/app/data.yaml": ""}, wanted: []string{"no *.rego files"}},
		"no entrypoint":     {more: []string{"--decision", "app/nothing"}, wanted: []string{"no rule data.app.nothing"}},
		"roots too narrow":  {more: []string{"--root", "other"}, wanted: []string{"roots"}},
		"a faulty manifest": {changes: map[string]string{"policy/.manifest": "{"}, wanted: []string{".manifest"}},
		"what is not formatted": {
			changes: map[string]string{
				"policy/app/app.rego":      strings.Replace(rego, "\tsome", "  some", 1),
				"policy/app/app_test.rego": tests + "\n\n",
			},
			wanted: []string{"app/app.rego is not formatted", "app/app_test.rego is not formatted", "opa fmt --write "},
		},
		"tests that fail": {
			changes: map[string]string{"policy/app/app_test.rego": tests + "\ntest_one if data.app.decision.allow\n\ntest_two if {\n\tprint(\"expected 1\")\n\t1 == 2\n}\n\n" +
				"test_three[name] if {\n\tsome name, n in {\"good\": 1, \"bad\": 2}\n\tn == 1\n}\n"},
			wanted: []string{"app/app_test.rego:9: app_test.test_one fails", "app/app_test.rego:11: app_test.test_two fails\nwardkeeper: expected 1\n",
				"app/app_test.rego:16: app_test.test_three fails: bad", "3 of 6 tests fail"},
		},
		"no tests": {changes: map[string]string{"policy/app/app_test.rego": ""}, wanted: []string{"there are no tests", "--coverage 0"}},
		"tests to be written": {
			changes: map[string]string{"policy/app/app_test.rego": "package app_test\n\ntodo_test_it if false\n"}, wanted: []string{"there are no tests"},
		},
		"tests that reach little": {
			changes: map[string]string{"policy/app/app_test.rego": "package app_test\n\ntest_it if not data.app.decision.allow\n"},
			wanted:  []string{"app/app.rego: no test reaches lines 10, 14, 16", "the tests cover 25.0 % of the policy's lines and must cover 90 % (--coverage)"},
		},
		"a faulty table": {
			changes: map[string]string{"policy/app/data.yaml": "table:\n  read: {who: ann}\n  write: {who: \"\"}\n"},
			wanted:  []string{"table: write has nobody"},
		},
		"a table with a name twice": {
			changes: map[string]string{"policy/app/data.yaml": "table:\n  read: {who: ann}\n  read: {who: bob}\n"},
			wanted:  []string{"app/data.yaml: ", `"read" already defined`},
		},
		"another decision": {
			changes: map[string]string{"golden/decisions/reading.yaml": strings.Replace(decisions, "decision: true", "decision: false", 1)},
			wanted:  []string{`reading: Ann reads: expected {"decision":false}, got {"decision":true}`},
		},
		"golden decisions that cannot be read": {
			changes: map[string]string{
				"golden/decisions/a.yaml": "rule: X\ncase: []\n", "golden/decisions/b.yml": "rule: X\n",
				"golden/decisions/c.yaml": "rule: X\ndirectory: nowhere\n", "golden/decisions/d.yaml": "rule: X\ndirectory: a\nfacts: {users: []}\n",
			},
			wanted: []string{"decisions/a.yaml: ", "decisions/b.yml is not a *.yaml file", `decisions/c.yaml: the directory "nowhere"`, "decisions/d.yaml: there are both"},
		},
		"no golden decisions": {
			changes: map[string]string{"golden/decisions/reading.yaml": "rule: READ-1\ncases: []\n"}, wanted: []string{"there are no golden decisions"},
		},
		"golden decisions of the tree too": {
			changes: map[string]string{"policy/golden/data.yaml": "decisions: []\n"}, wanted: []string{"golden decisions of its own"},
		},
		"no folder to write to": {more: []string{"-o", "testdata/none/policy.tar.gz"}, wanted: []string{"testdata/none is not a folder"}, status: statusFailed},
		"no golden folder":      {more: []string{"--golden", "testdata/none"}, wanted: []string{"testdata/none is not a folder"}, status: statusFailed},
		"a sequence below 1":    {more: []string{"--sequence", "0"}, wanted: []string{"--sequence is 0"}, status: statusFailed},
		"too much coverage":     {more: []string{"--coverage", "101"}, wanted: []string{"--coverage is 101"}, status: statusFailed},
		"a key that is none":    {more: []string{"--signing-key", "testdata/directory.yaml"}, wanted: []string{"no private key"}, status: statusFailed},
		"an algorithm, alone":   {more: []string{"--signing-alg", "ES256"}, wanted: []string{"requires --signing-key"}, status: statusFailed},
	} {
		t.Run(name, func(t *testing.T) {
			output := filepath.Join(t.TempDir(), "policy.tar.gz")
			got := run(t, nil, buildReaders(readersPolicy(t, c.changes), output, c.more...)...)
			status := c.status
			if status == 0 {
				status = statusNo
			}
			require.Equal(t, status, got.status, got)
			require.Empty(t, got.out)
			for _, wanted := range c.wanted {
				require.Contains(t, got.err, wanted)
			}
			require.NoFileExists(t, output)
		})
	}
}

func TestBundleBuildNamesFilesThatAreNotLoaded(t *testing.T) {
	t.Parallel()
	dir := readersPolicy(t, map[string]string{"policy/app/tables.yaml": "table: {}\n", "policy/data.JSON": "{}"})
	got := run(t, nil, buildReaders(dir, filepath.Join(t.TempDir(), "policy.tar.gz"))...)
	require.Equal(t, statusOK, got.status, got)
	require.Contains(t, got.err, "rules from *.rego: app/tables.yaml, data.JSON\n")
	got = run(t, nil, "serve", "--check", "--bundle", filepath.Join(dir, "policy"), "--decision", "app/decision")
	require.Equal(t, statusOK, got.status, got)
	require.Contains(t, got.err, "app/tables.yaml")
}

func TestBundleBuildAllowsNoTestsWithoutCoverage(t *testing.T) {
	t.Parallel()
	got := run(t, nil, buildReaders(readersPolicy(t, map[string]string{"policy/app/app_test.rego": ""}),
		filepath.Join(t.TempDir(), "policy.tar.gz"), "--coverage", "0")...)
	require.Equal(t, statusOK, got.status, got)
}

// repository commits the small policy, and returns the folder and the abbreviated commit id.
func repository(t *testing.T) (dir, revision string) {
	t.Helper()
	dir = readersPolicy(t, map[string]string{".gitignore": "extra\n*.tar.gz\n"})
	gitIn(t, dir, "init", "-q")
	gitIn(t, dir, "add", "-A")
	gitIn(t, dir, "commit", "-qm", "policy")
	return dir, gitIn(t, dir, "rev-parse", "HEAD")[:12]
}

func gitIn(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgsign=false"}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_DATE=1795691474 +0100", "GIT_COMMITTER_DATE=1795691474 +0100")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return string(out)
}

// A file that is part of the release and differs from the commit is an error.
func TestBundleBuildIsNamedAfterTheCommit(t *testing.T) {
	skipIfShort(t)
	build := func(dir string, more ...string) result {
		return run(t, []string{"GIT_CEILING_DIRECTORIES=" + filepath.Dir(dir)}, append([]string{"bundle", "build", filepath.Join(dir, "policy"),
			"--golden", filepath.Join(dir, "golden"), "--decision", "app/decision", "-o", filepath.Join(dir, "policy", "policy.tar.gz")}, more...)...)
	}
	dir, revision := repository(t)
	for range 2 { // the bundle written by the first run is not part of the release
		got := build(dir)
		require.Equal(t, statusOK, got.status, got)
		require.Contains(t, got.out, "revision "+revision+", release 1795691474,")
	}
	got := build(dir, "--revision", "1.0")
	require.Contains(t, got.out, "revision 1.0, release 1795691474,")
	got = build(dir, "--sequence", "9")
	require.Contains(t, got.out, "revision "+revision+", release 9,")

	for name, c := range map[string]struct {
		change func(dir string)
		wanted string
	}{
		"a changed file": {func(dir string) {
			putFile(t, filepath.Join(dir, "policy/app/data.yaml"), "table: {read: {who: ann}}\n")
		}, "policy/app/data.yaml is not committed"},
		"a new file": {func(dir string) {
			putFile(t, filepath.Join(dir, "policy/app/new.rego"), "package app\n")
		}, "policy/app/new.rego is not committed"},
		"an ignored file": {func(dir string) {
			putFile(t, filepath.Join(dir, "policy/extra/data.json"), "{}\n")
		}, "policy/extra/data.json is not committed"},
		"a file that is gone": {func(dir string) {
			require.NoError(t, os.Remove(filepath.Join(dir, "policy/app/app_test.rego")))
		}, "policy/app/app_test.rego is not committed"},
		"a file that was moved": {func(dir string) {
			gitIn(t, dir, "mv", "policy/app/app_test.rego", "policy/app/moved_test.rego")
		}, "policy/app/app_test.rego is not committed"},
		"a changed golden decision": {func(dir string) {
			putFile(t, filepath.Join(dir, "golden/decisions/reading.yaml"), readersFiles["golden/decisions/reading.yaml"]+"\n")
		}, "golden/decisions/reading.yaml is not committed"},
		"a repository within": {func(dir string) {
			gitIn(t, dir, "init", "-q", filepath.Join(dir, "policy/sub"))
			putFile(t, filepath.Join(dir, "policy/sub/sub.rego"), "package sub\n")
			gitIn(t, filepath.Join(dir, "policy/sub"), "add", "-A")
			gitIn(t, filepath.Join(dir, "policy/sub"), "commit", "-qm", "sub")
		}, "policy/sub/sub.rego is not committed"},
		"a file that git is told not to look at": {func(dir string) {
			gitIn(t, dir, "update-index", "--skip-worktree", "policy/app/data.yaml")
			putFile(t, filepath.Join(dir, "policy/app/data.yaml"), "table: {read: {who: bob}}\n")
		}, "policy/app/data.yaml is not committed"},
		"a file that git is told to take for unchanged": {func(dir string) {
			gitIn(t, dir, "update-index", "--assume-unchanged", "policy/app/data.yaml")
			putFile(t, filepath.Join(dir, "policy/app/data.yaml"), "table: {read: {who: bob}}\n")
		}, "policy/app/data.yaml is not committed"},
		"a file that only the clone ignores": {func(dir string) {
			putFile(t, filepath.Join(dir, ".git/info/exclude"), "*.rego\n")
			putFile(t, filepath.Join(dir, "policy/app/more.rego"), "package app\n")
		}, "policy/app/more.rego is not committed"},
		"a file that attributes change": {func(dir string) {
			putFile(t, filepath.Join(dir, ".git/info/attributes"), "*.yaml filter=upper\n")
			gitIn(t, dir, "config", "filter.upper.clean", "tr a-z A-Z | tr A-Z a-z")
			putFile(t, filepath.Join(dir, "policy/app/data.yaml"), strings.Replace(readersFiles["policy/app/data.yaml"], "ann", "ANN", 1))
		}, "policy/app/data.yaml is not committed"},
		"another end of lines": {func(dir string) {
			putFile(t, filepath.Join(dir, ".gitattributes"), "*.yaml text eol=crlf\n")
			putFile(t, filepath.Join(dir, "policy/app/data.yaml"), strings.ReplaceAll(readersFiles["policy/app/data.yaml"], "\n", "\r\n"))
			gitIn(t, dir, "add", "-A")
			gitIn(t, dir, "commit", "-qm", "attributes")
		}, "policy/app/data.yaml is not committed"},
		"a staged file": {func(dir string) {
			putFile(t, filepath.Join(dir, "policy/app/data.yaml"), "table: {read: {who: bob}}\n")
			gitIn(t, dir, "add", "-A")
		}, "policy/app/data.yaml is not committed"},
		"a part of the folder": {func(dir string) {
			gitIn(t, dir, "sparse-checkout", "set", "--no-cone", "/golden", "/policy/app/app.rego")
		}, "policy/app/data.yaml is not committed: it is only in the commit"},
		"a link": {func(dir string) {
			require.NoError(t, os.Rename(filepath.Join(dir, "policy/app/data.yaml"), filepath.Join(dir, "elsewhere.yaml")))
			require.NoError(t, os.Symlink("../../elsewhere.yaml", filepath.Join(dir, "policy/app/data.yaml")))
			gitIn(t, dir, "add", "-A")
			gitIn(t, dir, "commit", "-qm", "link")
		}, "policy/app/data.yaml is not committed: a link"},
		"a submodule": {func(dir string) {
			sub, _ := repository(t)
			gitIn(t, dir, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", sub, "policy/sub")
			gitIn(t, dir, "commit", "-qm", "sub")
		}, "policy/sub is not committed: a link or a nested repository"},
		"a commit replaced by another": {func(dir string) {
			first := strings.TrimSpace(gitIn(t, dir, "rev-parse", "HEAD"))
			putFile(t, filepath.Join(dir, "policy/app/data.yaml"), "table: {read: {who: bob}}\n")
			gitIn(t, dir, "commit", "-qam", "bob")
			second := strings.TrimSpace(gitIn(t, dir, "rev-parse", "HEAD"))
			gitIn(t, dir, "reset", "-q", "--soft", first)
			gitIn(t, dir, "replace", first, second)
		}, "policy/app/data.yaml is not committed"},
		"a file replaced by another": {func(dir string) {
			putFile(t, filepath.Join(dir, "policy/app/data.yaml"), "table: {read: {who: bob}}\n")
			other := strings.TrimSpace(gitIn(t, dir, "hash-object", "-w", "policy/app/data.yaml"))
			gitIn(t, dir, "replace", strings.TrimSpace(gitIn(t, dir, "rev-parse", "HEAD:policy/app/data.yaml")), other)
		}, "policy/app/data.yaml is not committed"},
		"no repository": {func(dir string) { require.NoError(t, os.RemoveAll(filepath.Join(dir, ".git"))) }, "not a git repository"},
		"no commit": {func(dir string) {
			require.NoError(t, os.RemoveAll(filepath.Join(dir, ".git")))
			gitIn(t, dir, "init", "-q")
		}, "git cannot tell the commit of"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, _ := repository(t)
			c.change(dir)
			got := build(dir, "--revision", "1.0")
			require.Equal(t, statusFailed, got.status, got)
			require.Contains(t, got.err, c.wanted)
			require.Contains(t, got.err, "both --revision and --sequence")
			require.NoFileExists(t, filepath.Join(dir, "policy", "policy.tar.gz"))
		})
	}
	elsewhere, _ := repository(t)
	putFile(t, filepath.Join(elsewhere, "policy/app/data.yaml"), "table: {read: {who: bob}}\n")
	gitIn(t, elsewhere, "commit", "-qam", "bob")
	for _, variable := range []string{
		"GIT_DIR=" + elsewhere + "/.git", "GIT_WORK_TREE=" + elsewhere, "GIT_INDEX_FILE=" + elsewhere + "/.git/index", "GIT_NAMESPACE=x",
		"GIT_OBJECT_DIRECTORY=" + elsewhere + "/.git/objects", "GIT_COMMON_DIR=" + elsewhere + "/.git", "GIT_REPLACE_REF_BASE=refs/heads",
	} {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
		got := build(dir)
		require.NoError(t, os.Unsetenv(name))
		require.Equal(t, statusOK, got.status, "%s: %v", variable, got)
		require.Contains(t, got.out, "revision "+revision+", release 1795691474,")
	}
	putFile(t, filepath.Join(dir, "policy/notes.txt"), "a change that does not matter")
	require.Equal(t, statusOK, build(dir).status)

	dir, _ = repository(t)
	putFile(t, filepath.Join(dir, "policy/app/new.rego"), "package app\n")
	got = build(dir, "--revision", "1.0", "--sequence", "9")
	require.Equal(t, statusOK, got.status, got)
	got = run(t, []string{"PATH="}, "bundle", "build", filepath.Join(dir, "policy"))
	require.Equal(t, statusFailed, got.status, got)
	require.Contains(t, got.err, "executable file not found")
}

// A server accepts the built-in policy with all of its golden decisions. This is where `make test` runs the policy's Rego tests
// and measures their coverage.
func TestBundleBuildOfTheBuiltInPolicy(t *testing.T) {
	skipIfShort(t)
	t.Parallel()
	private, public := keyFiles(t, rsaKey(t, 2048))
	output := filepath.Join(t.TempDir(), "policy.tar.gz")
	got := run(t, nil, "bundle", "build", "../../policies", "--golden", goldenTree, "--coverage", "95", "--revision", "r1", "--sequence", "1",
		"--signing-key", private, "-o", output)
	require.Equal(t, statusOK, got.status, got)
	require.Regexp(t, `\d tests passed, covering`, got.err, "none is skipped")
	cases := 0
	for _, at := range goldenPaths(t) {
		cases += len(readGolden(t, at).Cases)
	}
	require.Contains(t, got.err, "a server would accept it, with "+terminal.Count(cases, "golden decision"))

	got = run(t, nil, "bundle", "verify", output, "--verification-key", public)
	require.Equal(t, statusOK, got.status, got)
	got = run(t, nil, "serve", "--check", "--bundle", output, "--verification-key", public, "--directory", goldenDirectories+"/sample.yaml")
	require.Equal(t, statusOK, got.status, got)
	require.Contains(t, got.out, "r1, release 1 (")
}
