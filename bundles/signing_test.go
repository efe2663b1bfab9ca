package bundles_test

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

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// TestWhoMaySign: keys by id and keys in a file, a key that is pinned, and scopes.
func TestWhoMaySign(t *testing.T) {
	t.Parallel()
	two := byKeys(map[string]*ecdsa.PrivateKey{"k1": ours, "k2": theirs})
	scoped := map[string]any{"k1": map[string]any{"key": publicPEM(ours), "algorithm": "ES256", "scope": "write"}}
	secret := map[string]any{"k1": map[string]any{"key": "a secret of both", "algorithm": "HS256"}}
	for name, c := range map[string]struct {
		by       signer
		settings map[string]any
		signedBy string // with "-" it is refused
	}{
		"by id":                           {signer{key: ours, id: "k1"}, map[string]any{"keys": byKeys(ourKey)}, "k1"},
		"the first of two":                {signer{key: ours, id: "k1"}, map[string]any{"keys": two}, "k1"},
		"the second of two":               {signer{key: theirs, id: "k2"}, map[string]any{"keys": two}, "k2"},
		"the second's id, the first key":  {signer{key: ours, id: "k2"}, map[string]any{"keys": two}, "-"},
		"the second was withdrawn":        {signer{key: theirs, id: "k2"}, map[string]any{"keys": byKeys(ourKey)}, "-"},
		"no id":                           {signer{key: ours}, map[string]any{"keys": two}, "-"},
		"pinned":                          {signer{key: ours, id: "k1"}, map[string]any{"keys": two, "signing": map[string]any{"keyid": "k1"}}, "k1"},
		"another than the pinned":         {signer{key: theirs, id: "k2"}, map[string]any{"keys": two, "signing": map[string]any{"keyid": "k1"}}, "-"},
		"pinned, and it says another":     {signer{key: ours, id: "k2"}, map[string]any{"keys": two, "signing": map[string]any{"keyid": "k1"}}, "k1"},
		"pinned, and in the file":         {signer{key: theirs}, map[string]any{"keys": byKeys(ourKey), "signing": map[string]any{"keyid": "k1"}, "key_file": keyFile(t, theirs)}, "-"},
		"the file":                        {signer{key: ours}, map[string]any{"key_file": keyFile(t, ours)}, ""},
		"the file, whatever id it claims": {signer{key: ours, id: "prod"}, map[string]any{"key_file": keyFile(t, ours)}, ""},
		"the second of the file":          {signer{key: theirs}, map[string]any{"key_file": keyFile(t, ours, theirs)}, ""},
		"withdrawn from the file":         {signer{key: theirs}, map[string]any{"key_file": keyFile(t, ours)}, "-"},
		"the scope":                       {signer{key: ours, id: "k1", scope: "write"}, map[string]any{"keys": scoped}, "k1"},
		"no scope where one must be":      {signer{key: ours, id: "k1"}, map[string]any{"keys": scoped}, "-"},
		"a scope where none must be":      {signer{key: ours, id: "k1", scope: "write"}, map[string]any{"keys": byKeys(ourKey)}, "-"},
		"the scope of the settings":       {signer{key: ours, scope: "a"}, map[string]any{"key_file": keyFile(t, ours), "signing": map[string]any{"scope": "a"}}, ""},
		"not the scope of the settings":   {signer{key: ours, scope: "b"}, map[string]any{"key_file": keyFile(t, ours), "signing": map[string]any{"scope": "a"}}, "-"},
		"the file's key as a secret":      {signer{secret: publicPEM(ours), token: map[string]any{"alg": "HS256"}}, map[string]any{"key_file": keyFile(t, ours)}, "-"},
		"a shared secret":                 {signer{id: "k1", secret: "a secret of both", token: map[string]any{"alg": "HS256"}}, map[string]any{"keys": secret}, "k1"},
		"another secret":                  {signer{id: "k1", secret: "a guess", token: map[string]any{"alg": "HS256"}}, map[string]any{"keys": secret}, "-"},
	} {
		r, err := opened(t, c.by.sign(release(1)).packed(), c.settings)
		if c.signedBy == "-" {
			require.Equal(t, bundles.Signature, refusal(t, err, name).Reason, name)
			continue
		}
		require.NoError(t, err, name)
		require.True(t, r.Verified, name)
		require.Equal(t, c.signedBy, r.SignedBy, name)
	}
}

// TestSignaturesAreRequired of what crosses a network unless the settings say otherwise, and of a path that has keys.
func TestSignaturesAreRequired(t *testing.T) {
	t.Parallel()
	plain := release(1).packed()
	r, err := opened(t, plain, nil)
	require.NoError(t, err, "a path without keys")
	require.False(t, r.Verified)
	r, err = opened(t, signed(release(1)).packed(), nil)
	require.NoError(t, err, "a signature that nobody can verify")
	require.False(t, r.Verified)
	require.Empty(t, r.SignedBy)
	_, err = opened(t, plain, map[string]any{"key_file": keyFile(t, ours)})
	require.Equal(t, bundles.Unsigned, refusal(t, err, "a path with keys").Reason)
	lenient := map[string]any{"key_file": keyFile(t, ours), "allow_unsigned": true}
	r, err = opened(t, plain, lenient)
	require.NoError(t, err)
	require.False(t, r.Verified)
	_, err = opened(t, signer{key: theirs}.sign(release(1)).packed(), lenient)
	require.Equal(t, bundles.Signature, refusal(t, err, "a signature that is there has to hold").Reason)

	s := serve(t, plain)
	_, err = resolved(t, s.settings(t, map[string]any{"key_file": nil}))
	require.ErrorContains(t, err, "allow_unsigned: true")
	f := follow(t, s.origin(t, map[string]any{"key_file": nil, "allow_unsigned": true}))
	require.False(t, f.untilOutcome(bundles.Activated).Active.Verified)
	strict := follow(t, s.origin(t, nil))
	require.Equal(t, bundles.Unsigned, strict.untilOutcome(bundles.Refused).Attempt.Reason)
	require.Nil(t, strict.Status().Active)
}

// TestSettingsThatCannotWork are told at the start, and not as a fault of the first good bundle.
func TestSettingsThatCannotWork(t *testing.T) {
	t.Parallel()
	key := func(content, algorithm string) map[string]any {
		return map[string]any{"keys": map[string]any{"k1": map[string]any{"key": content, "algorithm": algorithm}}}
	}
	private, err := x509.MarshalECPrivateKey(ours)
	require.NoError(t, err)
	for wanted, more := range map[string]map[string]any{
		"keys: k1: the key cannot verify by RS256: choose from ES256": key(publicPEM(ours), "RS256"),
		"keys: k1: there are several keys in it":                      key(publicPEM(ours)+publicPEM(theirs), "ES256"),
		"is no public key: verifying needs the public half alone":     key(string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private})), "ES256"),
		"keys: k1: a public key cannot be read":                       key(strings.Replace(publicPEM(ours), "M", "N", 3), "ES256"),
		"max_age is 2m0s, and it can take 3m0s":                       {"max_age": "2m", "polling": nil},
		"max_age is 2s, and it can take 1m11s":                        {"max_age": "2s", "polling": map[string]any{"min_delay_seconds": 1, "max_delay_seconds": 1, "long_polling_timeout_seconds": 10}},
	} {
		_, err := resolved(t, serve(t, nil).settings(t, more))
		require.ErrorContains(t, err, wanted)
	}
}

func resolved(t *testing.T, settings map[string]any) (*bundles.Following, error) {
	t.Helper()
	data, err := json.Marshal(settings)
	require.NoError(t, err)
	o, err := bundles.DecodeOrigin(data)
	if err != nil {
		return nil, err
	}
	return o.Resolve()
}

// TestSecretsAreNotTold: what settings keep secret is in no name, no message, no log and no status.
func TestSecretsAreNotTold(t *testing.T) {
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

	s := serve(t, signed(release(1)).packed())
	authorization := make(chan string, 1)
	with := map[string]any{"resource": "app.tar.gz?sig=" + secret, "service": map[string]any{
		"url": s.URL, "credentials": map[string]any{"bearer": map[string]any{"token": secret}}, "headers": map[string]any{"X-Key": secret},
	}}
	f := follow(t, s.origin(t, with))
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
		s.again(t, 3)
		require.NotContains(t, f.Status().Attempt.Err.Error(), secret)
	}
	require.Equal(t, "Bearer "+secret, <-authorization)
	require.NotContains(t, f.log.String(), secret)
	require.NotContains(t, fmt.Sprintf("%+v", maps.Clone(f.Status().Refused)), secret)
	require.NotContains(t, f.Status().Active.Source, secret)
}
