package httpapi

import (
	"context"
	"crypto/tls"
	"errors"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// Role is what a caller may do. Each route requires one, or is public.
type Role string

// The roles.
const (
	RoleAsk        Role = "ask"        // evaluations, of proxies too
	RoleExplain    Role = "explain"    // explanations of evaluations, beside RoleAsk
	RoleSearch     Role = "search"     // searches
	RoleAnnounce   Role = "announce"   // announcements of changes
	RoleOPA        Role = "opa"        // OPA's REST API
	RoleOperations Role = "operations" // metrics, the policy in force, profiles
	public         Role = ""           // for everybody
)

// Roles lists the roles.
func Roles() []Role {
	return []Role{RoleAsk, RoleExplain, RoleSearch, RoleAnnounce, RoleOPA, RoleOperations}
}

// Callers recognizes callers. Implementations must be safe for concurrent use.
type Callers interface {
	// Authenticate returns the caller that has sent credentials. It counts the request. The error is a [*LimitedError] if the
	// caller sends too many; it has a method Unavailable that returns true if it cannot be determined who the caller is; any
	// other means that the credentials are those of no caller.
	Authenticate(ctx context.Context, sent Credentials) (*Caller, error)
	// CheckCertificate returns an error if a connection has a client certificate that is not valid any more. It is for requests
	// whose caller need not be known; Authenticate checks the same. state may be nil.
	CheckCertificate(state *tls.ConnectionState) error
	// Requires reports whether a caller needs the role, or everybody has it. The result never changes.
	Requires(role Role) bool
	// Methods returns how callers can prove who they are. The result never changes.
	Methods() Methods
}

// Caller is a client that has proven who it is. It is shared and never modified.
type Caller struct {
	Name  string
	Roles []Role
}

// Credentials are what a request offers as a proof.
type Credentials struct {
	Authorization []string             // the header fields
	TLS           *tls.ConnectionState // nil without TLS
}

// Methods are the ways in which callers can prove who they are.
type Methods struct {
	Bearer, Basic, Certificate bool
	Issuer                     string // of JSON Web Tokens; "" if they are not accepted
}

// LimitedError reports that a caller sends more requests than it may.
type LimitedError struct {
	Caller     string
	RetryAfter time.Duration
}

func (e *LimitedError) Error() string { return "the caller sends more requests than it may" }

// requireRole wraps a handler for callers with a role.
func requireRole(role Role, h handler) handler {
	if role == public {
		return h
	}
	return func(rc *requestContext) error {
		if err := rc.authorize(role); err != nil {
			return err
		}
		rc.trace()
		return h(rc)
	}
}

// authorize finds out who sends a request, and returns an error unless the caller has the role.
func (rc *requestContext) authorize(role Role) error {
	callers := rc.server.callers
	if callers == nil {
		rc.mayExplain = true
		return nil
	}
	if !callers.Requires(role) {
		if err := callers.CheckCertificate(rc.r.TLS); err != nil {
			return rc.refuse(err)
		}
		rc.mayExplain = !callers.Requires(RoleExplain)
		return nil
	}
	caller, err := callers.Authenticate(rc.r.Context(), Credentials{rc.r.Header["Authorization"], rc.r.TLS})
	if err != nil {
		return rc.refuse(err)
	}
	rc.callerName, rc.mayExplain = caller.Name, caller.May(RoleExplain)
	return caller.check(role)
}

// May reports whether the caller has the role.
func (c *Caller) May(role Role) bool { return slices.Contains(c.Roles, role) }

// check returns an error unless the caller has the role.
func (c *Caller) check(role Role) error {
	if c.May(role) {
		return nil
	}
	return &pdp.Error{Kind: forbidden, Message: "This caller does not have the role " + string(role) + "."}
}

// refuse returns the error for a request whose caller is not known.
func (rc *requestContext) refuse(err error) error {
	if limited, ok := errors.AsType[*LimitedError](err); ok {
		rc.callerName = limited.Caller
		rc.server.metrics.refused.WithLabelValues("rate").Inc()
		rc.w.Header().Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(limited.RetryAfter.Seconds())))))
		return &pdp.Error{Kind: limitedRate, Err: err}
	}
	if isUnavailable(err) {
		return &pdp.Error{Kind: pdp.Unavailable, Message: "It cannot be determined now who the caller is: try again later.", Err: err}
	}
	rc.w.Header()["Www-Authenticate"] = rc.server.challenges
	return &pdp.Error{Kind: unauthorized, Err: err}
}

func isUnavailable(err error) bool {
	e, ok := errors.AsType[interface {
		error
		Unavailable() bool
	}](err)
	return ok && e.Unavailable()
}

// challenges returns the values of WWW-Authenticate. A response with status 401 must have one; no scheme stands for client
// certificates, so Bearer is named if there is no other.
func (m Methods) challenges() []string {
	var all []string
	if m.Bearer || !m.Basic {
		all = append(all, "Bearer")
	}
	if m.Basic {
		all = append(all, `Basic realm="wardkeeper", charset="UTF-8"`)
	}
	return all
}

// names returns the methods as the metadata name them: by the names that OAuth has for them.
func (m Methods) names() (names []string) {
	for _, method := range []struct {
		on   bool
		name string
	}{{m.Bearer, "bearer"}, {m.Basic, "client_secret_basic"}, {m.Certificate, "tls_client_auth"}} {
		if method.on {
			names = append(names, method.name)
		}
	}
	return names
}

// issuers returns where callers can get tokens, as the metadata of protected resources have it (RFC 9728).
func (m Methods) issuers() []string {
	if m.Issuer == "" {
		return nil
	}
	return []string{m.Issuer}
}

// proxyTokenField carries the token of a proxy, because Authorization belongs to the person.
const proxyTokenField = "X-Wardkeeper-Token"

// authorizeProxy is authorize for proxies. proven is false if proxies need not prove who they are.
func (rc *requestContext) authorizeProxy() (proven bool, err error) {
	callers := rc.server.callers
	if callers == nil {
		return false, nil
	}
	if !callers.Requires(RoleAsk) {
		return false, callers.CheckCertificate(rc.r.TLS)
	}
	sent := Credentials{TLS: rc.r.TLS}
	for _, token := range rc.r.Header[proxyTokenField] {
		sent.Authorization = append(sent.Authorization, "Bearer "+token)
	}
	caller, err := callers.Authenticate(rc.r.Context(), sent)
	if err != nil {
		return false, err
	}
	rc.callerName = caller.Name
	return true, caller.check(RoleAsk)
}
