package routes

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/wardkeeper/wardkeeper/adapters/identity"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// Outcome says what a request means.
type Outcome int

// The outcomes of [Table.Resolve].
const (
	NoRoute  Outcome = iota // no route matches: deny
	Public                  // let it through without asking
	Question                // ask
)

func (o Outcome) String() string {
	switch o {
	case Public:
		return "public"
	case Question:
		return "question"
	}
	return "no route"
}

// Resolution is the meaning of a request by a route file.
type Resolution struct {
	Outcome Outcome
	// Path is the canonical path: one spelling for all paths that mean the same. It is "" if the target was refused. It may
	// contain ids of persons; log the template of the route instead.
	Path string
	// Route is the route that matches; nil if none does. It is also set with an error that was found after the match.
	Route *Route
	// Evaluation is the question, if Outcome is [Question]. Its values may be shared between questions: treat them as
	// read-only.
	Evaluation authzen.Evaluation
}

// Verifier verifies the token that names a person, as [identity.Verifier] does. Implementations must be safe for concurrent
// use.
type Verifier interface {
	// Verify returns the claims of a token, with numbers as [encoding/json.Number]. The error is [identity.ErrUnavailable] if
	// the token cannot be verified now; any other means that it is not valid.
	Verify(ctx context.Context, token string) (claims map[string]any, err error)
}

// Resolve determines what a request means. Every error is an [*Error]; the request must then be refused. It is safe for
// concurrent use.
func (t *Table) Resolve(ctx context.Context, r Request) (Resolution, error) {
	if err := checkMethod(r.Method); err != nil {
		return Resolution{}, err
	}
	target, err := parseTarget(r.Target)
	if err != nil {
		return Resolution{}, err
	}
	resolution := Resolution{Path: canonicalPath(target.path)}
	host, err := canonicalHost(r.Host)
	if err != nil {
		return resolution, err
	}
	if err := checkHeaders(r.Header); err != nil {
		return resolution, err
	}
	if overridesMethod(target.query) {
		return resolution, badRequest("The query has the parameter " + methodParameter + ": send the method that is meant.")
	}
	matched := t.tree.find(target.path[1:], true, host, r.Method, nil)
	if matched == nil {
		return resolution, nil
	}
	resolution.Route = &matched.Route
	if matched.Public {
		if err := checkUnasked(&r, t.subject.Header); err != nil {
			return resolution, err
		}
		resolution.Outcome = Public
		return resolution, nil
	}
	subject, claims, err := t.person(ctx, &r)
	if err != nil {
		return resolution, err
	}
	d := drawing{request: &r, route: matched, target: target, claims: claims}
	evaluation, err := d.evaluation(t, subject)
	if err != nil {
		return resolution, err
	}
	resolution.Outcome, resolution.Evaluation = Question, evaluation
	return resolution, nil
}

var errNoVerifier = errors.New("routes: the route file has subject.jwt, but there is no verifier of tokens")

// maxMethod is the maximum length of a method in bytes.
const maxMethod = 32

func checkMethod(method string) error {
	if !isMethod(method) {
		return badRequest("The method is not a word of upper-case letters: send one such as GET.")
	}
	if method == http.MethodTrace || method == http.MethodConnect {
		return badRequest("The method is TRACE or CONNECT, which is never served here: send another one.")
	}
	return nil
}

// isMethod reports whether method is a token without lower-case letters.
func isMethod(method string) bool {
	return isToken(method) && len(method) <= maxMethod && strings.ToUpper(method) == method
}

// isToken reports whether s is a token (RFC 9110 section 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

// person returns the id of the person, and the claims of the verified token.
func (t *Table) person(ctx context.Context, r *Request) (id string, claims map[string]any, err error) {
	if t.subject.JWT == nil {
		id, err = proxyPerson(r, t.subject.Header)
		return id, nil, err
	}
	token, err := t.subject.JWT.token(r.Header)
	if err != nil {
		return "", nil, err
	}
	if t.verifier == nil {
		return "", nil, &Error{Kind: Unavailable, Message: "It cannot be found out now who asks.", Err: errNoVerifier}
	}
	if claims, err = t.verifier.Verify(ctx, token); err != nil {
		if errors.Is(err, identity.ErrUnavailable) || ctx.Err() != nil {
			return "", nil, &Error{Kind: Unavailable, Message: "It cannot be found out now who asks.", Err: err}
		}
		return "", nil, &Error{Kind: Unauthenticated, Message: "The token is not valid: sign in again.", Err: err}
	}
	name, problem := textForm.convert(claims[t.subject.JWT.Claim])
	if problem != "" {
		return "", nil, unauthenticated("The claim " + t.subject.JWT.Claim + " of the token " + problem + ": it has to name the person.")
	}
	return name.(string), claims, nil
}

// checkUnasked refuses a request for a public route that names a person but does not come from the proxy: no question is
// asked, but the application may believe the header.
func checkUnasked(r *Request, header string) error {
	_, ok, err := one(r.Header, header)
	if err == nil && ok && !r.FromProxy {
		err = badRequest("The request has the header " + header + ", which only the proxy may set: leave it out.")
	}
	return err
}

// proxyPerson returns the person that an authenticated proxy names.
func proxyPerson(r *Request, header string) (string, error) {
	if !r.FromProxy {
		return "", unauthenticated("Nobody has said who asks: the header " + header + " counts only if it comes from the proxy.")
	}
	id, ok, err := drawnHeader(r.Header, header)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", unauthenticated("Nobody is signed in.")
	}
	if _, problem := textForm.convert(id); problem != "" {
		return "", badRequest("The header " + header + " " + problem + ".")
	}
	return id, nil
}

// token returns the token of a request.
func (j *JWT) token(header http.Header) (string, error) {
	if j.Cookie != "" {
		return cookie(header, j.Cookie)
	}
	credentials, _, err := one(header, "Authorization")
	if err != nil {
		return "", err
	}
	scheme, token, _ := strings.Cut(credentials, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", unauthenticated("Nobody is signed in: send a token in the Authorization header, as Bearer.")
	}
	return checkToken(token)
}

// cookie returns the value of a cookie, which must be there once. HTTP/2 may split cookies over several headers.
func cookie(header http.Header, name string) (token string, err error) {
	found := false
	for key, values := range header {
		if !strings.EqualFold(key, "Cookie") {
			continue
		}
		for _, line := range values {
			for pair := range strings.SplitSeq(line, ";") {
				rawName, value, _ := strings.Cut(pair, "=")
				rawName = strings.Trim(rawName, " \t")
				if !sameParameter(decodeParameter(rawName), name) {
					continue
				}
				if found || rawName != name {
					return "", badRequest("The cookie " + name + " is there twice or in another spelling: send it once.")
				}
				found, token = true, strings.Trim(value, " \t")
			}
		}
	}
	if !found {
		return "", unauthenticated("Nobody is signed in: send the cookie " + name + ".")
	}
	return checkToken(token)
}

// checkToken checks that a token is not empty and has only the characters of tokens (RFC 6750 section 2.1).
func checkToken(token string) (string, error) {
	for i := range len(token) {
		if c := token[i]; !isUnreserved(c) && c != '+' && c != '/' && c != '=' {
			return "", unauthenticated("The token is not valid: sign in again.")
		}
	}
	if token == "" {
		return "", unauthenticated("The token is not valid: sign in again.")
	}
	return token, nil
}
