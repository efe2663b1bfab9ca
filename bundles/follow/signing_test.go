package follow_test

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/follow"
	"github.com/wardkeeper/wardkeeper/bundles/internal/bundletest"
)

// The cases are keys by id and in a file, pinned keys, and scopes.
func TestAcceptedSigners(t *testing.T) {
	t.Parallel()
	two := keySettings(map[string]*ecdsa.PrivateKey{"k1": bundletest.TrustedKey, "k2": bundletest.OtherKey})
	scoped := map[string]any{"k1": map[string]any{"key": bundletest.PublicPEM(bundletest.TrustedKey), "algorithm": "ES256", "scope": "write"}}
	secret := map[string]any{"k1": map[string]any{"key": "a secret of both", "algorithm": "HS256"}}
	for name, c := range map[string]struct {
		by       bundletest.Signer
		settings map[string]any
		signedBy string // "-": it is refused
	}{
		"by id":                           {bundletest.Signer{Key: bundletest.TrustedKey, ID: "k1"}, map[string]any{"keys": keySettings(bundletest.TrustedKeys)}, "k1"},
		"the first of two":                {bundletest.Signer{Key: bundletest.TrustedKey, ID: "k1"}, map[string]any{"keys": two}, "k1"},
		"the second of two":               {bundletest.Signer{Key: bundletest.OtherKey, ID: "k2"}, map[string]any{"keys": two}, "k2"},
		"the second's id, the first key":  {bundletest.Signer{Key: bundletest.TrustedKey, ID: "k2"}, map[string]any{"keys": two}, "-"},
		"the second was withdrawn":        {bundletest.Signer{Key: bundletest.OtherKey, ID: "k2"}, map[string]any{"keys": keySettings(bundletest.TrustedKeys)}, "-"},
		"no id":                           {bundletest.Signer{Key: bundletest.TrustedKey}, map[string]any{"keys": two}, "-"},
		"pinned":                          {bundletest.Signer{Key: bundletest.TrustedKey, ID: "k1"}, map[string]any{"keys": two, "signing": map[string]any{"keyid": "k1"}}, "k1"},
		"another than the pinned":         {bundletest.Signer{Key: bundletest.OtherKey, ID: "k2"}, map[string]any{"keys": two, "signing": map[string]any{"keyid": "k1"}}, "-"},
		"pinned, and it says another":     {bundletest.Signer{Key: bundletest.TrustedKey, ID: "k2"}, map[string]any{"keys": two, "signing": map[string]any{"keyid": "k1"}}, "k1"},
		"pinned, and in the file":         {bundletest.Signer{Key: bundletest.OtherKey}, map[string]any{"keys": keySettings(bundletest.TrustedKeys), "signing": map[string]any{"keyid": "k1"}, "key_file": bundletest.KeyFile(t, bundletest.OtherKey)}, "-"},
		"the file":                        {bundletest.Signer{Key: bundletest.TrustedKey}, map[string]any{"key_file": bundletest.KeyFile(t, bundletest.TrustedKey)}, ""},
		"the file, whatever id it claims": {bundletest.Signer{Key: bundletest.TrustedKey, ID: "prod"}, map[string]any{"key_file": bundletest.KeyFile(t, bundletest.TrustedKey)}, ""},
		"the second of the file":          {bundletest.Signer{Key: bundletest.OtherKey}, map[string]any{"key_file": bundletest.KeyFile(t, bundletest.TrustedKey, bundletest.OtherKey)}, ""},
		"withdrawn from the file":         {bundletest.Signer{Key: bundletest.OtherKey}, map[string]any{"key_file": bundletest.KeyFile(t, bundletest.TrustedKey)}, "-"},
		"the scope":                       {bundletest.Signer{Key: bundletest.TrustedKey, ID: "k1", Scope: "write"}, map[string]any{"keys": scoped}, "k1"},
		"no scope where one must be":      {bundletest.Signer{Key: bundletest.TrustedKey, ID: "k1"}, map[string]any{"keys": scoped}, "-"},
		"a scope where none must be":      {bundletest.Signer{Key: bundletest.TrustedKey, ID: "k1", Scope: "write"}, map[string]any{"keys": keySettings(bundletest.TrustedKeys)}, "-"},
		"the scope of the settings":       {bundletest.Signer{Key: bundletest.TrustedKey, Scope: "a"}, map[string]any{"key_file": bundletest.KeyFile(t, bundletest.TrustedKey), "signing": map[string]any{"scope": "a"}}, ""},
		"not the scope of the settings":   {bundletest.Signer{Key: bundletest.TrustedKey, Scope: "b"}, map[string]any{"key_file": bundletest.KeyFile(t, bundletest.TrustedKey), "signing": map[string]any{"scope": "a"}}, "-"},
		"the file's key as a secret":      {bundletest.Signer{Secret: bundletest.PublicPEM(bundletest.TrustedKey), Header: map[string]any{"alg": "HS256"}}, map[string]any{"key_file": bundletest.KeyFile(t, bundletest.TrustedKey)}, "-"},
		"a shared secret":                 {bundletest.Signer{ID: "k1", Secret: "a secret of both", Header: map[string]any{"alg": "HS256"}}, map[string]any{"keys": secret}, "k1"},
		"another secret":                  {bundletest.Signer{ID: "k1", Secret: "a guess", Header: map[string]any{"alg": "HS256"}}, map[string]any{"keys": secret}, "-"},
	} {
		r, err := openBundle(t, c.by.Sign(bundletest.Release(1)).Pack(), c.settings)
		if c.signedBy == "-" {
			require.Equal(t, bundles.Signature, bundletest.RefusalOf(t, err, name).Reason, name)
			continue
		}
		require.NoError(t, err, name)
		require.True(t, r.Verified, name)
		require.Equal(t, c.signedBy, r.SignedBy, name)
	}
}

// A server's bundle needs a signature unless the settings say otherwise; a path's bundle needs one if there are keys.
func TestSignatureIsRequired(t *testing.T) {
	t.Parallel()
	plain := bundletest.Release(1).Pack()
	r, err := openBundle(t, plain, nil)
	require.NoError(t, err, "a path without keys")
	require.False(t, r.Verified)
	r, err = openBundle(t, bundletest.Signed(bundletest.Release(1)).Pack(), nil)
	require.NoError(t, err, "a signature that nobody can verify")
	require.False(t, r.Verified)
	require.Empty(t, r.SignedBy)
	_, err = openBundle(t, plain, map[string]any{"key_file": bundletest.KeyFile(t, bundletest.TrustedKey)})
	require.Equal(t, bundles.Unsigned, bundletest.RefusalOf(t, err, "a path with keys").Reason)
	lenient := map[string]any{"key_file": bundletest.KeyFile(t, bundletest.TrustedKey), "allow_unsigned": true}
	r, err = openBundle(t, plain, lenient)
	require.NoError(t, err)
	require.False(t, r.Verified)
	_, err = openBundle(t, bundletest.Signer{Key: bundletest.OtherKey}.Sign(bundletest.Release(1)).Pack(), lenient)
	require.Equal(t, bundles.Signature, bundletest.RefusalOf(t, err, "a signature that is there has to hold").Reason)

	s := serve(t, plain)
	_, err = resolved(t, s.settings(t, map[string]any{"key_file": nil}))
	require.ErrorContains(t, err, "allow_unsigned: true")
	f := startFollower(t, s.source(t, map[string]any{"key_file": nil, "allow_unsigned": true}))
	require.False(t, f.until("a policy", func(now follow.Status) bool { return now.Active != nil }).Active.Verified)
	strict := startFollower(t, s.source(t, nil))
	require.Equal(t, bundles.Unsigned, strict.untilOutcome(follow.Refused).Attempt.Reason)
	require.Nil(t, strict.Status().Active)
}

// Unusable settings are refused at the start, not when the first good bundle arrives.
func TestUnusableSettingsAreRefused(t *testing.T) {
	t.Parallel()
	key := func(content, algorithm string) map[string]any {
		return map[string]any{"keys": map[string]any{"k1": map[string]any{"key": content, "algorithm": algorithm}}}
	}
	private, err := x509.MarshalECPrivateKey(bundletest.TrustedKey)
	require.NoError(t, err)
	for wanted, more := range map[string]map[string]any{
		"keys: k1: the key cannot verify by RS256: choose from ES256": key(bundletest.PublicPEM(bundletest.TrustedKey), "RS256"),
		"keys: k1: it holds several keys":                             key(bundletest.PublicPEM(bundletest.TrustedKey)+bundletest.PublicPEM(bundletest.OtherKey), "ES256"),
		"is not a public key: name the public half":                   key(string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private})), "ES256"),
		"keys: k1: cannot read a public key":                          key(strings.Replace(bundletest.PublicPEM(bundletest.TrustedKey), "M", "N", 3), "ES256"),
		"max_age is 2m0s, but it can take 3m0s":                       {"max_age": "2m", "polling": nil},
		"max_age is 2s, but it can take 1m11.1s":                      {"max_age": "2s", "polling": map[string]any{"min_delay_seconds": 1, "max_delay_seconds": 1, "long_polling_timeout_seconds": 10}},
	} {
		_, err := resolved(t, serve(t, nil).settings(t, more))
		require.ErrorContains(t, err, wanted)
	}
}

func resolved(t *testing.T, settings map[string]any) (*follow.BundleSource, error) {
	t.Helper()
	data, err := json.Marshal(settings)
	require.NoError(t, err)
	o, err := follow.DecodeSettings(data)
	if err != nil {
		return nil, err
	}
	return o.Resolve()
}

// Secrets appear in no name, message, log or status.
func TestSecretsAreRedacted(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t"
	for name, more := range map[string]map[string]any{
		"user in the url":         {"service": map[string]any{"url": "https://user:" + secret + "@bundles.example.org"}},
		"query in the url":        {"service": map[string]any{"url": "https://bundles.example.org?token=" + secret}},
		"no address":              {"service": map[string]any{"url": "bundles.example.org/" + secret}},
		"a secret without method": {"keys": map[string]any{"k1": map[string]any{"key": secret}}},
		"a setting too many":      {"service": map[string]any{"url": "https://bundles.example.org", "pass": secret}},
	} {
		s := serve(t, nil)
		_, err := resolved(t, s.settings(t, more))
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), secret, name)
	}

	s := serve(t, bundletest.Signed(bundletest.Release(1)).Pack())
	authorization := make(chan string, 1)
	with := map[string]any{"resource": "app.tar.gz?sig=" + secret, "service": map[string]any{
		"url": s.URL, "credentials": map[string]any{"bearer": map[string]any{"token": secret}}, "headers": map[string]any{"X-Key": secret},
	}}
	f := startFollower(t, s.source(t, with))
	f.untilSequence(1)
	for _, answer := range []http.HandlerFunc{
		func(_ http.ResponseWriter, r *http.Request) {
			select {
			case authorization <- r.Header.Get("Authorization"):
			default:
			}
			panic(http.ErrAbortHandler)
		},
		func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.String(), http.StatusFound) },
		func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/?sig="+secret, http.StatusFound)
		},
		func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = fmt.Fprint(w, secret)
		},
		func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, secret) },
	} {
		s.change(func() { s.answer = answer })
		changed := time.Now()
		now := f.until("an attempt", func(now follow.Status) bool { return now.Attempt.At.After(changed) })
		require.NotContains(t, now.Attempt.Err.Error(), secret)
	}
	require.Equal(t, "Bearer "+secret, <-authorization)
	require.NotContains(t, f.log.String(), secret)
	require.NotContains(t, fmt.Sprintf("%+v", maps.Clone(f.Status().Refused)), secret)
	require.NotContains(t, f.Status().Active.Source, secret)
}
