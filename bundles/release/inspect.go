package release

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// Contents describes a bundle: its manifest, signature, files and tables. Nothing in it has been checked, except the
// signature if Verified is set.
type Contents struct {
	ID          string      `json:"id"`                 // as in [bundles.Revision]
	Revision    string      `json:"revision,omitempty"` // the author's name for it
	Sequence    int64       `json:"sequence,omitempty"` // orders it among all releases
	Roots       []string    `json:"roots"`              // an empty root means all of data
	RegoVersion int         `json:"rego_version"`
	Signature   *Signature  `json:"signature"`   // null if it is not signed
	Entrypoints []string    `json:"entrypoints"` // the rules that METADATA comments mark as entrypoints
	Golden      int         `json:"golden"`      // the number of golden decisions
	Files       []FileEntry `json:"files"`
	Tables      []Table     `json:"tables"`
}

// Signature is what a signature says about itself.
type Signature struct {
	KeyID     string `json:"key_id,omitempty"`
	Algorithm string `json:"algorithm"`
	Verified  bool   `json:"verified"`
}

// FileEntry is a file of a bundle, with its size in bytes.
type FileEntry struct {
	Name string `json:"name"`
	Size int    `json:"size"`
}

// Inspect describes an archive. verified says whether its signature was verified. The error is a [*bundles.Refusal].
func Inspect(a *bundles.Archive, verified bool) (*Contents, error) {
	content, err := bundles.Parse(a)
	if err != nil {
		return nil, err
	}
	golden, err := content.TakeGolden()
	if err != nil {
		return nil, bundles.Refuse(bundles.Malformed, err)
	}
	c := &Contents{
		ID: content.ID, Revision: content.Label, Sequence: content.Sequence, Roots: []string{""}, RegoVersion: ast.RegoV1.Int(),
		Entrypoints: entrypoints(a), Golden: countGolden(golden), Tables: tablesOf(content.Data, writtenOrder(a)),
	}
	if header, signed := a.SignatureHeader(); signed {
		c.Signature = &Signature{KeyID: header.KeyID, Algorithm: header.Algorithm, Verified: verified}
	}
	if content.Manifest.Roots != nil {
		c.Roots = *content.Manifest.Roots
	}
	if v := content.Manifest.RegoVersion; v != nil {
		c.RegoVersion = *v
	}
	for _, f := range a.Files {
		c.Files = append(c.Files, FileEntry{f.Name, len(f.Data)})
	}
	return c, nil
}

func countGolden(golden []byte) int {
	var said struct {
		Decisions []json.RawMessage `json:"decisions"`
	}
	if golden == nil || json.Unmarshal(golden, &said) != nil {
		return 0
	}
	return len(said.Decisions)
}

// entrypoints returns the rules and packages that METADATA comments mark as entrypoints, as paths below data. A module with
// malformed metadata has none: decisions do not use metadata.
func entrypoints(a *bundles.Archive) []string {
	all := []string{}
	for _, f := range a.Files {
		if !bundles.IsPolicyFile(f.Name) || !strings.HasSuffix(f.Name, ".rego") {
			continue
		}
		module, err := ast.ParseModuleWithOpts(f.Name, string(f.Data), ast.ParserOptions{
			RegoVersion: ast.RegoV1, Capabilities: bundles.Capabilities(), ProcessAnnotation: true,
		})
		if err != nil || module == nil {
			continue
		}
		for _, annotation := range module.Annotations {
			if name := pathOf(annotation.GetTargetPath()); annotation.Entrypoint && !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	slices.Sort(all)
	return all
}

// pathOf returns a reference into data as a path, such as "authz/decision".
func pathOf(ref ast.Ref) string {
	var segments []string
	for _, term := range ref[min(1, len(ref)):] {
		if s, ok := term.Value.(ast.String); ok {
			segments = append(segments, string(s))
		}
	}
	return strings.Join(segments, "/")
}
