package bundles

import (
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// ReadTree reads a directory of policy: what OPA's own tools read of it, and no tests.
func ReadTree(files fs.FS, limits Limits) (*Archive, error) {
	return ReadMatching(files, IsPolicyFile, limits)
}

// ReadMatching reads the files of a directory whose names match.
func ReadMatching(files fs.FS, counts func(name string) bool, limits Limits) (*Archive, error) {
	limits = limits.WithDefaults()
	b := builder{limits: limits}
	rest := limits.Inflated
	every := func(string) bool { return true }
	err := WalkTree(files, every, func(name string) error {
		if !counts(name) {
			b.passed = addNotLoaded(b.passed, name)
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

// NotLoaded names the files of a tree that look like policy or data and are neither, some of them where there are many.
func NotLoaded(files fs.FS) (names []string, err error) {
	err = WalkTree(files, func(string) bool { return true }, func(name string) error {
		names = addNotLoaded(names, name)
		return nil
	})
	return names, err
}

// WalkTree visits the files of a tree of policy that count. It stays out of folders such as ..data, where Kubernetes has the files
// of a mounted volume a second time, behind the links to them.
func WalkTree(files fs.FS, counts func(name string) bool, visit func(name string) error) error {
	return fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && strings.HasPrefix(entry.Name(), ".."):
			return fs.SkipDir
		case entry.IsDir() || !counts(name):
			return nil
		}
		return visit(name)
	})
}

// readTreeFile reads a file, or a byte more than may be read of it.
func readTreeFile(files fs.FS, name string, limit int64) ([]byte, error) {
	info, err := fs.Stat(files, name) // where a link leads to
	if err == nil && !info.Mode().IsRegular() {
		err = Refusef(Malformed, "%q is no regular file", short(name)) // to open a pipe would wait for its writer
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
