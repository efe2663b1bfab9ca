package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestReadme runs what the README's console blocks show, against a server on the sample directory: each line after a
// "$" gives what follows it.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	steps := consoleSteps(string(readme))
	require.NotEmpty(t, steps)
	base := serving(t, "--directory", "../../testdata/directories/sample.yaml").url
	for _, step := range steps {
		command := strings.ReplaceAll(step.command, "http://127.0.0.1:8181", base)
		command = strings.ReplaceAll(command, "bin/wardkeeper", os.Getenv("TEST_WARDKEEPER"))
		cmd := exec.Command("sh", "-c", command)
		cmd.Env = append(os.Environ(), "WARDKEEPER_SERVER="+base)
		out, err := cmd.Output()
		if _, exited := err.(*exec.ExitError); err != nil && !exited {
			require.NoError(t, err)
		}
		require.Equal(t, step.output, strings.TrimRight(string(out), "\n"), "$ %s", step.command)
	}
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

// TestReadmeLinks finds every file that the README links to.
func TestReadmeLinks(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	for _, part := range strings.Split(string(readme), "](")[1:] {
		target, _, _ := strings.Cut(part, ")")
		if strings.HasPrefix(target, "https://") || strings.HasPrefix(target, "#") {
			continue
		}
		_, err := os.Stat(filepath.Join("../..", target))
		require.NoError(t, err, target)
	}
}
