package routes

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/adapters/identity"
)

// The limits of a route file.
const (
	MaxFile   = 1 << 20 // bytes
	MaxRoutes = 10_000
)

// Table is a parsed route file. It is immutable and safe for concurrent use.
type Table struct {
	subject     Subject
	verifier    Verifier
	kinds       []string // of obligations that the application supports
	obligations []any    // their types; all are strings
	routes      []*route
	tree        *tree
}

// Route describes a route of a file, for logs and summaries.
type Route struct {
	Line         int // in the file, from 1
	Path         string
	Host         string // "" if any
	Methods      []string
	Public       bool
	Action       string // "" if it is drawn from the request, or if the route is public
	ActionLine   int
	ActionColumn int
	ResourceType string
	DrawsBody    bool // the question draws from the body: an adapter that does not see bodies cannot serve the route
}

// Subject says how the person is identified. Exactly one of JWT and Header is set, or neither if every route is public.
type Subject struct {
	JWT    *JWT
	Header string // the header in which an authenticated proxy names the person
}

// JWT says how the person's token is verified.
type JWT struct {
	Keys       string   // the URL of the JWKS; "" if KeysFile is set
	KeysFile   string   // the path of a file with the JWKS
	Issuer     string   // required value of iss
	Audience   string   // required value of aud, or one of its values
	Algorithms []string // the accepted values of alg, at least one; never none or an HMAC
	Claim      string   // the claim that is the person's id
	Cookie     string   // the cookie with the token; "" if the token is in the Authorization header, as Bearer

	line, column int // of keys or keys_file
}

// Config returns the settings of a verifier of these tokens.
func (j *JWT) Config() identity.Config {
	return identity.Config{
		KeysURL: j.Keys, KeysFile: j.KeysFile, Issuer: j.Issuer, Audience: j.Audience, Algorithms: slices.Clone(j.Algorithms),
	}
}

// NewVerifier returns a verifier of these tokens. It reads the key file, but does not fetch keys. Its error is [Faults]. A nil
// logger means slog.Default().
func (j *JWT) NewVerifier(logger *slog.Logger) (*identity.Verifier, error) {
	settings := j.Config()
	settings.Logger = logger
	verifier, err := identity.New(settings)
	if err == nil {
		return verifier, nil
	}
	message := strings.TrimPrefix(err.Error(), "identity: ")
	if errors.Is(err, fs.ErrNotExist) && !filepath.IsAbs(j.KeysFile) {
		if folder, err := os.Getwd(); err == nil {
			message += "; a relative path starts in the folder where the program runs, here " + folder
		}
	}
	return nil, Faults{{Line: max(j.line, 1), Column: j.column, Message: message}}
}

// route is a route with its compiled parts.
type route struct {
	Route
	index              int // in the file's order
	template           template
	action, id         *value
	properties         []member // of the action
	resourceProperties []member
	places             []member // location
	currentLocation    []member // current_location
	confirmed          []member // confirmed
	atLeast            []member // at_least
	drawnQuery         []string // the names of query parameters
	drawnHeaders       []string
}

// takes reports whether the route matches a host and a method. A route for GET also takes HEAD.
func (r *route) takes(host, method string) bool {
	if r.Host != "" && r.Host != host {
		return false
	}
	for _, m := range r.Methods {
		if m == method || m == http.MethodGet && method == http.MethodHead {
			return true
		}
	}
	return false
}

// Load reads a route file. If its content is faulty, the error is [Faults].
func Load(path string) (*Table, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the route file: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(file, MaxFile+1))
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("cannot read the route file: %w", err)
	}
	return Parse(data)
}

// WithVerifier returns a table that verifies tokens with v. Without a verifier, a table with [Subject.JWT] refuses every request
// that is not public.
func (t *Table) WithVerifier(v Verifier) *Table {
	with := *t
	with.verifier = v
	return &with
}

// Subject returns how the person is identified.
func (t *Table) Subject() Subject {
	s := t.subject
	if s.JWT != nil {
		jwt := *s.JWT
		jwt.Algorithms = slices.Clone(jwt.Algorithms)
		s.JWT = &jwt
	}
	return s
}

// SupportedObligations returns the kinds of obligation that the application supports: types, and custom/ACTION.
func (t *Table) SupportedObligations() []string { return slices.Clone(t.kinds) }

// Routes returns the routes in the file's order.
func (t *Table) Routes() []Route {
	all := make([]Route, len(t.routes))
	for i, r := range t.routes {
		all[i] = r.Route
		all[i].Methods = slices.Clone(r.Methods)
	}
	return all
}

// OtherMethods returns the routes that match the host and the path of a request, whatever their methods, in the file's order.
// It explains why no route matches a request; only [Table.Resolve] decides.
func (t *Table) OtherMethods(r Request) []Route {
	target, err := parseTarget(r.Target)
	if err != nil {
		return nil
	}
	host, err := canonicalHost(r.Host)
	if err != nil {
		return nil
	}
	var found []Route
	for _, candidate := range t.routes {
		if (candidate.Host == "" || candidate.Host == host) && candidate.template.matches(target.path) {
			found = append(found, candidate.Route)
		}
	}
	return found
}
