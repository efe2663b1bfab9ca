package callers

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/httpapi"
	"github.com/wardkeeper/wardkeeper/pdp/rotation"
)

// Caller is a client and how it is recognized: by each of the ways that are given.
type Caller struct {
	Name    string
	Roles   []httpapi.Role
	Setting string // names it in error messages

	TokenFile                  string // bearer tokens, one a line
	ClientID, ClientSecretFile string // HTTP Basic; the file holds secrets like a token file
	CertificateSubject         string // the distinguished name of its certificate, in the form of RFC 2253
	CertificateSAN             string // a name in its certificate: DNS:, URI:, email: or IP: and the name
	JWTClaim, JWTValue         string // a claim of its JSON Web Tokens that has this value, or has it in a list

	Rate, Burst int // requests per second, and at once; no limit if Rate is 0
}

// Verifier verifies JSON Web Tokens, as identity.Verifier does. It must be safe for concurrent use. Its error has a method
// Unavailable that returns true if it cannot be determined whether a token is valid.
type Verifier interface {
	Verify(ctx context.Context, token string) (claims map[string]any, err error)
}

// Config configures [Open].
type Config struct {
	Callers  []Caller
	Verifier Verifier // required if a caller has a JWTClaim
	Issuer   string   // of the tokens that Verifier accepts
	// ClientCAs returns the authorities of client certificates in force. It is required if clients may have one.
	ClientCAs func() *x509.CertPool
	Logger    *slog.Logger
}

// Callers recognizes callers. It is safe for concurrent use.
type Callers struct {
	cfg          Config
	entries      []*entry
	certificates certificates
	log          *slog.Logger

	mu      sync.Mutex // held while Reload reads the files
	shared  bool       // the log last reported that two callers have the same secret
	sets    [][]hash   // in force, by entry
	inForce atomic.Pointer[[]secret]
}

// entry is a caller with its files.
type entry struct {
	Caller
	identity        httpapi.Caller
	tokens, secrets *rotation.Value[[]string] // nil if there is no file
	limit           *limit                    // nil if there is none
}

// secret is a proof in force, and whose it is.
type secret struct {
	hash
	of *entry
}

// Open reads the files of all callers. Its error joins the faults of all of them.
func Open(cfg Config) (*Callers, error) {
	c := &Callers{cfg: cfg, log: cfg.Logger}
	c.certificates.authorities = cfg.ClientCAs
	var faults []error
	for _, caller := range cfg.Callers {
		e := &entry{Caller: caller, identity: httpapi.Caller{Name: caller.Name, Roles: caller.Roles}, limit: newLimit(caller.Rate, caller.Burst)}
		var err, fault error
		e.tokens, err = openSecrets("the token file", caller.TokenFile, cfg.Logger)
		e.secrets, fault = openSecrets("the file of a client's secret", caller.ClientSecretFile, cfg.Logger)
		faults = append(faults, err, fault)
		c.entries = append(c.entries, e)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	c.sets = c.read()
	if a, b := overlap(c.sets); a != b {
		return nil, c.errShared(a, b)
	}
	c.enforce()
	return c, nil
}

func openSecrets(name, path string, logger *slog.Logger) (*rotation.Value[[]string], error) {
	if path == "" {
		return nil, nil
	}
	return rotation.Open(rotation.Config[[]string]{
		Name: name, Paths: []string{path}, Logger: logger,
		Parse: func(contents [][]byte) ([]string, error) { return parse(contents[0]) },
	})
}

// Requires implements [httpapi.Callers]. Without a caller for anything but announcements, the other roles are everybody's.
func (c *Callers) Requires(role httpapi.Role) bool {
	return slices.ContainsFunc(c.entries, func(e *entry) bool {
		return slices.ContainsFunc(e.Roles, func(r httpapi.Role) bool { return (r == httpapi.RoleAnnounce) == (role == httpapi.RoleAnnounce) })
	})
}

// Methods implements [httpapi.Callers].
func (c *Callers) Methods() (m httpapi.Methods) {
	for _, e := range c.entries {
		m.Bearer = m.Bearer || e.TokenFile != "" || e.JWTClaim != ""
		m.Basic = m.Basic || e.ClientID != ""
		m.Certificate = m.Certificate || e.CertificateSubject != "" || e.CertificateSAN != ""
		if e.JWTClaim != "" {
			m.Issuer = c.cfg.Issuer
		}
	}
	return m
}

var errUnknown = errors.New("the credentials are those of no caller")

// Authenticate implements [httpapi.Callers].
func (c *Callers) Authenticate(ctx context.Context, sent httpapi.Credentials) (*httpapi.Caller, error) {
	e, err := c.recognize(ctx, sent)
	if err != nil {
		return nil, err
	}
	if wait := e.limit.take(time.Now()); wait > 0 {
		return nil, &httpapi.LimitedError{Caller: e.Name, RetryAfter: wait}
	}
	return &e.identity, nil
}

// CheckCertificate implements [httpapi.Callers].
func (c *Callers) CheckCertificate(state *tls.ConnectionState) error {
	return c.certificates.check(state, c.entries, time.Now())
}

// recognize goes by the Authorization field if there is one, and by the client certificate if there is none.
func (c *Callers) recognize(ctx context.Context, sent httpapi.Credentials) (*entry, error) {
	if len(sent.Authorization) == 0 {
		return c.certificates.find(sent.TLS, c.entries, time.Now())
	}
	if err := c.CheckCertificate(sent.TLS); err != nil {
		return nil, err
	}
	p, ok := parseAuthorization(sent.Authorization)
	if !ok {
		return nil, errUnknown
	}
	if e := find(*c.inForce.Load(), p.hash()); e != nil {
		return e, nil
	}
	if p.token == "" || c.cfg.Verifier == nil {
		return nil, errUnknown
	}
	return c.byJWT(ctx, p.token)
}
