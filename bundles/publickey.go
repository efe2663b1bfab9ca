package bundles

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/wardkeeper/wardkeeper/pdp/rotation"
)

// PublicKey is a key that verifies signatures.
type PublicKey struct {
	pem        string
	Algorithms []string // the algorithms whose signatures the key can verify
}

// ParsePublicKeys parses PEM blocks, each an RSA or ECDSA public key or certificate. It refuses private keys, which do not
// belong on a machine that only verifies.
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
		return nil, errors.New("it holds no public key: write one as PEM, such as `openssl pkey -pubout` prints")
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
		return PublicKey{}, fmt.Errorf("%q is not a public key: name the public half", block.Type)
	}
	if err != nil {
		return PublicKey{}, fmt.Errorf("cannot read a public key: %w", err)
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
		return PublicKey{}, errors.New("a public key is neither RSA nor ECDSA on the curve P-256, P-384 or P-521")
	}
	return key, nil
}
