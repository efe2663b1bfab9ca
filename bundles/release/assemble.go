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
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/internal/atomicfile"
)

// Metadata names a bundle among all that were and will be.
type Metadata struct {
	Revision string // what its author calls it
	Sequence int64  // its place in the order of releases, above 0
}

// Bundle makes the archive: the policy's own files as they are, golden decisions (nil for none) as JSON, and the
// manifest. Without roots they are those of the tree's own manifest, or else the first segments of packages and data. The
// same draft gives the same archive.
func (d *SourceTree) Bundle(meta Metadata, roots []string, golden []byte) (*bundles.Archive, error) {
	files := slices.DeleteFunc(slices.Clone(d.policy.Files), func(f bundles.File) bool { return f.Name == bundles.ManifestFile })
	own := d.policy.Find(bundles.ManifestFile)
	if len(roots) == 0 {
		if roots = rootsOf(own); roots == nil {
			roots = d.roots()
		}
	}
	roots = trimmed(roots)
	if golden != nil {
		if _, has := d.content.Data[bundles.GoldenRoot]; has {
			return nil, errors.New("the tree has golden decisions of its own: leave them out, or do not name others (--golden)")
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

// Rerelease is the same content as another release. The signature of the old one is left out.
func Rerelease(a *bundles.Archive, meta Metadata) (*bundles.Archive, error) {
	manifest, err := manifestOf(a.Find(bundles.ManifestFile), func(map[string]any) {}, meta)
	if err != nil {
		return nil, err
	}
	files := slices.DeleteFunc(slices.Clone(a.Files), func(f bundles.File) bool { return f.Name == bundles.ManifestFile || f.Name == bundles.SignaturesFile })
	return bundles.NewArchive(append(files, bundles.File{Name: bundles.ManifestFile, Data: manifest}))
}

// Next names a new release of old content, and gives the sequence of the old one. The new one is later than that
// and than any made from a commit until now, unless sequence says which it is (0 does not). It is called after the old
// one, such as "1714d1d+1795691474"; of a release that was one already, the name does not grow.
func Next(a *bundles.Archive, now time.Time, sequence int64) (next Metadata, before int64, err error) {
	content, err := bundles.Parse(a)
	if err != nil {
		return next, 0, err
	}
	name := content.Label
	if name == "" {
		name = content.ID
	}
	if sequence == 0 {
		sequence = max(content.Sequence+1, now.Unix())
	}
	name = strings.TrimSuffix(name, fmt.Sprintf("+%d", content.Sequence))
	return Metadata{Revision: fmt.Sprintf("%s+%d", name, sequence), Sequence: sequence}, content.Sequence, nil
}

// WriteFile writes an archive to a file, whole or not at all. Everybody may read it: policy is no secret.
func WriteFile(name string, a *bundles.Archive) error {
	var out bytes.Buffer
	if err := a.Write(&out); err != nil {
		return err
	}
	return atomicfile.Write(name, out.Bytes(), 0o644)
}

// roots are the first segments of whatever the policy defines.
func (d *SourceTree) roots() []string {
	found := map[string]bool{}
	for name := range d.content.Data {
		found[name] = true
	}
	for _, m := range d.content.Modules {
		if p := m.Parsed.Package.Path; len(p) > 1 {
			found[strings.Trim(p[1].Value.String(), `"`)] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// rootsOf are the roots that a manifest names, nil where it names none.
func rootsOf(manifest []byte) []string {
	var m struct {
		Roots []string `json:"roots"`
	}
	if json.Unmarshal(manifest, &m) != nil {
		return nil
	}
	return m.Roots
}

func trimmed(roots []string) []string {
	all := make([]string, 0, len(roots)+1)
	for _, root := range roots {
		if root = strings.Trim(root, "/"); !slices.Contains(all, root) {
			all = append(all, root)
		}
	}
	return all
}

// manifestOf is a manifest with another release. What it says besides is kept, and comes out in the order of the names.
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
			return nil, fmt.Errorf("the manifest cannot be read: %w", err)
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
