package identity_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/adapters/identity"
)

const (
	issuer   = "https://idp.example.org"
	audience = "user-admin"
)

// signer is an issuer's key.
type signer struct {
	id        string
	algorithm jwa.SignatureAlgorithm
	private   crypto.Signer
}

func newECDSA(t *testing.T, id string) signer {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return signer{id, jwa.ES256(), private}
}

// sign signs any header and claims, even malformed ones.
func (s signer) sign(t *testing.T, header, claims string) string {
	t.Helper()
	input := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	verifier, err := jws.SignerFor(s.algorithm)
	require.NoError(t, err)
	signature, err := verifier.Sign(s.private, []byte(input))
	require.NoError(t, err)
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func (s signer) header() string {
	return `{"alg":"` + s.algorithm.String() + `","kid":"` + s.id + `","typ":"JWT"}`
}

func keySet(t *testing.T, signers ...signer) []byte {
	t.Helper()
	set := jwk.NewSet()
	for _, s := range signers {
		k, err := jwk.Import(s.private.Public())
		require.NoError(t, err)
		require.NoError(t, k.Set(jwk.KeyIDKey, s.id))
		require.NoError(t, set.AddKey(k))
	}
	data, err := json.Marshal(set)
	require.NoError(t, err)
	return data
}

func keyFile(t *testing.T, signers ...signer) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys.json")
	require.NoError(t, os.WriteFile(path, keySet(t, signers...), 0o600))
	return path
}

var now = time.Unix(1_800_000_000, 0)

const valid = `{"iss":"https://idp.example.org","aud":"user-admin","sub":"alice","exp":1800000600,"iat":1800000000}`

func newVerifier(t *testing.T, c identity.Config) *identity.Verifier {
	t.Helper()
	c.Issuer, c.Audience = issuer, audience
	if c.Algorithms == nil {
		c.Algorithms = []string{"ES256"}
	}
	if c.Now == nil {
		c.Now = func() time.Time { return now }
	}
	v, err := identity.New(c)
	require.NoError(t, err)
	return v
}

func TestVerify(t *testing.T) {
	s, other := newECDSA(t, "k1"), newECDSA(t, "k1")
	v := newVerifier(t, identity.Config{KeysFile: keyFile(t, s)})
	header := s.header()
	token := s.sign(t, header, valid)
	claims, err := v.Verify(t.Context(), token)
	require.NoError(t, err)
	assert.Equal(t, "alice", claims["sub"])

	public, err := json.Marshal(s.private.Public())
	require.NoError(t, err)
	parts := strings.Split(token, ".")
	unsigned := func(header string) string {
		return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + parts[1] + "."
	}
	replaced := func(old, new string) string { return s.sign(t, header, strings.Replace(valid, old, new, 1)) }
	for name, c := range map[string]struct{ token, problem string }{
		"empty":                     {"", "three parts"},
		"two parts":                 {parts[0] + "." + parts[1], "three parts"},
		"four parts":                {token + ".x", "three parts"},
		"encrypted":                 {token + ".x.y", "three parts"},
		"padded":                    {parts[0] + "=." + parts[1] + "." + parts[2], "malformed"},
		"long":                      {strings.Repeat("x", 20_000), "too long"},
		"header is no object":       {s.sign(t, `["ES256"]`, valid), "malformed"},
		"header has a member twice": {s.sign(t, `{"alg":"none","alg":"ES256","kid":"k1"}`, valid), "malformed"},
		"unsigned":                  {unsigned(`{"alg":"none"}`), "algorithm"},
		"unsigned, as accepted":     {unsigned(header), "signature"},
		"by the public key":         {hmac(t, public, valid), "algorithm"},
		"by another algorithm":      {s.sign(t, `{"alg":"ES384","kid":"k1"}`, valid), "algorithm"},
		"algorithm in another case": {s.sign(t, `{"alg":"es256","kid":"k1"}`, valid), "algorithm"},
		"by another key":            {other.sign(t, header, valid), "signature"},
		"by a key in the header":    {other.sign(t, `{"alg":"ES256","jwk":`+string(jwkOf(t, other))+`}`, valid), "signature"},
		"by a key that is unknown":  {s.sign(t, `{"alg":"ES256","kid":"k2"}`, valid), "no such key"},
		"key id is no text":         {s.sign(t, `{"alg":"ES256","kid":["k1"]}`, valid), "malformed"},
		"extension":                 {s.sign(t, `{"alg":"ES256","kid":"k1","crit":["exp"],"exp":1}`, valid), "extension"},
		"key id is null":            {s.sign(t, `{"alg":"ES256","kid":null}`, valid), "malformed"},
		"no extension":              {s.sign(t, `{"alg":"ES256","kid":"k1","crit":null}`, valid), "extension"},
		"empty extensions":          {s.sign(t, `{"alg":"ES256","kid":"k1","crit":[]}`, valid), "extension"},
		"unencoded claims":          {s.sign(t, `{"alg":"ES256","kid":"k1","b64":false,"crit":["b64"]}`, valid), "extension"},
		"kind is null":              {s.sign(t, `{"alg":"ES256","kid":"k1","typ":null}`, valid), "not an access token"},
		"algorithm is a list":       {s.sign(t, `{"alg":["ES256"],"kid":"k1"}`, valid), "algorithm"},
		"no algorithm":              {s.sign(t, `{"kid":"k1"}`, valid), "algorithm"},
		"by a key of a URL":         {other.sign(t, `{"alg":"ES256","kid":"k2","jku":"https://idp.example.net/keys","x5u":"https://idp.example.net"}`, valid), "no such key"},
		"signature in DER":          {parts[0] + "." + parts[1] + "." + der(t, s, parts[0]+"."+parts[1]), "signature"},
		"empty signature":           {parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 64)), "signature"},
		"logout token":              {s.sign(t, `{"alg":"ES256","kid":"k1","typ":"logout+jwt"}`, valid), "not an access token"},
		"claims changed":            {parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(valid, "alice", "admin", 1))) + "." + parts[2], "signature"},
		"claims are no object":      {s.sign(t, header, `[]`), "malformed"},
		"claim twice":               {replaced(`"sub":"alice"`, `"sub":"alice","sub":"admin"`), "malformed"},
		"other issuer":              {replaced(issuer, issuer+"/"), "another issuer"},
		"no issuer":                 {replaced(`"iss":"https://idp.example.org",`, ""), "another issuer"},
		"other audience":            {replaced(audience, "shop"), "another audience"},
		"no audience":               {replaced(`"aud":"user-admin",`, ""), "another audience"},
		"audience within":           {replaced(`"user-admin"`, `"user-admin shop"`), "another audience"},
		"no audiences":              {replaced(`"user-admin"`, `[]`), "another audience"},
		"audience as an object":     {replaced(`"user-admin"`, `{"user-admin":true}`), "another audience"},
		"issuers":                   {replaced(`"https://idp.example.org"`, `["https://idp.example.org"]`), "another issuer"},
		"other audiences":           {replaced(`"user-admin"`, `["shop",["user-admin"]]`), "another audience"},
		"expired":                   {replaced("1800000600", "1799999940"), "expired"},
		"does not expire":           {replaced(`"exp":1800000600,`, ""), "does not expire"},
		"expires as a text":         {replaced("1800000600", `"1800000600"`), "does not expire"},
		"expires never":             {replaced("1800000600", "1e300"), "does not expire"},
		"not valid yet":             {replaced(`"iat":1800000000`, `"nbf":1800000061`), "not valid yet"},
		"issued later":              {replaced(`"iat":1800000000`, `"iat":1800000061`), "not valid yet"},
		"not before is a text":      {replaced(`"iat":1800000000`, `"nbf":"now"`), "not valid yet"},
	} {
		_, err := v.Verify(t.Context(), c.token)
		if assert.ErrorContains(t, err, c.problem, name) {
			assert.NotErrorIs(t, err, identity.ErrUnavailable, name)
			assert.NotContains(t, err.Error(), "alice", "errors are logged")
		}
	}
	for name, token := range map[string]string{
		"without a key id":   s.sign(t, `{"alg":"ES256"}`, valid),
		"access token":       s.sign(t, `{"alg":"ES256","typ":"at+jwt","kid":"k1"}`, valid),
		"several audiences":  replaced(`"user-admin"`, `["shop","user-admin"]`),
		"within the leeway":  replaced("1800000600", "1799999941"),
		"fraction":           replaced("1800000600", "1800000600.5"),
		"other claims":       replaced(`"sub":"alice"`, `"sub":"alice","location":{"id":["ghi"]}`),
		"valid since before": replaced(`"iat":1800000000`, `"nbf":1800000060`),
	} {
		_, err := v.Verify(t.Context(), token)
		assert.NoError(t, err, name)
	}
}

// der returns a signature in the encoding of X.509, which is not that of tokens.
func der(t *testing.T, s signer, input string) string {
	t.Helper()
	hash := sha256.Sum256([]byte(input))
	signature, err := s.private.Sign(rand.Reader, hash[:], crypto.SHA256)
	require.NoError(t, err)
	return base64.RawURLEncoding.EncodeToString(signature)
}

func jwkOf(t *testing.T, s signer) []byte {
	t.Helper()
	k, err := jwk.Import(s.private.Public())
	require.NoError(t, err)
	data, err := json.Marshal(k)
	require.NoError(t, err)
	return data
}

// hmac signs with a public key as an HMAC secret.
func hmac(t *testing.T, secret []byte, claims string) string {
	t.Helper()
	token, err := jws.Sign([]byte(claims), jws.WithKey(jwa.HS256(), secret))
	require.NoError(t, err)
	return string(token)
}

func TestEveryAlgorithmVerifies(t *testing.T) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	require.NoError(t, err)
	signers := []signer{newECDSA(t, "a"), {"b", jwa.ES384(), p384}, {"c", jwa.ES512(), p521}, {"d", jwa.EdDSA(), edwards}}
	for _, a := range []jwa.SignatureAlgorithm{jwa.RS256(), jwa.RS384(), jwa.RS512(), jwa.PS256(), jwa.PS384(), jwa.PS512()} {
		signers = append(signers, signer{a.String(), a, private})
	}
	path := keyFile(t, signers...)
	for _, s := range signers {
		v := newVerifier(t, identity.Config{KeysFile: path, Algorithms: []string{s.algorithm.String()}})
		_, err := v.Verify(t.Context(), s.sign(t, s.header(), valid))
		assert.NoError(t, err, s.algorithm)
		for _, other := range signers {
			if other.algorithm != s.algorithm {
				_, err = v.Verify(t.Context(), other.sign(t, other.header(), valid))
				assert.Error(t, err, "%s where %s is accepted", other.algorithm, s.algorithm)
			}
		}
	}
}

func TestKeysThatCannotVerifyAreLeftOut(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	s := newECDSA(t, "k1")
	good := string(jwkOf(t, s))
	path := filepath.Join(t.TempDir(), "keys.json")
	for name, set := range map[string]string{
		"not JSON":     `keys`,
		"empty":        `{"keys":[]}`,
		"small":        `{"keys":[{"kty":"RSA","kid":"k1","e":"AQAB","n":"` + base64.RawURLEncoding.EncodeToString(small.N.Bytes()) + `"}]}`,
		"symmetric":    `{"keys":[{"kty":"oct","kid":"k1","k":"c2VjcmV0"}]}`,
		"encryption":   `{"keys":[` + strings.Replace(good, `{`, `{"use":"enc",`, 1) + `]}`,
		"signing":      `{"keys":[` + strings.Replace(good, `{`, `{"key_ops":["sign"],`, 1) + `]}`,
		"wrapping":     `{"keys":[` + strings.Replace(good, `{`, `{"use":"sig","key_ops":["wrapKey"],`, 1) + `]}`,
		"too many":     `{"keys":[` + strings.Repeat(good+",", 100) + good + `]}`,
		"unknown kind": `{"keys":[{"kty":"AKP","kid":"k1","pub":"AA"}]}`,
	} {
		require.NoError(t, os.WriteFile(path, []byte(set), 0o600))
		_, err := identity.New(identity.Config{KeysFile: path, Issuer: issuer, Audience: audience, Algorithms: []string{"ES256"}})
		assert.Error(t, err, name)
	}
	other := newECDSA(t, "k1")
	for name, key := range map[string]string{
		"for another use":      strings.Replace(good, `{`, `{"kid":"k1","use":"enc",`, 1),
		"of another algorithm": strings.Replace(good, `{`, `{"kid":"k1","alg":"ECDH-ES",`, 1),
	} {
		require.NoError(t, os.WriteFile(path, []byte(`{"keys":[`+key+`,`+strings.Replace(string(jwkOf(t, other)), `{`, `{"kid":"k1","use":"sig","key_ops":["verify"],`, 1)+`]}`), 0o600))
		v := newVerifier(t, identity.Config{KeysFile: path})
		_, err = v.Verify(t.Context(), s.sign(t, s.header(), valid))
		assert.ErrorContains(t, err, "signature", name)
		_, err = v.Verify(t.Context(), other.sign(t, other.header(), valid))
		assert.NoError(t, err, "beside one with the same id")
	}
	require.NoError(t, os.WriteFile(path, []byte(`{"keys":[{"kty":"AKP","kid":"k0","pub":"AA"},`+good+`]}`), 0o600))
	v := newVerifier(t, identity.Config{KeysFile: path})
	_, err = v.Verify(t.Context(), s.sign(t, `{"alg":"ES256"}`, valid))
	assert.NoError(t, err, "next to one of an unknown kind")
}

func TestConfigIsChecked(t *testing.T) {
	full := identity.Config{KeysURL: "https://idp.example.org/keys", Issuer: issuer, Audience: audience, Algorithms: []string{"ES256"}}
	_, err := identity.New(full)
	require.NoError(t, err)
	for name, change := range map[string]func(c *identity.Config){
		"no issuer":      func(c *identity.Config) { c.Issuer = "" },
		"no audience":    func(c *identity.Config) { c.Audience = "" },
		"no algorithm":   func(c *identity.Config) { c.Algorithms = nil },
		"none":           func(c *identity.Config) { c.Algorithms = []string{"none"} },
		"symmetric":      func(c *identity.Config) { c.Algorithms = []string{"ES256", "HS256"} },
		"no keys":        func(c *identity.Config) { c.KeysURL = "" },
		"two key sets":   func(c *identity.Config) { c.KeysFile = "keys.json" },
		"plain HTTP":     func(c *identity.Config) { c.KeysURL = "http://idp.example.org/keys" },
		"another scheme": func(c *identity.Config) { c.KeysURL = "file:///keys.json" },
		"no file":        func(c *identity.Config) { c.KeysURL, c.KeysFile = "", "/none/keys.json" },
	} {
		c := full
		change(&c)
		_, err := identity.New(c)
		assert.Error(t, err, name)
	}
}

func TestReplacedKeyFileIsReadAgain(t *testing.T) {
	old, next := newECDSA(t, "k1"), newECDSA(t, "k2")
	path := keyFile(t, old)
	v := newVerifier(t, identity.Config{KeysFile: path})
	require.NoError(t, os.WriteFile(path, keySet(t, next), 0o600))
	require.Eventually(t, func() bool {
		_, err := v.Verify(t.Context(), next.sign(t, next.header(), valid))
		return err == nil
	}, time.Minute, 10*time.Millisecond)
	_, err := v.Verify(t.Context(), old.sign(t, old.header(), valid))
	assert.Error(t, err, "it was withdrawn")
}

// issuing is an issuer that publishes its keys and counts the fetches.
type issuing struct {
	*httptest.Server
	mu      sync.Mutex
	body    []byte
	status  int
	fetches atomic.Int32
}

func newIssuing(t *testing.T, body []byte) *issuing {
	t.Helper()
	i := &issuing{body: body, status: http.StatusOK}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.fetches.Add(1)
		i.mu.Lock()
		defer i.mu.Unlock()
		if i.status == http.StatusFound {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(i.status)
		_, _ = w.Write(i.body)
	}))
	t.Cleanup(i.Close)
	return i
}

func (i *issuing) set(status int, body []byte) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.status, i.body = status, body
}

// clock is a clock that tests move.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time           { return now.Add(time.Duration(c.offset.Load())) }
func (c *clock) advance(by time.Duration) { c.offset.Add(int64(by)) }

func lasting(s signer, t *testing.T) string {
	return s.sign(t, s.header(), strings.Replace(valid, "1800000600", "1900000000", 1))
}

func TestFetchedKeysRotate(t *testing.T) {
	old, next := newECDSA(t, "k1"), newECDSA(t, "k2")
	i := newIssuing(t, keySet(t, old))
	var c clock
	v := newVerifier(t, identity.Config{KeysURL: i.URL, Now: c.now})
	for range 3 {
		_, err := v.Verify(t.Context(), lasting(old, t))
		require.NoError(t, err)
	}
	require.EqualValues(t, 1, i.fetches.Load(), "keys are kept")

	i.set(http.StatusOK, keySet(t, old, next))
	c.advance(time.Minute)
	_, err := v.Verify(t.Context(), lasting(next, t))
	require.NoError(t, err, "a new key is fetched when it is first named")
	require.EqualValues(t, 2, i.fetches.Load())

	i.set(http.StatusOK, keySet(t, next))
	c.advance(11 * time.Minute)
	require.Eventually(t, func() bool {
		_, err := v.Verify(t.Context(), lasting(old, t))
		return err != nil
	}, time.Minute, time.Millisecond, "a withdrawn key is forgotten when the keys are fetched again")
}

func TestUnknownKeyIDsDoNotCauseFetches(t *testing.T) {
	s, stranger := newECDSA(t, "k1"), newECDSA(t, "x")
	i := newIssuing(t, keySet(t, s))
	var c clock
	v := newVerifier(t, identity.Config{KeysURL: i.URL, Now: c.now})
	for range 100 {
		_, err := v.Verify(t.Context(), lasting(stranger, t))
		require.Error(t, err)
		require.NotErrorIs(t, err, identity.ErrUnavailable)
	}
	assert.EqualValues(t, 1, i.fetches.Load())
}

// A new key that cannot be fetched is no reason to say that the person's token is not valid.
func TestNewKeyOfAnIssuerThatIsAway(t *testing.T) {
	old, next := newECDSA(t, "k1"), newECDSA(t, "k2")
	i := newIssuing(t, keySet(t, old))
	var c clock
	v := newVerifier(t, identity.Config{KeysURL: i.URL, Now: c.now})
	_, err := v.Verify(t.Context(), lasting(old, t))
	require.NoError(t, err)
	i.set(http.StatusBadGateway, nil)
	c.advance(time.Minute)
	for range 2 { // the second does not cause another fetch
		_, err = v.Verify(t.Context(), lasting(next, t))
		require.ErrorIs(t, err, identity.ErrUnavailable)
		_, err = v.Verify(t.Context(), lasting(old, t))
		require.NoError(t, err, "the last good keys")
	}
	assert.EqualValues(t, 2, i.fetches.Load())
	i.set(http.StatusOK, keySet(t, next))
	c.advance(time.Minute)
	_, err = v.Verify(t.Context(), lasting(next, t))
	require.NoError(t, err)
	_, err = v.Verify(t.Context(), lasting(old, t))
	require.ErrorContains(t, err, "no such key")
}

func TestIssuerThatIsAway(t *testing.T) {
	s := newECDSA(t, "k1")
	i := newIssuing(t, keySet(t, s))
	var c clock
	v := newVerifier(t, identity.Config{KeysURL: i.URL, Now: c.now})
	for _, status := range []int{http.StatusInternalServerError, http.StatusFound} {
		i.set(status, keySet(t, s))
		_, err := v.Verify(t.Context(), lasting(s, t))
		require.ErrorIs(t, err, identity.ErrUnavailable, "status %d", status)
		c.advance(time.Minute)
	}
	i.set(http.StatusOK, keySet(t, s))
	_, err := v.Verify(t.Context(), lasting(s, t))
	require.NoError(t, err, "it is back")

	i.set(http.StatusOK, []byte(`{"keys":[]}`))
	c.advance(23 * time.Hour)
	_, err = v.Verify(t.Context(), lasting(s, t))
	require.NoError(t, err, "the last good keys")
	c.advance(2 * time.Hour)
	require.Eventually(t, func() bool {
		_, err := v.Verify(t.Context(), lasting(s, t))
		return err != nil
	}, time.Minute, time.Millisecond, "a day later they are not trusted")
	_, err = v.Verify(t.Context(), lasting(s, t))
	assert.ErrorIs(t, err, identity.ErrUnavailable)
}

func TestVerifyEndsWithItsContext(t *testing.T) {
	s := newECDSA(t, "k1")
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	v := newVerifier(t, identity.Config{KeysURL: server.URL})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := v.Verify(ctx, lasting(s, t))
	assert.ErrorIs(t, err, identity.ErrUnavailable)
	// A person waits for 1 s, while the fetch may take 5 s. On a busy machine this may take a few attempts.
	require.Eventually(t, func() bool {
		v := newVerifier(t, identity.Config{KeysURL: server.URL})
		began := time.Now()
		_, err := v.Verify(t.Context(), lasting(s, t))
		return errors.Is(err, identity.ErrUnavailable) && time.Since(began) < 4*time.Second
	}, time.Minute, time.Millisecond)
}

func FuzzVerify(f *testing.F) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(f, err)
	k, err := jwk.Import(private.Public())
	require.NoError(f, err)
	data, err := json.Marshal(k)
	require.NoError(f, err)
	path := filepath.Join(f.TempDir(), "keys.json")
	require.NoError(f, os.WriteFile(path, []byte(`{"keys":[`+string(data)+`]}`), 0o600))
	v, err := identity.New(identity.Config{KeysFile: path, Issuer: issuer, Audience: audience, Algorithms: []string{"ES256"}})
	require.NoError(f, err)
	f.Add("eyJhbGciOiJFUzI1NiJ9.e30.AAAA")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, token string) {
		if claims, err := v.Verify(t.Context(), token); err == nil {
			t.Errorf("%q is signed by nobody, and has the claims %v", token, claims)
		}
	})
}
