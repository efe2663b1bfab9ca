package bundles

import (
	"bytes"
	"encoding/json"
	"math"
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/bundle"
)

const (
	// ManifestFile and SignaturesFile are the names of the files that describe a bundle.
	ManifestFile   = ".manifest"
	SignaturesFile = ".signatures.json"
)

// maxSequence is the highest number that every reader of JSON represents exactly.
const maxSequence = 1<<53 - 1

// SequenceKey is the member of the manifest's metadata that orders releases.
const SequenceKey = "sequence"

// checkSizes refuses tables that would take too much memory to read. It examines only names and sizes.
func checkSizes(a *Archive, limits Limits) error {
	for _, f := range a.Files {
		if structured(f.Name) && int64(len(f.Data)) > limits.Table {
			return Refusef(TooLarge, "%q is larger than %d bytes: split it among several folders", short(f.Name), limits.Table)
		}
	}
	return nil
}

// checkContent refuses the kinds of bundle that OPA accepts but Wardkeeper does not.
func checkContent(a *Archive) error {
	for _, f := range a.Files {
		switch base := path.Base(f.Name); {
		case base == "patch.json":
			return Refusef(Malformed, "it is a delta bundle (%q), which cannot be signed: release the whole bundle", short(f.Name))
		case base == "policy.wasm" || base == "plan.json" || base == "plan.pb":
			return Refusef(Malformed, "it has compiled rules (%q), which nobody can review: build it with the target rego", short(f.Name))
		case strings.HasSuffix(base, ".manifest.pb"):
			return Refusef(Malformed, "its manifest is in protobuf (%q): build it with a manifest in JSON", short(f.Name))
		case strings.HasSuffix(base, ManifestFile) && f.Name != ManifestFile:
			return Refusef(Malformed, "its manifest is not at its top (%q)", short(f.Name))
		case base == SignaturesFile && f.Name != SignaturesFile:
			return Refusef(Malformed, "its signatures are not at its top (%q)", short(f.Name))
		}
	}
	return nil
}

// structured reports whether a file is parsed into values, which verifying its signature requires.
func structured(name string) bool {
	return bundle.IsStructuredDoc(name) || bundle.IsSignaturesFile(name)
}

// sequence returns the sequence of a release, or 0 if the manifest has none.
func sequence(m bundle.Manifest) (int64, error) {
	value, ok := m.Metadata[SequenceKey]
	if !ok || value == nil {
		return 0, nil
	}
	number, _ := value.(json.Number)
	n, err := number.Int64()
	if f, isFloat := value.(float64); isFloat && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		n, err = int64(f), nil
	}
	if err != nil || n < 1 || n > maxSequence {
		return 0, Refusef(Malformed, "the sequence in its manifest is not a whole number from 1 to %d", int64(maxSequence))
	}
	return n, nil
}

// checkRoots refuses an entrypoint outside the manifest's roots.
func checkRoots(m bundle.Manifest, entrypoint string) error {
	if m.Roots != nil && !bundle.RootPathsContain(*m.Roots, entrypoint) {
		return Refusef(Roots, "its roots (%s) do not contain %s, the rule that decides", strings.Join(*m.Roots, ", "), entrypoint)
	}
	return nil
}

// GoldenRoot is where a bundle keeps its golden decisions. They are not part of the policy's data.
const GoldenRoot = "golden"

// TakeGolden removes the golden decisions from the data and returns them as JSON, or nil if there are none.
func (c *Content) TakeGolden() ([]byte, error) {
	golden, ok := c.Data[GoldenRoot]
	if !ok {
		return nil, nil
	}
	delete(c.Data, GoldenRoot)
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(golden)
	return out.Bytes(), err
}

// policyFiles returns the files of an archive that are part of the policy.
func policyFiles(a *Archive) []File {
	return slices.DeleteFunc(slices.Clone(a.Files), func(f File) bool { return !IsPolicyFile(f.Name) })
}
