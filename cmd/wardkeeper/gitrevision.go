package main

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/release"
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

// maxCommitted is the most bytes of files that are taken from a commit: what a bundle may have, unpacked.
const maxCommitted = 64 << 20

// committed names the release by the commit that the first tree is at: its revision is the commit, and its sequence the
// time at which that was made. It gives the files of each tree as they are committed. Whatever matters in a folder and
// is not so in its commit is refused.
func committed(ctx context.Context, trees []tree) (meta release.Metadata, files []fs.FS, err error) {
	if meta, err = named(ctx, trees[0].dir); err != nil {
		return meta, nil, err
	}
	var faults []error
	for _, t := range trees {
		content, err := t.committed(ctx)
		if err != nil {
			return meta, nil, fmt.Errorf("git does not know what of %s is committed (%w): %s", t.dir, err, sayYourself)
		}
		faults = append(faults, t.compare(content))
		packed, err := content.files()
		if err != nil {
			return meta, nil, err
		}
		files = append(files, packed)
	}
	if err := errors.Join(faults...); err != nil {
		return meta, nil, errors.Join(err, errors.New("a release is named by a commit: "+sayYourself))
	}
	return meta, files, nil
}

// head is the commit that a folder is at, by its whole id.
func head(ctx context.Context, dir string) (string, error) {
	id, err := git(ctx, dir, nil, "rev-parse", "--verify", "--end-of-options", "HEAD^{commit}")
	return strings.TrimSpace(id), err
}

func named(ctx context.Context, dir string) (release.Metadata, error) {
	unknown := func(err error) error {
		return fmt.Errorf("git does not know at which commit %s is (%w): %s", dir, err, sayYourself)
	}
	id, err := head(ctx, dir)
	if err != nil {
		return release.Metadata{}, unknown(err)
	}
	said, err := git(ctx, dir, nil, "cat-file", "commit", id)
	if err != nil {
		return release.Metadata{}, unknown(err)
	}
	short, err := git(ctx, dir, nil, "rev-parse", "--short=12", id)
	if err != nil {
		return release.Metadata{}, unknown(err)
	}
	sequence, err := commitTime(said)
	if err != nil {
		return release.Metadata{}, fmt.Errorf("the commit of %s has no time (%w): %s", dir, err, sayYourself)
	}
	return release.Metadata{Revision: strings.TrimSpace(short), Sequence: sequence}, nil
}

// commitTime reads the time of a commit, in seconds since 1970.
func commitTime(commit string) (int64, error) {
	for line := range strings.Lines(commit) {
		words := strings.Fields(line)
		if len(words) == 0 {
			break // the message begins
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
	return 0, errors.New("nobody committed it")
}

// committedFiles are the files of a commit that matter, by their names below a folder. A nil one is no file, but a link or a
// repository of its own.
type committedFiles map[string][]byte

// committed reads the files of the commit itself. The folder, the index and git's attributes have no say in it.
func (t tree) committed(ctx context.Context) (committedFiles, error) {
	id, err := head(ctx, t.dir)
	if err != nil {
		return nil, err
	}
	listed, err := git(ctx, t.dir, nil, "ls-tree", "-r", "-l", "-z", id)
	if err != nil {
		return nil, err
	}
	all := committedFiles{}
	var names []string
	var ids bytes.Buffer
	size := int64(0)
	for entry := range strings.SplitSeq(listed, "\x00") {
		about, name, found := strings.Cut(entry, "\t")
		words := strings.Fields(about)
		if !found || len(words) != 4 {
			continue
		}
		mode, kind, object := words[0], words[1], words[2]
		switch {
		case kind == "commit" && !t.within(name) || kind != "commit" && !t.counts(name):
			continue
		case kind == "commit" || mode == "120000":
			all[name] = nil
			continue
		}
		n, err := strconv.ParseInt(words[3], 10, 64)
		if size += n; err != nil || size > maxCommitted {
			return nil, fmt.Errorf("the files of the commit are larger than %d bytes together", maxCommitted)
		}
		names = append(names, name)
		fmt.Fprintln(&ids, object)
	}
	blobs, err := git(ctx, t.dir, &ids, "cat-file", "--batch")
	if err != nil {
		return nil, err
	}
	return all, all.add(names, blobs)
}

// within says whether there could be files that matter in a folder.
func (t tree) within(folder string) bool {
	return t.counts(folder+"/data.yaml") || t.counts(folder+"/x.rego")
}

// add reads what git says of objects: a line that ends with the size, the bytes, and the end of a line.
func (c committedFiles) add(names []string, blobs string) error {
	for _, name := range names {
		line, rest, _ := strings.Cut(blobs, "\n")
		words := strings.Fields(line)
		size := -1
		if len(words) == 3 && words[1] == "blob" {
			size, _ = strconv.Atoi(words[2])
		}
		if size < 0 || len(rest) <= size {
			return fmt.Errorf("%s cannot be read from the commit", name)
		}
		c[name], blobs = []byte(rest[:size]), rest[size+1:]
	}
	return nil
}

// files makes a file system of them, which a .zip in memory is.
func (c committedFiles) files() (fs.FS, error) {
	var out bytes.Buffer
	packed := zip.NewWriter(&out)
	for name, data := range c {
		if data == nil {
			continue
		}
		if !fs.ValidPath(name) || strings.Contains(name, "\\") {
			return nil, fmt.Errorf("%q is no name for a file of a bundle", name)
		}
		file, err := packed.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err != nil {
			return nil, err
		}
		if _, err := file.Write(data); err != nil {
			return nil, err
		}
	}
	if err := packed.Close(); err != nil {
		return nil, err
	}
	return zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
}

// compare holds a folder against what is committed, by the bytes: git can be told not to look.
func (t tree) compare(committed committedFiles) error {
	var faults []error
	fault := func(name, why string) {
		faults = append(faults, fmt.Errorf("%s is not committed: %s", path.Join(t.dir, name), why))
	}
	folder := os.DirFS(t.dir)
	found := map[string]bool{}
	err := bundles.WalkTree(folder, t.counts, func(name string) error {
		found[name] = true
		data, known := committed[name]
		if !known {
			fault(name, "it is in the folder alone")
			return nil
		}
		info, err := fs.Stat(folder, name)
		if err != nil {
			return err
		}
		same := info.Mode().IsRegular() && info.Size() == int64(len(data))
		if same && data != nil {
			now, err := fs.ReadFile(folder, name)
			if err != nil {
				return err
			}
			same = bytes.Equal(now, data)
		}
		if !same && data != nil {
			fault(name, "it differs from the commit, also where git was told not to see that")
		}
		return nil
	})
	for name, data := range committed {
		switch {
		case data == nil:
			fault(name, "a link, or a repository of its own, has its content elsewhere")
		case !found[name]:
			fault(name, "it is in the commit alone")
		}
	}
	slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(append(faults, err)...)
}

// git gives what git prints about a folder.
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

// misleadsGit says whether a variable could have git look at other objects, or at another repository, than those of the
// folder. Where to look for the repository, and settings such as safe.directory, are left to the user.
func misleadsGit(variable string) bool {
	name, _, _ := strings.Cut(variable, "=")
	allowed := name == "GIT_CEILING_DIRECTORIES" || name == "GIT_DISCOVERY_ACROSS_FILESYSTEM" || strings.HasPrefix(name, "GIT_CONFIG")
	return strings.HasPrefix(name, "GIT_") && !allowed || name == "LC_ALL"
}
