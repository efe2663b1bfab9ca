package release

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/internal/atomicfile"
)

// Metadata identifies a release.
type Metadata struct {
	Revision string // the author's name for it
	Sequence int64  // orders it among all releases; at least 1
}

// Bundle makes the archive: the policy's files unchanged, golden decisions as JSON (nil for none), and a manifest. If there
// are no roots, it takes those of the tree's own manifest, or else the first segments of packages and data. The same tree
// gives the same archive.
func (t *SourceTree) Bundle(meta Metadata, roots []string, golden []byte) (*bundles.Archive, error) {
	files := slices.DeleteFunc(slices.Clone(t.policy.Files), func(f bundles.File) bool { return f.Name == bundles.ManifestFile })
	own := t.policy.Find(bundles.ManifestFile)
	if len(roots) == 0 {
		if roots = rootsOf(own); roots == nil {
			roots = t.roots()
		}
	}
	roots = cleanRoots(roots)
	if golden != nil {
		if _, has := t.content.Data[bundles.GoldenRoot]; has {
			return nil, errors.New("the tree has golden decisions of its own: remove them, or do not name others (--golden)")
		}
		files = append(files, bundles.File{Name: path.Join(bundles.GoldenRoot, "data.json"), Data: golden})
		if !slices.Contains(roots, "") && !slices.Contains(roots, bundles.GoldenRoot) {
			roots = append(roots, bundles.GoldenRoot)
		}
	}
	slices.Sort(roots)
	manifest, err := manifestOf(own, func(m map[string]any) {
		m["roots"] = roots
		m["rego_version"] = ast.RegoV1.Int()
	}, meta)
	if err != nil {
		return nil, err
	}
	return bundles.NewArchive(append(files, bundles.File{Name: bundles.ManifestFile, Data: manifest}))
}

// WriteFile writes an archive to a file atomically. Everyone may read the file: policy is not secret.
func WriteFile(name string, a *bundles.Archive) error {
	var out bytes.Buffer
	if err := a.Write(&out); err != nil {
		return err
	}
	return atomicfile.Write(name, out.Bytes(), 0o644)
}

// roots returns the first segments of everything that the policy defines.
func (t *SourceTree) roots() []string {
	found := map[string]bool{}
	for name := range t.content.Data {
		found[name] = true
	}
	for _, m := range t.content.Modules {
		if p := m.Parsed.Package.Path; len(p) > 1 {
			found[strings.Trim(p[1].Value.String(), `"`)] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// rootsOf returns the roots that a manifest names, or nil if it names none.
func rootsOf(manifest []byte) []string {
	var m struct {
		Roots []string `json:"roots"`
	}
	if json.Unmarshal(manifest, &m) != nil {
		return nil
	}
	return m.Roots
}

// cleanRoots removes leading and trailing slashes, and duplicates.
func cleanRoots(roots []string) []string {
	all := make([]string, 0, len(roots)+1)
	for _, root := range roots {
		if root = strings.Trim(root, "/"); !slices.Contains(all, root) {
			all = append(all, root)
		}
	}
	return all
}

// manifestOf returns a manifest with the metadata of the release replaced. Its other members are kept, sorted by name.
func manifestOf(before []byte, change func(map[string]any), meta Metadata) ([]byte, error) {
	switch {
	case meta.Revision == "":
		return nil, errors.New("a release needs a revision")
	case meta.Sequence < 1:
		return nil, errors.New("a release needs a sequence above 0")
	}
	m := map[string]any{}
	if before != nil {
		decoder := json.NewDecoder(bytes.NewReader(before))
		decoder.UseNumber()
		if err := decoder.Decode(&m); err != nil {
			return nil, fmt.Errorf("cannot read the manifest: %w", err)
		}
	}
	metadata, _ := m["metadata"].(map[string]any)
	if metadata == nil {
		metadata = map[string]any{}
	}
	metadata[bundles.SequenceKey] = meta.Sequence
	change(m)
	m["revision"], m["metadata"] = meta.Revision, metadata
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(m)
	return out.Bytes(), err
}
