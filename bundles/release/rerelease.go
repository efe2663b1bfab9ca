package release

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// Rerelease returns the same content as another release, without the old signature. approved replaces the changes that are approved; nil
// leaves them as they are.
func Rerelease(a *bundles.Archive, meta Metadata, approved []byte) (*bundles.Archive, error) {
	manifest, err := manifestOf(a.Find(bundles.ManifestFile), func(map[string]any) {}, meta)
	if err != nil {
		return nil, err
	}
	files := slices.DeleteFunc(slices.Clone(a.Files), func(f bundles.File) bool {
		return f.Name == bundles.ManifestFile || f.Name == bundles.SignaturesFile || f.Name == bundles.ApprovedFile && approved != nil
	})
	if approved != nil {
		files = append(files, bundles.File{Name: bundles.ApprovedFile, Data: approved})
	}
	return bundles.NewArchive(append(files, bundles.File{Name: bundles.ManifestFile, Data: manifest}))
}

// Next returns the metadata for releasing old content again, and the sequence that it had. The new sequence is the given
// one, or, if that is 0, greater than the old one and at least the current Unix time, so that it follows every commit until
// now. The new revision is the old one followed by the sequence, such as "1714d1d+1795691474"; releasing the same content
// twice does not make it longer.
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
