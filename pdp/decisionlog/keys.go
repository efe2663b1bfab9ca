package decisionlog

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/wardkeeper/wardkeeper/pdp/rotation"
)

// KeyID returns the id that a signature names its key by: the first half of the hash of the key, in hexadecimal.
func KeyID(key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:keyDigits/2])
}

// ParseSigningKey parses an Ed25519 private key in PEM (PKCS #8). Errors do not quote the file.
func ParseSigningKey(data []byte) (ed25519.PrivateKey, error) {
	block, _ := pem.Decode(data)
	switch {
	case block == nil:
		return nil, errors.New("it holds no private key: make one by `wardkeeper log key`")
	case block.Type == "PUBLIC KEY":
		return nil, errors.New("it holds the public half: signing needs the private key")
	case block.Type != "PRIVATE KEY":
		return nil, fmt.Errorf("%q is not an Ed25519 key: make one by `wardkeeper log key`", block.Type)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("cannot read the private key: %w", err)
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, errors.New("the private key is not Ed25519: make one by `wardkeeper log key`")
	}
	return key, nil
}

// ParseVerificationKeys parses Ed25519 public keys in PEM, one or more. It refuses private keys, which do not belong where a log
// is only verified.
func ParseVerificationKeys(data []byte) ([]ed25519.PublicKey, error) {
	if err := rotation.WholePEM(data); err != nil {
		return nil, err
	}
	var keys []ed25519.PublicKey
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "PUBLIC KEY" {
			return nil, fmt.Errorf("%q is not a public key: name the public half", block.Type)
		}
		parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("cannot read a public key: %w", err)
		}
		key, ok := parsed.(ed25519.PublicKey)
		if !ok {
			return nil, errors.New("a public key is not Ed25519")
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.New("it holds no public key: `openssl pkey -pubout` prints that of a private key")
	}
	return keys, nil
}

// EncodeKey returns a private key in PEM, and its public half.
func EncodeKey(key ed25519.PrivateKey) (private, public []byte, err error) {
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	shown, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: shown}), nil
}
