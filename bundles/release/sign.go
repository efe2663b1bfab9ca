package release

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/bundle"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// smallestRSA is the smallest length in bits of an RSA key that is considered safe.
const smallestRSA = 2048

// SigningKey signs bundles.
type SigningKey struct {
	ID        string // by which verifiers find the key
	Algorithm string // such as ES256

	pem    string
	public bundles.PublicKey
}

// ParseSigningKey parses an RSA or ECDSA private key in PEM. If algorithm is "", it is RS256, or the algorithm of the
// curve: ES256, ES384 or ES512. Errors do not quote the file.
func ParseSigningKey(data []byte, algorithm, id string) (*SigningKey, error) {
	block, err := privateBlock(data)
	if err != nil {
		return nil, err
	}
	var public any
	switch private, err := parsePrivate(block); key := private.(type) {
	case nil:
		return nil, fmt.Errorf("cannot read the private key: %w", err)
	case *rsa.PrivateKey:
		if bits := key.N.BitLen(); bits < smallestRSA {
			return nil, fmt.Errorf("the private key has %d bits: RSA needs at least %d", bits, smallestRSA)
		}
		public = &key.PublicKey
	case *ecdsa.PrivateKey:
		public = &key.PublicKey
	default:
		return nil, errors.New("the private key is neither RSA nor ECDSA: " +
			"make one of these, such as by `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`")
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("cannot use the private key: %w", err)
	}
	k := &SigningKey{ID: id, Algorithm: algorithm, pem: string(pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes}))}
	parsed, err := bundles.ParsePublicKeys(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	if err != nil {
		return nil, errors.New("the private key is ECDSA on an unsupported curve: use P-256, P-384 or P-521")
	}
	k.public = parsed[0]
	if k.Algorithm == "" {
		k.Algorithm = k.public.Algorithms[0]
	}
	if !slices.Contains(k.public.Algorithms, k.Algorithm) {
		return nil, fmt.Errorf("the private key cannot sign by %q: choose from %s", k.Algorithm, strings.Join(k.public.Algorithms, ", "))
	}
	return k, nil
}

// privateBlock finds the private key among the PEM blocks of a file.
func privateBlock(data []byte) (*pem.Block, error) {
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, errors.New("it holds no private key: write one as PEM, such as `openssl genpkey` prints")
		}
		switch {
		case block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
			return nil, errors.New("the private key is encrypted: decrypt it first, such as by `openssl pkey`, where nobody else can read it")
		case block.Type == "RSA PRIVATE KEY" || block.Type == "EC PRIVATE KEY" || block.Type == "PRIVATE KEY":
			return block, nil
		case block.Type == "EC PARAMETERS": // some tools write it before the key
		case block.Type == "PUBLIC KEY" || block.Type == "RSA PUBLIC KEY" || block.Type == "CERTIFICATE":
			return nil, fmt.Errorf("%q is the public half: signing needs the private key", block.Type)
		default:
			return nil, fmt.Errorf("%q is not a private key: write one as PEM, such as `openssl genpkey` prints", block.Type)
		}
	}
}

// parsePrivate returns an untyped nil with an error.
func parsePrivate(block *pem.Block) (any, error) {
	switch block.Type {
	case "RSA PRIVATE KEY":
		if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err != nil {
			return nil, err
		} else {
			return key, nil
		}
	case "EC PRIVATE KEY":
		if key, err := x509.ParseECPrivateKey(block.Bytes); err != nil {
			return nil, err
		} else {
			return key, nil
		}
	}
	return x509.ParsePKCS8PrivateKey(block.Bytes)
}

// Sign returns the archive with a signature over every file, in place of an earlier one. RS256, RS384 and RS512 give the
// same signature for the same archive; the other algorithms are randomized.
func (k *SigningKey) Sign(a *bundles.Archive) (*bundles.Archive, error) {
	if _, _, err := bundles.Verify(bundles.Config{Archive: a}); err != nil {
		return nil, err
	}
	files := slices.DeleteFunc(slices.Clone(a.Files), func(f bundles.File) bool { return f.Name == bundles.SignaturesFile })
	hasher, err := bundle.NewSignatureHasher(bundle.SHA256)
	if err != nil {
		return nil, err
	}
	infos := make([]bundle.FileInfo, 0, len(files))
	for _, f := range files {
		hash, err := bundles.SignedHash(hasher, f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		infos = append(infos, bundle.NewFile(f.Name, hex.EncodeToString(hash), bundle.SHA256.String()))
	}
	token, err := bundle.GenerateSignedToken(infos, bundle.NewSigningConfig(k.pem, k.Algorithm, ""), k.ID)
	if err != nil {
		return nil, fmt.Errorf("cannot sign the bundle: %w", err)
	}
	signatures, err := json.Marshal(bundle.SignaturesConfig{Signatures: []string{token}})
	if err != nil {
		return nil, err
	}
	signed, err := bundles.NewArchive(append(files, bundles.File{Name: bundles.SignaturesFile, Data: signatures}))
	if err != nil {
		return nil, err
	}
	own := &bundles.Verification{Public: []bundles.PublicKey{k.public}, Required: true}
	if _, _, err := bundles.Verify(bundles.Config{Archive: signed, Verification: own}); err != nil {
		return nil, fmt.Errorf("the new signature is not valid: %w", err)
	}
	return signed, nil
}
