package bundles

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
)

// parse reads what the policy files say, and takes over what the manifest says of the revision.
func (r *Revision) parse(a *Archive) (content bundle.Bundle, err error) {
	files := policyFiles(a)
	if len(files) == 0 {
		return content, errors.New("there are no *.rego files here")
	}
	if r.ID, err = contentID(files); err != nil {
		return content, err
	}
	content, err = bundle.NewCustomReader(&archiveLoader{files: files}).
		WithSkipBundleVerification(true). // it has been verified, or need not be
		WithCapabilities(Capabilities()).
		WithRegoVersion(ast.RegoV1).
		WithLazyLoadingMode(false).
		Read()
	if errs, ok := errors.AsType[ast.Errors](err); ok { // they quote the line, however long it is
		return content, refuse(Compile, "%w", faults(errs))
	}
	if err != nil {
		return content, refuse(reasonOf(err), "%w", err)
	}
	if r.Sequence, err = sequence(content.Manifest); err != nil {
		return content, err
	}
	if r.Label = content.Manifest.Revision; len(r.Label) > maxName || strings.ContainsFunc(r.Label, unicode.IsControl) {
		return content, refuse(Malformed, "the revision in its manifest is too long, or has control characters")
	}
	return content, nil
}

// reasonOf tells what OPA's reader found wrong: content outside of the roots, or the rest.
func reasonOf(err error) Reason {
	if strings.Contains(err.Error(), "manifest roots") || strings.Contains(err.Error(), "overlapped roots") {
		return Roots
	}
	return Malformed
}

// contentID hashes names and contents in the order of the names. Tables count by what they say, as OPA's signatures do.
func contentID(files []File) (string, error) {
	hasher, err := bundle.NewSignatureHasher(bundle.SHA256)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for _, f := range files {
		hash, err := signedHash(hasher, f)
		if err != nil {
			return "", fmt.Errorf("%s: %w", f.Name, err)
		}
		fmt.Fprintf(sum, "%d:%s:%x:", len(f.Name), f.Name, hash)
	}
	return hex.EncodeToString(sum.Sum(nil))[:12], nil
}
