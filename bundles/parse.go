package bundles

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
)

// Content is the policy of an archive, parsed but not yet compiled.
type Content struct {
	ID       string // as for [Revision]
	Label    string // as for [Revision]
	Sequence int64  // as for [Revision]
	Manifest bundle.Manifest
	Data     map[string]any
	Modules  []bundle.ModuleFile
}

// Parse parses the policy files of an archive. It does not verify a signature: see [Verify]. The error is a [*Refusal].
func Parse(a *Archive) (*Content, error) {
	c, err := parse(a)
	if err != nil {
		return nil, AsRefusal(err, Malformed)
	}
	return c, nil
}

func parse(a *Archive) (*Content, error) {
	files := policyFiles(a)
	if len(files) == 0 {
		return nil, errors.New("there are no *.rego files")
	}
	c := &Content{}
	var err error
	if c.ID, err = contentID(files); err != nil {
		return nil, err
	}
	parsed, err := bundle.NewCustomReader(&archiveLoader{files: files}).
		WithSkipBundleVerification(true). // see Verify
		WithCapabilities(Capabilities()).
		WithRegoVersion(ast.RegoV1).
		WithLazyLoadingMode(false).
		Read()
	if errs, ok := errors.AsType[ast.Errors](err); ok { // each quotes a line of source, which may be long
		return nil, Refusef(Compile, "%w", compileErrors(errs))
	}
	if err != nil {
		return nil, Refusef(reasonOf(err), "%w", err)
	}
	c.Manifest, c.Data, c.Modules = parsed.Manifest, parsed.Data, parsed.Modules
	if c.Sequence, err = sequence(c.Manifest); err != nil {
		return nil, err
	}
	if c.Label = c.Manifest.Revision; len(c.Label) > maxName || strings.ContainsFunc(c.Label, unicode.IsControl) {
		return nil, Refusef(Malformed, "the revision in its manifest is too long or has control characters")
	}
	return c, nil
}

// ParseModules parses Rego files that are not part of the policy, such as tests, as [Parse] parses the others. The error
// joins all faults, one per line.
func ParseModules(files []File) ([]bundle.ModuleFile, error) {
	var all []bundle.ModuleFile
	var wrong []error
	for _, f := range files {
		module, err := ast.ParseModuleWithOpts(f.Name, string(f.Data), ast.ParserOptions{
			RegoVersion: ast.RegoV1, Capabilities: Capabilities(),
		})
		if found, ok := errors.AsType[ast.Errors](err); ok {
			err = compileErrors(found)
		}
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		if module == nil {
			continue // it has only comments
		}
		all = append(all, bundle.ModuleFile{URL: f.Name, Path: "/" + f.Name, Raw: f.Data, Parsed: module})
	}
	return all, errors.Join(wrong...)
}

// Compile checks that the content compiles as [Open] compiles it. The error joins all faults, one per line.
func (c *Content) Compile(ctx context.Context, entrypoint string, schema []byte) error {
	return (&Revision{Entrypoint: entrypoint}).compile(ctx, c, schema)
}

// reasonOf classifies an error of OPA's reader: Roots for content outside the manifest's roots, and otherwise Malformed.
func reasonOf(err error) Reason {
	if strings.Contains(err.Error(), "manifest roots") || strings.Contains(err.Error(), "overlapped roots") {
		return Roots
	}
	return Malformed
}

// contentID hashes names and contents in the order of the names. Data is hashed by its values: see [SignedHash].
func contentID(files []File) (string, error) {
	hasher, err := bundle.NewSignatureHasher(bundle.SHA256)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for _, f := range files {
		hash, err := SignedHash(hasher, f)
		if err != nil {
			return "", fmt.Errorf("%s: %w", f.Name, err)
		}
		fmt.Fprintf(sum, "%d:%s:%x:", len(f.Name), f.Name, hash)
	}
	return hex.EncodeToString(sum.Sum(nil))[:12], nil
}
