package bundles

import (
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// ReadTree reads a directory of policy: the files that OPA's own tools read, except tests, and the changes that are approved.
func ReadTree(files fs.FS, limits Limits) (*Archive, error) {
	return ReadMatching(files, IsBundleFile, limits)
}

// ReadMatching reads the files of a directory whose names match.
func ReadMatching(files fs.FS, match func(name string) bool, limits Limits) (*Archive, error) {
	limits = limits.WithDefaults()
	b := builder{limits: limits}
	rest := limits.Inflated
	err := WalkTree(files, anyName, func(name string) error {
		if !match(name) {
			b.notLoaded = addNotLoaded(b.notLoaded, name)
			return nil
		}
		data, err := readTreeFile(files, name, rest)
		if err != nil {
			return err
		}
		if rest -= int64(len(data)); rest < 0 {
			return Refusef(TooLarge, "its files are larger than %d bytes together", limits.Inflated)
		}
		return b.add(name, data)
	})
	if err != nil {
		return nil, err
	}
	return b.archive()
}

// NotLoaded names the files of a directory that look like policy or data but are neither, at most 20 of them.
func NotLoaded(files fs.FS) (names []string, err error) {
	err = WalkTree(files, anyName, func(name string) error {
		names = addNotLoaded(names, name)
		return nil
	})
	return names, err
}

func anyName(string) bool { return true }

// WalkTree visits the files of a directory whose names match. It skips folders such as ..data: a volume mounted by
// Kubernetes has each file there a second time, behind the link to it.
func WalkTree(files fs.FS, match func(name string) bool, visit func(name string) error) error {
	return fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && strings.HasPrefix(entry.Name(), ".."):
			return fs.SkipDir
		case entry.IsDir() || !match(name):
			return nil
		}
		return visit(name)
	})
}

// readTreeFile reads a file, but at most one byte more than the limit.
func readTreeFile(files fs.FS, name string, limit int64) ([]byte, error) {
	info, err := fs.Stat(files, name) // follows links
	if err == nil && !info.Mode().IsRegular() {
		err = Refusef(Malformed, "%q is not a regular file", short(name)) // opening a pipe would block until somebody writes to it
	}
	if err != nil {
		return nil, err
	}
	file, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", short(name), err)
	}
	return data, nil
}
