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
	manifestFile   = ".manifest"
	signaturesFile = ".signatures.json"
)

// maxSequence is the highest that every reader of JSON takes as it is; far beyond, there is always another one.
const maxSequence = 1<<53 - 1

// sequenceKey is the member of the manifest's metadata that orders releases.
const sequenceKey = "sequence"

// checkSizes refuses tables whose reading would take too much. It looks at nothing but names and sizes.
func checkSizes(a *Archive, limits Limits) error {
	for _, f := range a.Files {
		if structured(f.Name) && int64(len(f.Data)) > limits.Table {
			return refuse(TooLarge, "%q is larger than %d bytes: divide it among several folders", short(f.Name), limits.Table)
		}
	}
	return nil
}

// checkContent refuses the kinds of bundle that OPA takes and we do not.
func checkContent(a *Archive) error {
	for _, f := range a.Files {
		switch base := path.Base(f.Name); {
		case base == "patch.json":
			return refuse(Malformed, "it is a delta (%q), which cannot be signed: release the whole bundle", short(f.Name))
		case base == "policy.wasm" || base == "plan.json" || base == "plan.pb":
			return refuse(Malformed, "it has compiled rules (%q), which nobody can read: build it with the target rego", short(f.Name))
		case strings.HasSuffix(base, ".manifest.pb"):
			return refuse(Malformed, "its manifest is in protobuf (%q): build it with one in JSON", short(f.Name))
		case strings.HasSuffix(base, manifestFile) && f.Name != manifestFile:
			return refuse(Malformed, "its manifest is not at its top (%q)", short(f.Name))
		case base == signaturesFile && f.Name != signaturesFile:
			return refuse(Malformed, "its signatures are not at its top (%q)", short(f.Name))
		}
	}
	return nil
}

// structured says whether a file is read into values, which is done before it is known by whom it was signed.
func structured(name string) bool {
	return bundle.IsStructuredDoc(name) || bundle.IsSignaturesFile(name)
}

// sequence reads the place of a release in the order of all; 0 where the manifest names none.
func sequence(m bundle.Manifest) (int64, error) {
	value, ok := m.Metadata[sequenceKey]
	if !ok || value == nil {
		return 0, nil
	}
	number, _ := value.(json.Number)
	n, err := number.Int64()
	if f, isFloat := value.(float64); isFloat && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		n, err = int64(f), nil
	}
	if err != nil || n < 1 || n > maxSequence {
		return 0, refuse(Malformed, "the sequence in its manifest is no whole number from 1 to %d", int64(maxSequence))
	}
	return n, nil
}

// checkRoots refuses an entrypoint that the manifest does not own.
func checkRoots(m bundle.Manifest, entrypoint string) error {
	if m.Roots != nil && !bundle.RootPathsContain(*m.Roots, entrypoint) {
		return refuse(Roots, "its roots (%s) do not have %s, the rule that decides", strings.Join(*m.Roots, ", "), entrypoint)
	}
	return nil
}

// goldenRoot is where a bundle keeps the decisions that have to come out the same; it is no part of the policy's data.
const goldenRoot = "golden"

// takeGolden takes the golden decisions out of the data and gives them as JSON, nil where there are none.
func takeGolden(data map[string]any) ([]byte, error) {
	golden, ok := data[goldenRoot]
	if !ok {
		return nil, nil
	}
	delete(data, goldenRoot)
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(golden)
	return out.Bytes(), err
}

// policyFiles are the files of an archive that make the policy.
func policyFiles(a *Archive) []File {
	return slices.DeleteFunc(slices.Clone(a.Files), func(f File) bool { return !isPolicy(f.Name) })
}
