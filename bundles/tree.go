package bundles

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
)

// tree is the content of a directory of policy.
type tree struct {
	id      string
	content bundle.Bundle
}

// readTree reads what OPA's own tools read of a directory, without the tests.
func readTree(files fs.FS) (tree, error) {
	id, err := contentID(files)
	if err != nil {
		return tree{}, err
	}
	loader, err := bundle.NewFSLoader(files)
	if err != nil {
		return tree{}, err
	}
	loader = loader.WithSizeLimitBytes(maxFileBytes).WithFilter(func(abspath string, info fs.FileInfo, _ int) bool {
		return !info.IsDir() && !isPolicy(abspath)
	})
	content, err := bundle.NewCustomReader(loader).
		WithSkipBundleVerification(true).
		WithSizeLimitBytes(maxFileBytes).
		WithCapabilities(Capabilities()).
		WithRegoVersion(ast.RegoV1).
		Read()
	if err != nil {
		return tree{}, err
	}
	return tree{id: id, content: content}, nil
}

// contentID hashes names and contents, in the order of the names.
func contentID(files fs.FS) (string, error) {
	sum := sha256.New()
	count := 0
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !isPolicy(name) {
			return err
		}
		if count++; count > maxFiles {
			return fmt.Errorf("more than %d files", maxFiles)
		}
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%d:%s:%d:", len(name), name, len(data))
		sum.Write(data)
		return nil
	})
	if err != nil {
		return "", err
	}
	if count == 0 {
		return "", errors.New("there are no *.rego files here")
	}
	return hex.EncodeToString(sum.Sum(nil))[:12], nil
}

func isPolicy(name string) bool {
	base := path.Base(name)
	return base == "data.yaml" || base == "data.json" || base == ".manifest" ||
		strings.HasSuffix(base, ".rego") && !strings.HasSuffix(base, "_test.rego")
}
