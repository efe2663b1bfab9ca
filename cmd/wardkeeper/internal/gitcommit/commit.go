package gitcommit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// Tree is a folder in a git repository.
type Tree struct {
	Dir string
	// IsPart reports whether a file, named by its path below Dir with slashes, is a part of the release.
	IsPart func(name string) bool
}

// Commit identifies a commit.
type Commit struct {
	ID   string // the first 12 digits
	Time int64  // of the commit, in seconds since 1970
}

// advice ends error messages about a commit that cannot be determined or used.
const advice = "commit first, or give both --revision and --sequence"

// Read returns the commit that the first tree is at, and the files of each tree as committed. It is an error if a file that is
// part of the release differs in the folder.
func Read(ctx context.Context, trees []Tree) (c Commit, files []fs.FS, err error) {
	if c, err = describe(ctx, trees[0].Dir); err != nil {
		return c, nil, err
	}
	var faults []error
	for _, t := range trees {
		content, err := t.readFiles(ctx)
		if err != nil {
			return c, nil, fmt.Errorf("git cannot list the committed files of %s (%w): %s", t.Dir, err, advice)
		}
		faults = append(faults, t.compare(content))
		archive, err := content.asFS()
		if err != nil {
			return c, nil, err
		}
		files = append(files, archive)
	}
	if err := errors.Join(faults...); err != nil {
		return c, nil, errors.Join(err, errors.New("a release is named after a commit: "+advice))
	}
	return c, files, nil
}

// head returns the full id of the commit that a folder is at.
func head(ctx context.Context, dir string) (string, error) {
	id, err := git(ctx, dir, nil, "rev-parse", "--verify", "--end-of-options", "HEAD^{commit}")
	return strings.TrimSpace(id), err
}

func describe(ctx context.Context, dir string) (Commit, error) {
	unknown := func(err error) error {
		return fmt.Errorf("git cannot tell the commit of %s (%w): %s", dir, err, advice)
	}
	id, err := head(ctx, dir)
	if err != nil {
		return Commit{}, unknown(err)
	}
	text, err := git(ctx, dir, nil, "cat-file", "commit", id)
	if err != nil {
		return Commit{}, unknown(err)
	}
	short, err := git(ctx, dir, nil, "rev-parse", "--short=12", id)
	if err != nil {
		return Commit{}, unknown(err)
	}
	seconds, err := commitTime(text)
	if err != nil {
		return Commit{}, fmt.Errorf("the commit of %s has no valid time (%w): %s", dir, err, advice)
	}
	return Commit{ID: strings.TrimSpace(short), Time: seconds}, nil
}

// commitTime reads the time of a commit object, in seconds since 1970.
func commitTime(commit string) (int64, error) {
	for line := range strings.Lines(commit) {
		words := strings.Fields(line)
		if len(words) == 0 {
			break // the commit message follows
		}
		if words[0] != "committer" || len(words) < 3 {
			continue
		}
		seconds, err := strconv.ParseInt(words[len(words)-2], 10, 64)
		if err == nil && seconds < 1 {
			err = fmt.Errorf("it is %d", seconds)
		}
		return seconds, err
	}
	return 0, errors.New("it has no committer")
}
