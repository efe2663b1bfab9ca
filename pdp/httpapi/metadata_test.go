package httpapi

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/wardkeeper/wardkeeper/pdp"
)

func TestMetadata(t *testing.T) {
	f := allow()
	h := start(t, Config{Decider: f, BaseURL: "https://pdp.example.org/authz/", Callers: testCallers{ask: staticTokens("secret")}})
	const decisions = `{"policy_decision_point":"https://pdp.example.org/authz",` +
		`"access_evaluation_endpoint":"https://pdp.example.org/authz/access/v1/evaluation",` +
		`"access_evaluations_endpoint":"https://pdp.example.org/authz/access/v1/evaluations"`
	const methods = `,"authentication_methods_supported":["bearer"]}`
	for _, c := range []struct {
		offers pdp.Offers
		want   string
	}{ // one server advertises what each policy supports
		{pdp.Offers{}, decisions + methods},
		{pdp.Offers{Resources: true}, decisions + `,"search_resource_endpoint":"https://pdp.example.org/authz/access/v1/search/resource"` + methods},
		{pdp.Offers{Subjects: true, Resources: true, Actions: true, Obligations: []string{"custom", "step-up"}}, decisions +
			`,"search_subject_endpoint":"https://pdp.example.org/authz/access/v1/search/subject",` +
			`"search_resource_endpoint":"https://pdp.example.org/authz/access/v1/search/resource",` +
			`"search_action_endpoint":"https://pdp.example.org/authz/access/v1/search/action",` +
			`"supported_obligations":["custom","step-up"]` + methods},
	} {
		f.offers = c.offers
		for _, path := range []string{"/.well-known/authzen-configuration", "/.well-known/authzen-configuration/authz"} {
			a := h.do(http.MethodGet, path, "", "Host", "evil.example")
			assert.Equal(t, 200, a.status)
			assert.Equal(t, "application/json", a.header.Get("Content-Type"))
			assert.Equal(t, c.want, a.body)
		}
	}
	for _, path := range []string{"/.well-known/authzen-configuration/", "/.well-known/authzen-configuration/authz/", "/.well-known/authzen-configuration/other",
		"/authz/.well-known/authzen-configuration"} {
		h.do(http.MethodGet, path, "").requireError(t, 404)
	}
	assert.Contains(t, h.do(http.MethodPost, "/.well-known/authzen-configuration/authz", "{}").requireError(t, 405), "GET")
}

// The path may contain characters that are special in patterns or URLs.
func TestMetadataAtPathOfBaseURL(t *testing.T) {
	for base, path := range map[string]string{
		"https://x/a/b:c": "/a/b:c", "https://x/:id": "/:id", "https://x/a%2Fb": "/a%2Fb", "https://x/%C3%A4": "/%C3%A4", "https://x/%FF/": "/%FF",
	} {
		h := start(t, Config{Decider: allow(), BaseURL: base})
		assert.Equal(t, 200, h.do(http.MethodGet, metadataPath+path, "").status, base)
		assert.Equal(t, 404, h.do(http.MethodGet, metadataPath+path+"x", "").status, base)
	}
}
