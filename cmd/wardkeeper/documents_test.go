package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDocumentedCommands runs the console blocks of the documents against a server on the sample directory: the command after a
// "$" must print the lines that follow it.
func TestDocumentedCommands(t *testing.T) {
	t.Parallel()
	base := startServer(t, "--directory", "../../testdata/directories/sample.yaml").url
	ran := map[string]int{}
	for name, text := range documents(t) {
		if name == legacyExample {
			continue
		}
		for _, step := range consoleSteps(text) {
			command := strings.ReplaceAll(step.command, "http://127.0.0.1:8181", base)
			command = strings.ReplaceAll(command, "bin/wardkeeper", binary(t))
			cmd := exec.Command("sh", "-c", command)
			cmd.Dir = "../.."
			cmd.Env = append(os.Environ(), "WARDKEEPER_SERVER="+base)
			out, err := cmd.Output()
			if _, exited := err.(*exec.ExitError); err != nil && !exited {
				require.NoError(t, err)
			}
			assert.Equal(t, step.output, strings.TrimRight(string(out), "\n"), "%s: $ %s", name, step.command)
			ran[name]++
		}
	}
	assert.NotZero(t, ran["README.md"])
	assert.NotZero(t, ran["pdp/OBLIGATIONS.md"])
	assert.NotZero(t, ran["adapters/routes/README.md"])
}

// TestObligationsReferenceShowsEachObligation checks that the reference shows every obligation of the golden decisions.
func TestObligationsReferenceShowsEachObligation(t *testing.T) {
	reference := documents(t)["pdp/OBLIGATIONS.md"]
	golden, err := filepath.Glob("../../testdata/decisions/*/*.yaml")
	require.NoError(t, err)
	ids := map[string]bool{}
	for _, name := range golden {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		for _, match := range regexp.MustCompile(`\{id: ([^,]+/[^,]+), type: [a-z_-]+,`).FindAllStringSubmatch(string(text), -1) {
			ids[match[1]] = true
		}
	}
	require.Greater(t, len(ids), 5)
	for id := range ids {
		assert.True(t, strings.Contains(reference, `"id":"`+id+`"`), "show an answer with %s in pdp/OBLIGATIONS.md", id)
	}
}

// documents reads the repository's Markdown files, by their paths from its root.
func documents(t *testing.T) map[string]string {
	t.Helper()
	const root = "../.."
	found := map[string]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		switch {
		case entry.IsDir() && name != "." && (name == "bin" || entry.Name() == "node_modules" || strings.HasPrefix(entry.Name(), ".")):
			return filepath.SkipDir
		case entry.IsDir() || filepath.Ext(name) != ".md":
			return nil
		}
		text, err := os.ReadFile(path)
		found[filepath.ToSlash(name)] = string(text)
		return err
	})
	require.NoError(t, err)
	return found
}

type step struct{ command, output string }

// consoleSteps finds the commands of the console blocks, with the output shown below each.
func consoleSteps(text string) []step {
	var steps []step
	for i, block := range strings.Split(text, "```console\n") {
		if i == 0 {
			continue
		}
		block, _, _ = strings.Cut(block, "\n```")
		for _, part := range strings.Split("\n"+block, "\n$ ")[1:] {
			command, output, _ := strings.Cut(part, "\n")
			steps = append(steps, step{command, output})
		}
	}
	return steps
}
