package identity

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jws"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// Limits on tokens.
const (
	maxToken      = 16 << 10 // bytes
	defaultLeeway = time.Minute
)

// Config configures a verifier. Issuer, Audience, Algorithms and one of KeysURL and KeysFile are required.
type Config struct {
	KeysURL    string        // of the JSON Web Key Set; https, or http to a loopback address
	KeysFile   string        // a file with the set; it is read again when it changes
	Issuer     string        // the required value of "iss"
	Audience   string        // the required value of "aud", or one of its values
	Algorithms []string      // the signature algorithms that are accepted, such as ES256
	Leeway     time.Duration // how far clocks may differ; 0 means 1 min
	// Client fetches the keys; nil means one that verifies certificates with the system's authorities. Its time-out is
	// replaced, and it does not follow redirects.
	Client *http.Client
	Logger *slog.Logger     // nil means slog.Default()
	Now    func() time.Time // nil means time.Now
}

// ErrUnavailable means that it cannot be determined whether a token is valid, because the keys are not available.
var ErrUnavailable error = unavailable{}

type unavailable struct{}

func (unavailable) Error() string { return "the keys of the issuer are not available" }

// Unavailable lets callers recognize the error without importing this package.
func (unavailable) Unavailable() bool { return true }

// algorithms are those with a public key. HS256 is not among them: anybody who knows the public key could sign with it.
var algorithms = map[string]func() jwa.SignatureAlgorithm{
	"RS256": jwa.RS256, "RS384": jwa.RS384, "RS512": jwa.RS512, "PS256": jwa.PS256, "PS384": jwa.PS384, "PS512": jwa.PS512,
	"ES256": jwa.ES256, "ES384": jwa.ES384, "ES512": jwa.ES512, "EdDSA": jwa.EdDSA,
}

// Verifier verifies tokens. It is safe for concurrent use.
type Verifier struct {
	issuer, audience string
	algorithms       []string
	leeway           time.Duration
	now              func() time.Time
	keys             keySource
}

// New returns a verifier. It reads the key file, but does not fetch keys.
func New(c Config) (*Verifier, error) {
	if c.Issuer == "" || c.Audience == "" || len(c.Algorithms) == 0 || (c.KeysURL == "") == (c.KeysFile == "") {
		return nil, errors.New("identity: the issuer, the audience, the algorithms and either the URL or the file of the keys are required")
	}
	for _, name := range c.Algorithms {
		if algorithms[name] == nil {
			return nil, fmt.Errorf("identity: the algorithm %q is not accepted: use RS256, PS256, ES256 (or their 384 and 512) or EdDSA", name)
		}
	}
	v := &Verifier{issuer: c.Issuer, audience: c.Audience, algorithms: slices.Clone(c.Algorithms), leeway: c.Leeway, now: c.Now}
	if v.leeway == 0 {
		v.leeway = defaultLeeway
	}
	if v.now == nil {
		v.now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	var err error
	if c.KeysFile != "" {
		v.keys, err = openFile(c.KeysFile, c.Logger)
	} else {
		v.keys, err = newRemote(c.KeysURL, c.Client, c.Logger, v.now)
	}
	return v, err
}

// header is the part of a token's header that is used. Keys and URLs of keys in it are ignored: they would let the sender
// choose who vouches for the token.
type header struct{ algorithm, keyID string }

// Verify returns the claims of a token whose signature, issuer, audience and times are right. The error is [ErrUnavailable],
// or says why the token is not valid, without quoting it.
func (v *Verifier) Verify(ctx context.Context, token string) (map[string]any, error) {
	if len(token) > maxToken {
		return nil, errors.New("the token is too long")
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errors.New("the token does not have three parts")
	}
	h, err := parseHeader(parts[0])
	if err != nil {
		return nil, err
	}
	if !slices.Contains(v.algorithms, h.algorithm) {
		return nil, errors.New("the algorithm of the token is not accepted")
	}
	candidates, err := v.keys.find(ctx, h)
	if err != nil {
		return nil, err
	}
	for _, key := range candidates {
		if _, err := jws.VerifyCompactFast(key, []byte(token), algorithms[h.algorithm]()); err == nil {
			return v.claims(parts[1])
		}
	}
	return nil, errors.New("the signature of the token is not valid")
}

func parseHeader(part string) (header, error) {
	m, err := decode(part)
	if err != nil {
		return header{}, errors.New("the header of the token is malformed")
	}
	var h header
	h.algorithm, _ = m["alg"].(string)
	if _, ok := m["crit"]; ok {
		return header{}, errors.New("the token has an extension that is not known")
	}
	if id, ok := m["kid"]; ok {
		if h.keyID, ok = id.(string); !ok {
			return header{}, errors.New("the header of the token is malformed")
		}
	}
	if kind, ok := m["typ"]; ok && !isAccessToken(kind) {
		return header{}, errors.New("the token is not an access token")
	}
	return h, nil
}

// isAccessToken reports whether typ is that of an access token (RFC 9068) or of no particular kind.
func isAccessToken(typ any) bool {
	text, _ := typ.(string)
	return strings.EqualFold(text, "JWT") || strings.EqualFold(strings.TrimPrefix(text, "application/"), "at+jwt")
}

// decode decodes a part of a token as strictly as a question: a duplicate member is an error.
func decode(part string) (map[string]any, error) {
	data, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return nil, err
	}
	return authzen.ParseObject(data)
}

// claims checks the claims of a token whose signature is valid.
func (v *Verifier) claims(part string) (map[string]any, error) {
	m, err := decode(part)
	if err != nil {
		return nil, errors.New("the claims of the token are malformed")
	}
	if m["iss"] != v.issuer {
		return nil, errors.New("the token is from another issuer")
	}
	audiences, ok := m["aud"].([]any)
	if !ok {
		audiences = []any{m["aud"]}
	}
	if !slices.Contains(audiences, any(v.audience)) {
		return nil, errors.New("the token is for another audience")
	}
	now := v.now()
	expires, ok := numericDate(m["exp"])
	switch {
	case !ok:
		return nil, errors.New("the token does not expire")
	case !now.Before(expires.Add(v.leeway)):
		return nil, errors.New("the token has expired")
	}
	for _, name := range []string{"nbf", "iat"} {
		if m[name] == nil {
			continue
		}
		begins, ok := numericDate(m[name])
		if !ok || now.Add(v.leeway).Before(begins) {
			return nil, errors.New("the token is not valid yet")
		}
	}
	return m, nil
}

// numericDate reads seconds since 1970 (RFC 7519, section 2).
func numericDate(value any) (time.Time, bool) {
	n, ok := value.(json.Number)
	if !ok {
		return time.Time{}, false
	}
	seconds, err := n.Float64()
	if err != nil || math.Abs(seconds) > 1<<40 {
		return time.Time{}, false
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*1e9)), true
}
