package gitcommit

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// git runs git in a folder and returns its output.
func git(ctx context.Context, dir string, stdin *bytes.Buffer, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", dir, "-c", "core.commitGraph=false"}, args...)...)
	cmd.Env = append(slices.DeleteFunc(os.Environ(), misleadsGit), "LC_ALL=C", "GIT_OPTIONAL_LOCKS=0", "GIT_NO_REPLACE_OBJECTS=1")
	if stdin != nil {
		cmd.Stdin = stdin
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if exited, ok := errors.AsType[*exec.ExitError](err); ok {
		text, _, _ := strings.Cut(strings.TrimSpace(stderr.String()), "\n")
		if text == "" {
			text = exited.String()
		}
		return "", errors.New(strings.TrimPrefix(text, "fatal: "))
	}
	return stdout.String(), err
}

// misleadsGit reports whether an environment variable could point git to objects or a repository other than the folder's.
// Variables that say where to search for the repository, and settings such as safe.directory, are left to the user.
func misleadsGit(variable string) bool {
	name, _, _ := strings.Cut(variable, "=")
	allowed := name == "GIT_CEILING_DIRECTORIES" || name == "GIT_DISCOVERY_ACROSS_FILESYSTEM" || strings.HasPrefix(name, "GIT_CONFIG")
	return strings.HasPrefix(name, "GIT_") && !allowed || name == "LC_ALL"
}
