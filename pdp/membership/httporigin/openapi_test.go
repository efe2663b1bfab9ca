//go:build !fuzz

// The validators are large, and fuzzing instrumentation makes them larger, so .ci/fuzz builds without this file.

package httporigin

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	validationerrors "github.com/pb33f/libopenapi-validator/errors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"go.yaml.in/yaml/v3"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
)

func contractValidator(t testing.TB) validator.Validator {
	t.Helper()
	document, err := libopenapi.NewDocument([]byte(OpenAPI()))
	require.NoError(t, err)
	v, errs := validator.NewValidator(document)
	require.Empty(t, errs)
	return v
}

func messages(errs []*validationerrors.ValidationError) (out []string) {
	for _, e := range errs {
		out = append(out, e.Error())
		for _, s := range e.SchemaValidationErrors {
			out = append(out, s.FieldPath+": "+s.Reason)
		}
	}
	return out
}

func TestOpenAPIIsValid(t *testing.T) {
	valid, errs := contractValidator(t).ValidateDocument()
	assert.True(t, valid, "%v", messages(errs))

	broken, err := libopenapi.NewDocument([]byte(strings.Replace(OpenAPI(), "responses:", "answers:", 1)))
	require.NoError(t, err)
	v, _ := validator.NewValidator(broken)
	valid, _ = v.ValidateDocument()
	assert.False(t, valid, "the validator must find faults")
}

func TestOpenAPIReferencesAreDefinedAndUsed(t *testing.T) {
	var document map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(OpenAPI()), &document))
	used := map[string]bool{}
	for _, m := range regexp.MustCompile(`"#/components/([^"]+)"`).FindAllStringSubmatch(OpenAPI(), -1) {
		used[m[1]] = true
	}
	defined := map[string]bool{}
	for section, all := range document["components"].(map[string]any) {
		if section == "securitySchemes" {
			continue
		}
		for name := range all.(map[string]any) {
			defined[section+"/"+name] = true
		}
	}
	assert.Equal(t, defined, used)
}

// conformanceChecker forwards requests to an application and checks that requests and answers conform to the contract.
type conformanceChecker struct {
	t        *testing.T
	next     http.Handler
	mu       sync.Mutex
	contract validator.Validator
	seen     map[string]int // count of answers by path and status
}

func (c *conformanceChecker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	recorded := httptest.NewRecorder()
	c.next.ServeHTTP(recorded, r)
	answer := recorded.Result()
	body, _ := io.ReadAll(answer.Body)
	c.mu.Lock()
	c.seen[r.URL.Path+" "+answer.Status]++
	valid, errs := c.contract.ValidateHttpRequestSync(r)
	assert.True(c.t, valid, "asked %s: %v", r.URL, messages(errs))
	answer.Body = io.NopCloser(bytes.NewReader(body))
	valid, errs = c.contract.ValidateHttpResponse(r, answer)
	assert.True(c.t, valid, "answered %s: %v", r.URL, messages(errs))
	c.mu.Unlock()
	for name, values := range answer.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.StatusCode)
	_, _ = w.Write(body)
}

func TestRequestsAndAnswersConformToOpenAPI(t *testing.T) {
	ctx := t.Context()
	r := origintest.SampleDocument(9, 40)
	d := origintest.ParseDirectory(t, r.String())
	a := origintest.NewApplication(t, r.String())
	c := &conformanceChecker{t: t, next: http.StripPrefix("/membership", a), contract: contractValidator(t), seen: map[string]int{}}
	server := httptest.NewServer(c)
	defer server.Close()
	o := openOrigin(t, a, server.URL, func(cfg *Config) { cfg.Token = "secret" })
	for range 2 { // the second time with ETags
		origintest.TestOrganizations(t, o, d)
		origintest.TestUsers(t, o, d)
	}
	origintest.TestUsernames(t, o, d)
	origintest.TestLocationIDs(t, o, d)
	origintest.TestCursors(t, o, d)
	for _, sort := range membership.SortKeys {
		_, err := o.Users(ctx, facts.UserQuery{Beneath: "a/b", Sort: sort, Text: "% é"})
		require.NoError(t, err)
	}
	require.NoError(t, o.Check(ctx))
	var seen []string
	for answer := range c.seen {
		seen = append(seen, strings.TrimPrefix(answer, "/membership"))
	}
	assert.ElementsMatch(t, []string{
		"/users/by-id 200 OK", "/users/by-id 304 Not Modified", "/users/by-id 404 Not Found", "/users/by-username 200 OK", "/users 200 OK",
		"/organizations/by-location 200 OK", "/organizations/by-location 304 Not Modified", "/organizations/by-location 404 Not Found",
		"/locations 200 OK",
	}, seen)
}

// The decoder must refuse exactly the answers that the contract forbids.
func TestOpenAPIAndDecoderAgree(t *testing.T) {
	v := contractValidator(t)
	for _, c := range []struct {
		path, body string
		valid      bool
	}{
		{"/users/by-id?id=a", `{"user": {"id": "a"}}`, true},
		{"/users/by-id?id=a", `{"user": {"id": "a"}, "version": 9007199254740991}`, true},
		{"/users/by-id?id=a", `{"user": {"id": "a"}, "version": 9007199254740992}`, false},
		{"/users/by-id?id=a", `{"user": {"id": "a"}, "version": 0}`, false},
		{"/users/by-id?id=a", `{"user": {"id": "a"}, "version": "1"}`, false},
		{"/users/by-id?id=a", `{"user": {"id": "a"}, "version": 1, "history": "2026-11-28 a~"}`, true},
		{"/users/by-id?id=a", `{"user": {"id": "a"}, "history": "` + strings.Repeat("h", membership.MaxHistory) + `"}`, true},
		{"/users/by-id?id=a", `{"user": {"id": "a"}, "history": "` + strings.Repeat("h", membership.MaxHistory+1) + `"}`, false},
		{"/users/by-id?id=a", `{"user": {"id": "a"}, "history": ""}`, false},
		{"/users/by-id?id=a", `{"user": {"id": "a"}, "history": "é"}`, false},
		{"/users/by-id?id=a", `{"user": {"id": "a"}, "history": "a\n"}`, false},
		{"/users/by-id?id=a", `{"user": {"id": "a"}, "history": 7}`, false},
		{"/users/by-id?id=a", `{"user": {"id": "a"}, "history": null}`, false},
		{"/users/by-id?id=a", `{"user": {"id": "a"}, "verison": 1}`, false},
		{"/users/by-id?id=a", `{"user": null}`, false},
		{"/users/by-id?id=a", `{}`, false},
		{"/users/by-id?id=a", `[]`, false},
		{"/users/by-username?username=a", `{"users": []}`, true},
		{"/users/by-username?username=a", `{"users": [{"user": {"id": "a"}}, {"user": {"id": "b"}, "version": 1}]}`, true},
		{"/users/by-username?username=a", `{"users": [{"user": {"id": "a"}}, {"user": {"id": "b"}}, {"user": {"id": "c"}}]}`, false},
		{"/users/by-username?username=a", `{"users": [{"user": {"id": "a"}, "offset": 1}]}`, false},
		{"/users/by-username?username=a", `{"users": [{"id": "a"}]}`, false},
		{"/users?sort=name&order=asc&limit=5", `{"users": [], "more": false}`, true},
		{"/users?sort=name&order=asc&limit=5", `{"users": [{"user": {"id": "a"}, "version": 1}], "more": true}`, true},
		{"/users?sort=name&order=asc&limit=5", `{"users": [{"user": {"id": "a"}, "version": 0}], "more": true}`, false},
		{"/users?sort=name&order=asc&limit=5", `{"users": []}`, false},
		{"/users?sort=name&order=asc&limit=5", `{"users": {}, "more": false}`, false},
		{"/organizations/by-location?id=a", `{"locations": [{"id": "a", "kind": "vendor", "model": "vendor"}], "version": 1}`, true},
		{"/organizations/by-location?id=a", `{"locations": [{"id": "a", "kind": "vendor", "model": "vendor"}], "version": 1, "history": "b"}`, true},
		{"/organizations/by-location?id=a", `{"locations": [{"id": "a", "kind": "vendor", "model": "vendor"}], "version": 1, "history": ""}`, false},
		{"/users?sort=name&order=asc&limit=5", `{"users": [{"user": {"id": "a"}, "history": "b"}], "more": false}`, true},
		{"/organizations/by-location?id=a", `{"locations": {}}`, false},
		{"/organizations/by-location?id=a", `{"locations": []}`, false},
		{"/organizations/by-location?id=a", `{"version": 1}`, false},
		{"/locations?limit=5", `{"ids": ["a", "b"], "more": false}`, true},
		{"/locations?limit=5", `{"ids": [""], "more": false}`, false},
		{"/locations?limit=5", `{"ids": [1], "more": false}`, false},
		{"/locations?limit=5", `{"ids": ["a"], "more": 0}`, false},
		{"/locations?limit=5", `{"ids": ["a"], "more": false, "total": 1}`, false},
	} {
		r := httptest.NewRequest(http.MethodGet, "https://accounts.example.org/membership"+c.path, nil)
		answer := &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(c.body))}
		valid, errs := v.ValidateHttpResponse(r, answer)
		assert.Equal(t, c.valid, valid, "contract: %s %s %v", c.path, c.body, messages(errs))
		var err error
		switch r.URL.Path {
		case "/membership/users/by-id":
			_, err = readUserAnswer([]byte(c.body))
		case "/membership/users/by-username":
			_, err = readUsersAnswer([]byte(c.body))
		case "/membership/users":
			_, err = readListAnswer([]byte(c.body), 5, facts.SortName)
		case "/membership/organizations/by-location":
			_, err = readOrganizationAnswer([]byte(c.body))
		case "/membership/locations":
			_, _, err = readLocationsAnswer([]byte(c.body), 5, "")
		}
		assert.Equal(t, c.valid, err == nil, "decoder: %s %s %v", c.path, c.body, err)
	}
}
