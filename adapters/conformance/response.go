package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// response returns the problems of a response.
func (c *testCase) response(got response, method string) []string {
	var problems []string
	fail := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if c.Status == http.StatusBadRequest && c.mayBeRefused && (got.status == http.StatusBadRequest || got.status == http.StatusNotFound) {
		return nil
	}
	if got.status != c.Status {
		fail("the status is %d, want %d; the body is %.300q", got.status, c.Status, got.body)
		return problems
	}
	for name, want := range c.Header {
		if !strings.HasPrefix(got.header.Get(name), want) {
			fail("the header field %s is %q, want %q", name, got.header.Get(name), want)
		}
	}
	if method == http.MethodHead {
		return problems
	}
	if c.Body != "" && !strings.Contains(got.body, c.Body) {
		fail("the body is %.300q, want %q in it", got.body, c.Body)
	}
	if page := strings.HasPrefix(got.header.Get("Content-Type"), "text/html"); page != c.Page && got.status >= 400 && c.Code != "" || c.Page && !page {
		fail("the content type is %q; want a page: %t", got.header.Get("Content-Type"), c.Page)
	}
	if c.JSON != nil {
		var body any
		if err := json.Unmarshal([]byte(got.body), &body); err != nil || !contains(body, c.JSON) {
			fail("the body is %.300q, want %v", got.body, c.JSON)
		}
	}
	if c.Code != "" {
		problem, err := authzen.ParseObject([]byte(got.body))
		if err != nil || problem["code"] != c.Code {
			fail("the body is %.300q, want problem details with the code %q", got.body, c.Code)
		}
		if id := got.header.Get("X-Request-Id"); id == "" || problem["request_id"] != id {
			fail("the request id is %q in the header and %q in the body, want one", id, problem["request_id"])
		}
	}
	return problems
}
