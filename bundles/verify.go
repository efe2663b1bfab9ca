package bundles

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/keys"
	"github.com/open-policy-agent/opa/v1/util"
)

// Verification says which keys may sign a bundle.
type Verification struct {
	// Keys are the keys by key id, as in OPA's configuration. Several can be valid at once, so that keys can be rotated.
	Keys map[string]*keys.Config
	// Public are further keys without an id. A signature by any of them is valid.
	Public []PublicKey
	// KeyID is the only key that is accepted; "" lets the signature name the key.
	KeyID string
	// Scope must equal the scope of the signature.
	Scope string
	// Required refuses a bundle without a signature. If there are keys, a signature is verified even if it is not required.
	Required bool
}

func (v *Verification) empty() bool { return len(v.Keys) == 0 && len(v.Public) == 0 }

// signed has the files that a valid signature covers, and the id of the key that verified it.
type signed struct {
	files map[string]bundle.FileInfo
	keyID string
}

// verifySignature verifies the signature itself and reads nothing else of the bundle. It returns nil if there is no
// signature and none is required, or if there is no key to verify it with.
func (v *Verification) verifySignature(sent []byte, limits Limits) (*signed, error) {
	switch {
	case sent == nil && v.Required:
		return nil, Refusef(Unsigned, "it is not signed: sign it, or allow unsigned bundles of this source")
	case sent == nil || v.empty() && !v.Required:
		return nil, nil
	}
	if err := boundSignatures(sent, limits); err != nil {
		return nil, err
	}
	var signatures bundle.SignaturesConfig
	if err := json.Unmarshal(sent, &signatures); err != nil {
		return nil, Refusef(Signature, "cannot read its signatures: %s is not a signatures file", SignaturesFile)
	}
	files, keyID, err := v.signature(signatures, headerOf(signatures))
	if err != nil {
		return nil, err
	}
	return &signed{files, keyID}, nil
}

const (
	// maxSignatures bounds the values of the signatures file: a bundle has one signature.
	maxSignatures = 100
	// maxHeader bounds the header of a signature, in bytes.
	maxHeader = 64 << 10
)

// boundSignatures bounds the memory that parsing the signatures takes: they must be parsed before they can be verified.
func boundSignatures(sent []byte, limits Limits) error {
	rest := maxSignatures
	if _, err := measureDataFile(File{SignaturesFile, sent}, &rest); err != nil {
		return err
	}
	// Readers differ in which value of a duplicate name they use.
	if !jsontext.Value(sent).IsValid() {
		return Refusef(Malformed, "its %s is not JSON, or has a name twice", SignaturesFile)
	}
	var all struct{ Signatures []string }
	if json.Unmarshal(sent, &all) != nil || len(all.Signatures) != 1 {
		return nil // verifying refuses it
	}
	header, token, _ := strings.Cut(all.Signatures[0], ".")
	payload, _, _ := strings.Cut(token, ".")
	if len(header) > maxHeader {
		return Refusef(TooLarge, "the header of its signature is larger than %d bytes", maxHeader)
	}
	decoded, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return nil
	}
	rest = 10*limits.Files + maxSignatures
	if _, err := measureDataFile(File{SignaturesFile, decoded}, &rest); AsRefusal(err, Malformed).Reason == TooLarge {
		return err
	}
	return nil
}

// verifyFiles checks every file of an archive against the signed ones, unless s is nil, and parses the data files strictly.
// Until a file is verified, no more of it is read than verifying takes.
func (s *signed) verifyFiles(a *Archive, limits Limits) error {
	if s != nil {
		if err := s.sameFiles(a); err != nil {
			return err
		}
	}
	rest := limits.Nodes
	var wrong []error
	for _, f := range a.Files {
		if f.Name == SignaturesFile {
			continue
		}
		var doc *dataFile
		if structured(f.Name) {
			var err error
			if doc, err = measureDataFile(f, &rest); err != nil {
				return s.unreadable(f, err)
			}
			if f.Name == ManifestFile && !jsontext.Value(f.Data).IsValid() {
				return Refusef(Malformed, "its %s is not JSON, or has a name twice", ManifestFile)
			}
		}
		if s != nil {
			if err := verifyFile(f, s.files[f.Name]); err != nil {
				return err
			}
		}
		if doc != nil {
			wrong = append(wrong, doc.strict())
		}
	}
	return errors.Join(wrong...)
}

// unreadable returns the error for a file that cannot be read. If the file was signed, its signature cannot hold.
func (s *signed) unreadable(f File, err error) error {
	if s != nil && f.Name != ManifestFile && AsRefusal(err, Malformed).Reason == Malformed {
		return Refusef(Signature, "its signature is not valid: %w", err)
	}
	return err
}

// sameFiles compares names, which finds an additional or missing file without reading any.
func (s *signed) sameFiles(a *Archive) error {
	missing := maps.Clone(s.files)
	for _, f := range a.Files {
		if _, ok := s.files[f.Name]; !ok && f.Name != SignaturesFile {
			return Refusef(Signature, "its signature is not valid: %q is not signed", short(f.Name))
		}
		delete(missing, f.Name)
	}
	if len(missing) > 0 {
		names := slices.Sorted(maps.Keys(missing))
		return Refusef(Signature, "files that were signed are missing: %s", short(strings.Join(names, ", ")))
	}
	return nil
}

// verifyFile compares a file with its signed hash.
func verifyFile(f File, info bundle.FileInfo) error {
	if weak := info.Algorithm; weak == string(bundle.MD5) || weak == string(bundle.SHA1) {
		return Refusef(Signature, "%q is hashed by %s, which can be forged: sign with SHA-256", short(f.Name), weak)
	}
	hasher, err := bundle.NewSignatureHasher(bundle.HashingAlgorithm(info.Algorithm))
	if err != nil {
		return Refusef(Signature, "%q is hashed by an unknown algorithm (%q)", short(f.Name), short(info.Algorithm))
	}
	found, err := SignedHash(hasher, f)
	if err != nil {
		return Refusef(Signature, "its signature is not valid: cannot read %q", short(f.Name))
	}
	if wanted, err := hex.DecodeString(info.Hash); err != nil || !bytes.Equal(found, wanted) {
		return Refusef(Signature, "its signature is not valid: %q is not what was signed", short(f.Name))
	}
	return nil
}

// signature returns the files that a valid signature covers, and the id of the key that verified it. The id is "" if the
// key has none, whatever the signature says.
func (v *Verification) signature(s bundle.SignaturesConfig, header SignatureHeader) (files map[string]bundle.FileInfo, keyID string, err error) {
	if s.Plugin != "" && s.Plugin != "_default" {
		return nil, "", Refusef(Signature, "it is signed by an unknown plugin (%q)", short(s.Plugin))
	}
	id := v.KeyID
	if id == "" {
		id = header.KeyID
	}
	_, known := v.Keys[id]
	configured := bundle.NewVerificationConfig(v.Keys, v.KeyID, v.Scope, nil)
	signed, err := bundle.VerifyBundleSignature(s, configured)
	if err == nil {
		if !known {
			id = "" // OPA also accepts a key named in a deprecated way
		}
		return signed, id, nil
	}
	for _, key := range v.Public {
		if v.KeyID != "" || !slices.Contains(key.Algorithms, header.Algorithm) {
			continue
		}
		one := map[string]*keys.Config{"key": {Key: key.pem, Algorithm: header.Algorithm}}
		if signed, err := bundle.VerifyBundleSignature(s, bundle.NewVerificationConfig(one, "key", v.Scope, nil)); err == nil {
			return signed, "", nil
		}
	}
	if !known {
		return nil, "", Refusef(Signature, "it is signed by an unknown key (key id %q%s)", short(id), v.known())
	}
	return nil, "", Refusef(Signature, "its signature is not valid by the key %q: %q", short(id), short(err.Error()))
}

// known lists the key ids for a message.
func (v *Verification) known() string {
	if len(v.Keys) == 0 {
		return ""
	}
	return "; known: " + strings.Join(slices.Sorted(maps.Keys(v.Keys)), ", ")
}

// SignatureHeader is what a signature says about itself. It is not verified.
type SignatureHeader struct {
	KeyID     string `json:"kid"`
	Algorithm string `json:"alg"`
}

// SignatureHeader returns what the signature says about itself; signed is false if there is none.
func (a *Archive) SignatureHeader() (h SignatureHeader, signed bool) {
	sent := a.Find(SignaturesFile)
	if sent == nil {
		return h, false
	}
	var signatures bundle.SignaturesConfig
	if json.Unmarshal(sent, &signatures) != nil {
		return h, true
	}
	return headerOf(signatures), true
}

func headerOf(s bundle.SignaturesConfig) (h SignatureHeader) {
	if len(s.Signatures) != 1 {
		return h
	}
	first, _, _ := strings.Cut(s.Signatures[0], ".")
	if data, err := base64.RawURLEncoding.DecodeString(first); err == nil {
		_ = json.Unmarshal(data, &h) // an unreadable header is left empty, and no key verifies it
	}
	return h
}

// Fingerprint identifies the keys and options: a bundle refused under some may be good under others.
func (v *Verification) Fingerprint() string {
	sum := sha256.New()
	fmt.Fprintf(sum, "%q %q %t", v.KeyID, v.Scope, v.Required)
	for _, id := range slices.Sorted(maps.Keys(v.Keys)) {
		key := v.Keys[id]
		fmt.Fprintf(sum, " %q %q %q %q", id, key.Algorithm, key.Scope, key.Key)
	}
	for _, key := range v.Public {
		fmt.Fprintf(sum, " %q", key.pem)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// SignedHash hashes a file as OPA's signatures do: data and manifest by their values, all other files by their bytes.
func SignedHash(hasher bundle.SignatureHasher, f File) ([]byte, error) {
	var value any = f.Data
	if bundle.IsStructuredDoc(f.Name) {
		value = nil
		if err := util.Unmarshal(f.Data, &value); err != nil {
			return nil, err
		}
	}
	return hasher.HashFile(value)
}
