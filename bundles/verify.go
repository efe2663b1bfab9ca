package bundles

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/keys"
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
	algorithms []string
}

// ParsePublicKeys reads a file of PEM blocks, each of them a public key or a certificate, RSA or ECDSA. A file with a
// private key is refused: it does not belong on a machine that only verifies.
func ParsePublicKeys(data []byte) ([]PublicKey, error) {
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
		key.algorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
	case *ecdsa.PublicKey:
		switch parsed.Curve {
		case elliptic.P256():
			key.algorithms = []string{"ES256"}
		case elliptic.P384():
			key.algorithms = []string{"ES384"}
		case elliptic.P521():
			key.algorithms = []string{"ES512"}
		}
	}
	if key.algorithms == nil {
		return PublicKey{}, errors.New("a public key is neither RSA nor ECDSA on a curve of NIST")
	}
	return key, nil
}

func (v *Verification) empty() bool { return len(v.Keys) == 0 && len(v.Public) == 0 }

// verify checks the signature of an archive and every file by it, and gives the id of the key that signed; "" where the
// bundle is unsigned and may be.
func (v *Verification) verify(a *Archive) (keyID string, err error) {
	sent := a.Find(signaturesFile)
	switch {
	case sent == nil && v.Required:
		return "", refuse(Unsigned, "it is not signed: sign it, or allow unsigned bundles of this source")
	case sent == nil || v.empty() && !v.Required:
		return "", nil
	}
	var signatures bundle.SignaturesConfig
	if err := json.Unmarshal(sent, &signatures); err != nil {
		return "", refuse(Signature, "its signatures cannot be read: %w", err)
	}
	header := headerOf(signatures)
	signed, keyID, err := v.signature(signatures, header)
	if err != nil {
		return "", err
	}
	for _, f := range a.Files {
		if f.Name == signaturesFile {
			continue
		}
		if weak := signed[f.Name].Algorithm; weak == string(bundle.MD5) || weak == string(bundle.SHA1) {
			return "", refuse(Signature, "%s is signed by %s, which can be forged: sign with SHA-256", f.Name, weak)
		}
		if err := bundle.VerifyBundleFile(f.Name, *bytes.NewBuffer(f.Data), signed); err != nil {
			return "", refuse(Signature, "its signature does not hold for what is in it: %w", err)
		}
	}
	if len(signed) > 0 { // what holds is taken out
		return "", refuse(Signature, "files that were signed are missing: %s", strings.Join(slices.Sorted(maps.Keys(signed)), ", "))
	}
	return keyID, nil
}

// signature gives the files that a valid signature names, and the id of the key that it was verified by; "" where that has
// none, whatever the signature says.
func (v *Verification) signature(s bundle.SignaturesConfig, header tokenHeader) (files map[string]bundle.FileInfo, keyID string, err error) {
	if s.Plugin != "" && s.Plugin != "_default" {
		return nil, "", refuse(Signature, "it is signed in a way that is not known (%s)", short(s.Plugin))
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
		if v.KeyID != "" || !slices.Contains(key.algorithms, header.Algorithm) {
			continue
		}
		one := map[string]*keys.Config{"key": {Key: key.pem, Algorithm: header.Algorithm}}
		if signed, err := bundle.VerifyBundleSignature(s, bundle.NewVerificationConfig(one, "key", v.Scope, nil)); err == nil {
			return signed, "", nil
		}
	}
	if !known {
		return nil, "", refuse(Signature, "it is signed by a key that is not known here (key id %q%s)", short(id), v.known())
	}
	return nil, "", refuse(Signature, "its signature does not hold by the key %q: %w", short(id), err)
}

// known lists the key ids for a message.
func (v *Verification) known() string {
	if len(v.Keys) == 0 {
		return ""
	}
	return "; known are " + strings.Join(slices.Sorted(maps.Keys(v.Keys)), ", ")
}

// tokenHeader is what a signature says of itself before it is verified.
type tokenHeader struct {
	KeyID     string `json:"kid"`
	Algorithm string `json:"alg"`
}

func headerOf(s bundle.SignaturesConfig) (h tokenHeader) {
	if len(s.Signatures) != 1 {
		return h
	}
	first, _, _ := strings.Cut(s.Signatures[0], ".")
	if data, err := base64.RawURLEncoding.DecodeString(first); err == nil {
		_ = json.Unmarshal(data, &h) // what cannot be read is no header, and verifies by no key
	}
	return h
}
