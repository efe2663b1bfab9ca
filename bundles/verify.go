package bundles

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/keys"
	"github.com/open-policy-agent/opa/v1/util"

	"github.com/wardkeeper/wardkeeper/pdp/rotation"
)

// Verification says by which keys a bundle's signature has to hold.
type Verification struct {
	// Keys are by key id, as OPA's configuration names them. Several are valid at a time, so that keys can be rotated.
	Keys map[string]*keys.Config
	// Public are further keys without an id: any of them will do.
	Public []PublicKey
	// KeyID is the one key that counts; "" lets the signature say by which it was made.
	KeyID string
	// Scope has to be that of the signature.
	Scope string
	// Required refuses a bundle without signature. One that has a signature is verified all the same if there are keys.
	Required bool
}

// PublicKey is a key that verifies, with the algorithms that suit it.
type PublicKey struct {
	pem        string
	Algorithms []string // that the key can verify
}

// ParsePublicKeys reads a file of PEM blocks, each of them a public key or a certificate, RSA or ECDSA. A file with a
// private key is refused: it does not belong on a machine that only verifies.
func ParsePublicKeys(data []byte) ([]PublicKey, error) {
	if err := rotation.WholePEM(data); err != nil {
		return nil, err
	}
	var all []PublicKey
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		key, err := publicKey(block)
		if err != nil {
			return nil, err
		}
		all = append(all, key)
	}
	if len(all) == 0 {
		return nil, errors.New("there is no public key in it: write one as PEM, such as `openssl pkey -pubout` prints it")
	}
	return all, nil
}

func publicKey(block *pem.Block) (PublicKey, error) {
	var parsed any
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		parsed, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		parsed, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		var certificate *x509.Certificate
		if certificate, err = x509.ParseCertificate(block.Bytes); err == nil {
			parsed = certificate.PublicKey
		}
	default:
		return PublicKey{}, fmt.Errorf("%q is no public key: verifying needs the public half alone", block.Type)
	}
	if err != nil {
		return PublicKey{}, fmt.Errorf("a public key cannot be read: %w", err)
	}
	key := PublicKey{pem: string(pem.EncodeToMemory(block))}
	switch parsed := parsed.(type) {
	case *rsa.PublicKey:
		key.Algorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
	case *ecdsa.PublicKey:
		switch parsed.Curve {
		case elliptic.P256():
			key.Algorithms = []string{"ES256"}
		case elliptic.P384():
			key.Algorithms = []string{"ES384"}
		case elliptic.P521():
			key.Algorithms = []string{"ES512"}
		}
	}
	if key.Algorithms == nil {
		return PublicKey{}, errors.New("a public key is neither RSA nor ECDSA on a curve of NIST")
	}
	return key, nil
}

func (v *Verification) empty() bool { return len(v.Keys) == 0 && len(v.Public) == 0 }

// signed is what a valid signature says: the files, and the id of the key that it was verified by.
type signed struct {
	files map[string]bundle.FileInfo
	keyID string
}

// authenticate verifies the signature itself, by which nothing else of the bundle is read. It gives nil where there is
// none and need not be, or no key to verify it by.
func (v *Verification) authenticate(sent []byte, limits Limits) (*signed, error) {
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
		return nil, Refusef(Signature, "its signatures cannot be read: %s are no signatures of a bundle", SignaturesFile)
	}
	files, keyID, err := v.signature(signatures, headerOf(signatures))
	if err != nil {
		return nil, err
	}
	return &signed{files, keyID}, nil
}

const (
	// maxSignatures is how many values there may be around the signatures of a bundle: there is one of them.
	maxSignatures = 100
	// maxHeader is the most bytes of a signature's header.
	maxHeader = 64 << 10
)

// boundSignatures bounds what a signature makes when it is read, which has to be before it is known to be good.
func boundSignatures(sent []byte, limits Limits) error {
	rest := maxSignatures
	if _, err := readDocument(File{SignaturesFile, sent}, &rest); err != nil {
		return err
	}
	// A name that comes twice would be one value here and could be another elsewhere.
	if !jsontext.Value(sent).IsValid() {
		return Refusef(Malformed, "its %s is no JSON, or has a name twice", SignaturesFile)
	}
	var all struct{ Signatures []string }
	if json.Unmarshal(sent, &all) != nil || len(all.Signatures) != 1 {
		return nil // which is refused as what it is
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
	if _, err := readDocument(File{SignaturesFile, decoded}, &rest); AsRefusal(err, Malformed).Reason == TooLarge {
		return err
	}
	return nil
}

// verify checks every file of an archive by what was signed, nil for nothing, and its data files by our own rules. Files
// are read no further than the signature needs until it holds for them.
func (s *signed) verify(a *Archive, limits Limits) error {
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
		var doc *document
		if structured(f.Name) {
			var err error
			if doc, err = readDocument(f, &rest); err != nil {
				return s.unread(f, err)
			}
			if f.Name == ManifestFile && !jsontext.Value(f.Data).IsValid() {
				return Refusef(Malformed, "its %s is no JSON, or has a name twice", ManifestFile)
			}
		}
		if s != nil {
			if err := holds(f, s.files[f.Name]); err != nil {
				return err
			}
		}
		if doc != nil {
			wrong = append(wrong, doc.strict())
		}
	}
	return errors.Join(wrong...)
}

// unread is why a file cannot be read: a signature cannot hold for it then.
func (s *signed) unread(f File, err error) error {
	if s != nil && f.Name != ManifestFile && AsRefusal(err, Malformed).Reason == Malformed {
		return Refusef(Signature, "its signature does not hold: %w", err)
	}
	return err
}

// sameFiles compares names: a file more or less needs no look into any.
func (s *signed) sameFiles(a *Archive) error {
	missing := maps.Clone(s.files)
	for _, f := range a.Files {
		if _, ok := s.files[f.Name]; !ok && f.Name != SignaturesFile {
			return Refusef(Signature, "its signature does not hold: %q is not signed", short(f.Name))
		}
		delete(missing, f.Name)
	}
	if len(missing) > 0 {
		names := slices.Sorted(maps.Keys(missing))
		return Refusef(Signature, "files that were signed are missing: %s", short(strings.Join(names, ", ")))
	}
	return nil
}

// holds compares a file with what was signed.
func holds(f File, info bundle.FileInfo) error {
	if weak := info.Algorithm; weak == string(bundle.MD5) || weak == string(bundle.SHA1) {
		return Refusef(Signature, "%q is signed by %s, which can be forged: sign with SHA-256", short(f.Name), weak)
	}
	hasher, err := bundle.NewSignatureHasher(bundle.HashingAlgorithm(info.Algorithm))
	if err != nil {
		return Refusef(Signature, "%q is signed by %q, which is not known", short(f.Name), short(info.Algorithm))
	}
	found, err := SignedHash(hasher, f)
	if err != nil {
		return Refusef(Signature, "its signature does not hold: %q cannot be read", short(f.Name))
	}
	if wanted, err := hex.DecodeString(info.Hash); err != nil || !bytes.Equal(found, wanted) {
		return Refusef(Signature, "its signature does not hold for what is in it: %s is not what was signed", short(f.Name))
	}
	return nil
}

// signature gives the files that a valid signature names, and the id of the key that it was verified by; "" where that has
// none, whatever the signature says.
func (v *Verification) signature(s bundle.SignaturesConfig, header SignatureHeader) (files map[string]bundle.FileInfo, keyID string, err error) {
	if s.Plugin != "" && s.Plugin != "_default" {
		return nil, "", Refusef(Signature, "it is signed in a way that is not known (%q)", short(s.Plugin))
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
			id = "" // named in a way that OPA has given up
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
		return nil, "", Refusef(Signature, "it is signed by a key that is not known here (key id %q%s)", short(id), v.known())
	}
	return nil, "", Refusef(Signature, "its signature does not hold by the key %q: %q", short(id), short(err.Error()))
}

// known lists the key ids for a message.
func (v *Verification) known() string {
	if len(v.Keys) == 0 {
		return ""
	}
	return "; known are " + strings.Join(slices.Sorted(maps.Keys(v.Keys)), ", ")
}

// SignatureHeader is what a signature says of itself before it is verified.
type SignatureHeader struct {
	KeyID     string `json:"kid"`
	Algorithm string `json:"alg"`
}

// SignatureHeader gives what the signature says of itself; false where there is no signature.
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
		_ = json.Unmarshal(data, &h) // what cannot be read is no header, and verifies by no key
	}
	return h
}

// Fingerprint tells verifications apart: what is refused under one may be good under another.
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

// SignedHash hashes a file as OPA's signatures do: tables and manifest by what they say, anything else by its bytes.
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
