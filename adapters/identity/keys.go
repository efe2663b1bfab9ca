package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/lestrrat-go/jwx/v3/jwk"

	"github.com/wardkeeper/wardkeeper/pdp/rotation"
)

// Limits on key sets.
const (
	maxKeySet = 256 << 10 // bytes
	maxKeys   = 100
	minRSA    = 2048 // bits
)

// keySource finds the keys that may have signed a token. Its error is [ErrUnavailable], or says that there is no such key.
type keySource interface {
	find(ctx context.Context, h header) ([]any, error)
}

// key is a public key of a set.
type key struct {
	id, algorithm string // "" if the set does not say
	public        any
}

// keySet is a parsed set.
type keySet []key

// parseKeySet reads a JSON Web Key Set (RFC 7517) and keeps the public keys that can verify signatures. It skips keys of
// unknown types, because issuers add new ones.
func parseKeySet(data []byte) (keySet, error) {
	set, err := jwk.Parse(data, jwk.WithIgnoreParseError(true))
	if err != nil {
		return nil, errors.New("it is not a JSON Web Key Set")
	}
	if set.Len() > maxKeys {
		return nil, fmt.Errorf("it has more than %d keys", maxKeys)
	}
	var keys keySet
	for i := range set.Len() {
		k, _ := set.Key(i)
		if usage, ok := k.KeyUsage(); ok && usage != "sig" {
			continue
		}
		if operations, ok := k.KeyOps(); ok && !slices.Contains(operations, jwk.KeyOpVerify) {
			continue
		}
		public, ok := publicKey(k)
		if !ok {
			continue
		}
		found := key{public: public}
		found.id, _ = k.KeyID()
		if algorithm, ok := k.Algorithm(); ok {
			found.algorithm = algorithm.String()
		}
		keys = append(keys, found)
	}
	if len(keys) == 0 {
		return nil, errors.New("it has no public key that can verify a signature")
	}
	return keys, nil
}

// publicKey returns a key as a type of the standard library. It rejects symmetric and private keys, which an issuer must not
// publish, and short RSA keys.
func publicKey(k jwk.Key) (any, bool) {
	if private, err := jwk.IsPrivateKey(k); err != nil || private {
		return nil, false
	}
	var public any
	if err := jwk.Export(k, &public); err != nil {
		return nil, false
	}
	switch public := public.(type) {
	case *rsa.PublicKey:
		return public, public.N.BitLen() >= minRSA
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return public, true
	}
	return nil, false
}

// find returns the keys that may have made a signature: those that fit the token's algorithm and have its key id, if it has
// one.
func (s keySet) find(h header) []any {
	var found []any
	for _, k := range s {
		if (h.keyID == "" || k.id == h.keyID) && (k.algorithm == "" || k.algorithm == h.algorithm) && fits(k.public, h.algorithm) {
			found = append(found, k.public)
		}
	}
	return found
}

// fits reports whether a key has the type and curve that an algorithm needs.
func fits(public any, algorithm string) bool {
	switch public := public.(type) {
	case *rsa.PublicKey:
		return strings.HasPrefix(algorithm, "RS") || strings.HasPrefix(algorithm, "PS")
	case *ecdsa.PublicKey:
		return algorithm == map[int]string{256: "ES256", 384: "ES384", 521: "ES512"}[public.Curve.Params().BitSize]
	case ed25519.PublicKey:
		return algorithm == "EdDSA"
	}
	return false
}

var errNoKey = errors.New("the issuer has no such key as the token names")

// file is a key set in a file.
type file struct{ keys *rotation.Value[keySet] }

func openFile(path string, logger *slog.Logger) (*file, error) {
	keys, err := rotation.Open(rotation.Config[keySet]{
		Name: "the file with the issuer's keys", Paths: []string{path}, Logger: logger,
		Parse: func(contents [][]byte) (keySet, error) { return parseKeySet(contents[0]) },
	})
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	return &file{keys}, nil
}

func (f *file) find(_ context.Context, h header) ([]any, error) {
	if found := f.keys.Get().find(h); len(found) > 0 {
		return found, nil
	}
	return nil, errNoKey
}
