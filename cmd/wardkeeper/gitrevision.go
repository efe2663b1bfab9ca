package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"strconv"
	"strings"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// tree is a folder, and which of its files matter to a release. Names are relative to it, with slashes.
type tree struct {
	dir    string
	counts func(name string) bool
}

// isGolden says whether a file of a tree of golden decisions matters.
func isGolden(name string) bool {
	first, _, _ := strings.Cut(name, "/")
	return path.Ext(name) == ".yaml" && (first == decisionsFolder || first == directoriesFolder)
}

const sayYourself = "commit first, or give both --revision and --sequence"

// committed names the release by the commit that the first tree is at: its revision is the commit, and its sequence the
// time at which that was made. Whatever matters in one of the trees and is not in their commits is refused.
func committed(ctx context.Context, trees []tree) (bundles.Release, error) {
	dir := trees[0].dir
	said, err := git(ctx, dir, "show", "--no-patch", "--no-show-signature", "--no-color", "--abbrev=12", "--format=%h %ct", "HEAD")
	if err != nil {
		return bundles.Release{}, fmt.Errorf("git does not know at which commit %s is (%w): %s", dir, err, sayYourself)
	}
	revision, seconds, _ := strings.Cut(strings.TrimSpace(said), " ")
	sequence, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || sequence < 1 {
		return bundles.Release{}, fmt.Errorf("git says %q of the commit of %s, which is no time: %s", said, dir, sayYourself)
	}
	var faults []error
	for _, t := range trees {
		changed, err := t.uncommitted(ctx)
		if err != nil {
			return bundles.Release{}, fmt.Errorf("git does not know what of %s is committed (%w): %s", t.dir, err, sayYourself)
		}
		for _, name := range changed {
			faults = append(faults, fmt.Errorf("%s is not committed", path.Join(t.dir, name)))
		}
	}
	if len(faults) > 0 {
		faults = append(faults, errors.New("a release is named by a commit: "+sayYourself))
	}
	return bundles.Release{Revision: revision, Sequence: sequence}, errors.Join(faults...)
}

// uncommitted are the files that matter and differ from the commit: changed, new, ignored by git, or gone.
func (t tree) uncommitted(ctx context.Context) (names []string, err error) {
	prefix, err := git(ctx, t.dir, "rev-parse", "--show-prefix")
	if err != nil {
		return nil, err
	}
	status, err := git(ctx, t.dir, "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--ignored=traditional", "--", ".")
	if err != nil {
		return nil, err
	}
	for entry := range strings.SplitSeq(status, "\x00") {
		if len(entry) < 4 { // two letters, a blank and the name
			continue
		}
		name := strings.TrimPrefix(entry[3:], strings.TrimRight(prefix, "\n"))
		if t.counts(name) || strings.HasSuffix(name, "/") { // a folder stands for a repository of its own
			names = append(names, name)
		}
	}
	return names, nil
}

// git gives what git prints about a folder.
func git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", dir}, args...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "GIT_OPTIONAL_LOCKS=0")
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
