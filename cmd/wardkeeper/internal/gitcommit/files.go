package gitcommit

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// maxSize limits the size of the files in bytes; it is the limit of an unpacked bundle.
const maxSize = 64 << 20

// committedFiles holds the files of a commit by their path below a folder. A link or a nested repository is nil.
type committedFiles map[string][]byte

// readFiles reads the files from the commit itself. The folder, the index and git's attributes have no effect.
func (t Tree) readFiles(ctx context.Context) (committedFiles, error) {
	id, err := head(ctx, t.Dir)
	if err != nil {
		return nil, err
	}
	listed, err := git(ctx, t.Dir, nil, "ls-tree", "-r", "-l", "-z", id)
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
		case kind == "commit" && !t.mayContain(name) || kind != "commit" && !t.IsPart(name):
			continue
		case kind == "commit" || mode == "120000":
			all[name] = nil
			continue
		}
		n, err := strconv.ParseInt(words[3], 10, 64)
		if size += n; err != nil || size > maxSize {
			return nil, fmt.Errorf("the files of the commit are larger than %d bytes together", maxSize)
		}
		names = append(names, name)
		fmt.Fprintln(&ids, object)
	}
	blobs, err := git(ctx, t.Dir, &ids, "cat-file", "--batch")
	if err != nil {
		return nil, err
	}
	return all, all.add(names, blobs)
}

// mayContain reports whether a folder could contain parts of the release.
func (t Tree) mayContain(folder string) bool {
	return t.IsPart(folder+"/data.yaml") || t.IsPart(folder+"/x.rego")
}

// add parses the output of cat-file --batch: for each object a line that ends with the size, the content, and a newline.
func (c committedFiles) add(names []string, blobs string) error {
	for _, name := range names {
		line, rest, _ := strings.Cut(blobs, "\n")
		words := strings.Fields(line)
		size := -1
		if len(words) == 3 && words[1] == "blob" {
			size, _ = strconv.Atoi(words[2])
		}
		if size < 0 || len(rest) <= size {
			return fmt.Errorf("cannot read %s from the commit", name)
		}
		c[name], blobs = []byte(rest[:size]), rest[size+1:]
	}
	return nil
}

// asFS returns the files as a file system: a .zip in memory.
func (c committedFiles) asFS() (fs.FS, error) {
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	for name, data := range c {
		if data == nil {
			continue
		}
		if !fs.ValidPath(name) || strings.Contains(name, "\\") {
			return nil, fmt.Errorf("%q is not a valid name for a file of a bundle", name)
		}
		file, err := archive.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err != nil {
			return nil, err
		}
		if _, err := file.Write(data); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	return zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
}

// compare compares the folder with the commit byte by byte, because git may have been told to ignore a difference.
func (t Tree) compare(committed committedFiles) error {
	var faults []error
	fault := func(name, why string) {
		faults = append(faults, fmt.Errorf("%s is not committed: %s", path.Join(t.Dir, name), why))
	}
	folder := os.DirFS(t.Dir)
	found := map[string]bool{}
	err := bundles.WalkTree(folder, t.IsPart, func(name string) error {
		found[name] = true
		data, known := committed[name]
		if !known {
			fault(name, "it is only in the folder")
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
			fault(name, "it differs from the commit, even if git was told to ignore that")
		}
		return nil
	})
	for name, data := range committed {
		switch {
		case data == nil:
			fault(name, "a link or a nested repository has its content elsewhere")
		case !found[name]:
			fault(name, "it is only in the commit")
		}
	}
	slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(append(faults, err)...)
}
