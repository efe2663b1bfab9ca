package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
)

// subject is the person of valid tokens. It must not be in the application's log.
const subject = "alice-5309"

// issuer signs the users' tokens.
type issuer struct {
	key, other *ecdsa.PrivateKey
	keySet     []byte
}

func newIssuer() (*issuer, error) {
	var i issuer
	var err error
	if i.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	if i.other, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	k, err := jwk.Import(i.key.Public())
	if err != nil {
		return nil, err
	}
	if err := k.Set(jwk.KeyIDKey, "k1"); err != nil {
		return nil, err
	}
	i.keySet, err = json.Marshal(map[string]any{"keys": []any{k}})
	return &i, err
}

// authorization returns the values of the Authorization header field for a kind of token in the script.
func (i *issuer) authorization(kind string) ([]string, error) {
	claims := map[string]any{"iss": "https://idp.example.org", "aud": "user-admin", "sub": subject, "location": "metro", "exp": time.Now().Add(time.Hour).Unix()}
	key := i.key
	switch kind {
	case "", "twice", "unsigned":
	case "none":
		return nil, nil
	case "expired":
		claims["exp"] = time.Now().Add(-time.Hour).Unix()
	case "issuer":
		claims["iss"] = "https://idp.example.net"
	case "audience":
		claims["aud"] = "shop"
	case "key":
		key = i.other
	case "anonymous":
		delete(claims, "sub")
	default:
		return nil, fmt.Errorf("script.yaml: there is no token %q", kind)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return nil, err
	}
	if kind == "unsigned" {
		return []string{"Bearer " + encode([]byte(`{"alg":"none"}`)) + "." + encode(payload) + "."}, nil
	}
	header := jws.NewHeaders()
	if err := header.Set(jws.KeyIDKey, "k1"); err != nil {
		return nil, err
	}
	token, err := jws.Sign(payload, jws.WithKey(jwa.ES256(), key, jws.WithProtectedHeaders(header)))
	if err != nil {
		return nil, err
	}
	values := []string{"Bearer " + string(token)}
	if kind == "twice" {
		values = append(values, values[0])
	}
	return values, nil
}

func encode(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }
