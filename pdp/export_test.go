package pdp

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/fleetkey"
	"github.com/wardkeeper/wardkeeper/pdp/paging"
)

// InputTerm returns what the policy sees of a question.
func (e *Engine) InputTerm(ctx context.Context, r Request) (*ast.Term, error) {
	return e.InputOf(ctx, r, facts.ReadsAll())
}

// InputOf returns what a policy that reads these members sees of a question.
func (e *Engine) InputOf(ctx context.Context, r Request, reads facts.Reads) (*ast.Term, error) {
	ev, err := e.begin(ctx, r)
	if err != nil {
		return nil, err
	}
	in, _, err := ev.input(ctx, r, reads)
	return in.Term(), err
}

// Query returns the query of the policy's decision.
func (e *Engine) Query() *bundles.Query { return e.Policy().decision }

// PrepareWithoutProbe prepares a policy without asking the probe, so that tests can use malformed policies.
func PrepareWithoutProbe(ctx context.Context, r *bundles.Revision) (*Policy, error) {
	return prepare(ctx, r, (*Policy).checkTables, (*Policy).prepareQueries, (*Policy).compileQueries, (*Policy).readTables, (*Policy).findReads, (*Policy).readOffers)
}

// Allows returns the value of the policy's rule allow, which searches use.
func (e *Engine) Allows(ctx context.Context, r Request) (bool, error) {
	ev, err := e.begin(ctx)
	if err != nil {
		return false, err
	}
	return ev.may(ctx, r, ev.allow)
}

// Possible returns the value of the policy's rule possible, which action searches use.
func (e *Engine) Possible(ctx context.Context, r Request) (bool, error) {
	ev, err := e.begin(ctx)
	if err != nil {
		return false, err
	}
	return ev.may(ctx, r, ev.possible)
}

// WithFleetKey lets an engine seal its page tokens.
func WithFleetKey(e *Engine, keys *fleetkey.Keys) *Engine {
	e.keys = keys
	return e
}

// Forged returns the hits of a resource search that continues at a token with any content, sealed by the right key.
func Forged(e *Engine, r SearchRequest, content string) []Hit {
	var t struct {
		ID     string `json:"i"`
		First  string `json:"f"`
		Second string `json:"g"`
		Limit  int    `json:"l"`
	}
	if json.Unmarshal([]byte(content), &t) != nil {
		return nil
	}
	r.Resource.ID = ""
	page, err := paging.Read(resourceSearch, r.question(), &authzen.Page{Properties: r.Page.Properties}, e.keys)
	if err != nil {
		return nil
	}
	page.Limit = t.Limit
	token, err := page.Token(facts.Cursor{ID: t.ID, First: t.First, Second: t.Second})
	if err != nil {
		return nil
	}
	r.Page = &authzen.Page{Token: token, Properties: r.Page.Properties}
	result, err := e.SearchResources(context.Background(), r)
	if err != nil {
		return nil
	}
	return result.Hits
}

// Documents returns the number of compiled documents of the policy in force.
func Documents(e *Engine) int {
	d := e.Policy().documents
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.compiled)
}

// Exemptions reports whether an action needs no current location, and whether it crosses organizations.
func (p *Policy) Exemptions(action string) (currentLocation, organization bool) {
	a := p.catalogue[action]
	return a.NeedsNoCurrentLocation, a.CrossesOrganizations
}

// Queries returns the policy's queries by name.
func (p *Policy) Queries() map[string]*bundles.Query {
	return map[string]*bundles.Query{"decision": p.decision, "allow": p.allow, "possible": p.possible, "scope": p.scope, "sees": p.disclosed}
}

// InScope reports whether a list would ask a question about a user.
func (e *Engine) InScope(ctx context.Context, r Request, user string) (bool, error) {
	ev, err := e.begin(ctx)
	if err != nil {
		return false, err
	}
	u, err := ev.facts.View.User(ctx, user)
	if err != nil {
		return false, err
	}
	s, err := ev.scopeOf(ctx, r)
	if err != nil || s == nil {
		return false, err
	}
	covered := slices.ContainsFunc(u.Assignments(), func(a facts.Assignment) bool { return a.At.CoveredBy(s.location) })
	return covered && u.ID() != s.except && s.Admits(u), nil
}

// InSubjectScope reports whether a search for subjects would ask a question about a user.
func (e *Engine) InSubjectScope(ctx context.Context, r Request, user string) (bool, error) {
	ev, err := e.begin(ctx)
	if err != nil {
		return false, err
	}
	u, err := ev.facts.View.User(ctx, user)
	if err != nil {
		return false, err
	}
	s, err := ev.subjectScopeOf(ctx, r)
	return s != nil && s.Admits(u), err
}

// ReachOf returns the reach of a scope.
func ReachOf(scope any) (Reach, error) {
	s, err := parseScope(scope)
	return Reach{s}, err
}
