package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// Endpoints are the paths of a decision point's endpoints. The standard ones (pdp/authzen/PROTOCOL.md section 10.1) follow
// the path of the URL.
type Endpoints struct {
	Evaluation, Evaluations                     string
	SearchSubject, SearchResource, SearchAction string
	GuardClaim                                  string // Wardkeeper's own
}

var standardEndpoints = Endpoints{
	Evaluation: "/access/v1/evaluation", Evaluations: "/access/v1/evaluations",
	SearchSubject: "/access/v1/search/subject", SearchResource: "/access/v1/search/resource", SearchAction: "/access/v1/search/action",
	GuardClaim: "/v1/guards/claim",
}

// Metadata describes a decision point, in its own words (pdp/authzen/PROTOCOL.md section 9).
type Metadata struct {
	PolicyDecisionPoint  string // its base URL
	Endpoints            Endpoints
	SupportedObligations []string
}

// Metadata requests the metadata. Fields that the decision point does not offer are empty.
func (c *Client) Metadata(ctx context.Context) (Metadata, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	path, err := c.metadataURL()
	if err != nil {
		return Metadata{}, err
	}
	body, err := c.request(ctx, http.MethodGet, path, nil)
	if err != nil {
		return Metadata{}, err
	}
	members, err := authzen.ParseObject(body)
	if err != nil {
		return Metadata{}, malformed(err)
	}
	var m Metadata
	var malformed bool
	for name, target := range map[string]*string{
		"policy_decision_point": &m.PolicyDecisionPoint, "access_evaluation_endpoint": &m.Endpoints.Evaluation,
		"access_evaluations_endpoint": &m.Endpoints.Evaluations, "search_subject_endpoint": &m.Endpoints.SearchSubject,
		"search_resource_endpoint": &m.Endpoints.SearchResource, "search_action_endpoint": &m.Endpoints.SearchAction,
		"guard_claim_endpoint": &m.Endpoints.GuardClaim,
	} {
		text, ok := members[name].(string)
		malformed = malformed || !ok && members[name] != nil
		*target = text
	}
	if malformed || m.PolicyDecisionPoint == "" || m.Endpoints.Evaluation == "" {
		return Metadata{}, errors.New("the decision point sent malformed metadata")
	}
	list, _ := members["supported_obligations"].([]any)
	for _, element := range list {
		if text, ok := element.(string); ok {
			m.SupportedObligations = append(m.SupportedObligations, text)
		}
	}
	return m, nil
}

// metadataURL inserts the well-known path between the host and the path of the URL (RFC 8615).
func (c *Client) metadataURL() (string, error) {
	u, err := url.Parse(c.base)
	if err != nil {
		return "", fmt.Errorf("client: %w", err)
	}
	return u.Scheme + "://" + u.Host + "/.well-known/authzen-configuration" + u.EscapedPath(), nil
}

// Discover returns a client that uses the endpoints in the decision point's metadata. The metadata must be those of the URL,
// and every endpoint must be at its origin, so that metadata cannot send questions to another server.
func Discover(ctx context.Context, config Config) (*Client, error) {
	c, err := New(config)
	if err != nil {
		return nil, err
	}
	m, err := c.Metadata(ctx)
	if err != nil {
		c.Close()
		return nil, err
	}
	if err := c.use(m); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Client) use(m Metadata) error {
	base, err := url.Parse(m.PolicyDecisionPoint)
	if err != nil || !c.socket && trimSlash(m.PolicyDecisionPoint) != c.base {
		return errors.New("the metadata are those of another decision point: use the URL that they give as policy_decision_point")
	}
	for _, endpoint := range []*string{&m.Endpoints.Evaluation, &m.Endpoints.Evaluations, &m.Endpoints.SearchSubject, &m.Endpoints.SearchResource, &m.Endpoints.SearchAction, &m.Endpoints.GuardClaim} {
		if *endpoint == "" {
			continue
		}
		u, err := url.Parse(*endpoint)
		if err != nil || u.Scheme != base.Scheme || u.Host != base.Host || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return errors.New("the metadata name an endpoint at another server")
		}
		*endpoint = u.EscapedPath()
	}
	origin, err := url.Parse(c.base)
	if err != nil {
		return err
	}
	c.base, c.endpoints = origin.Scheme+"://"+origin.Host, m.Endpoints
	return nil
}
