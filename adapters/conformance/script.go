package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/wardkeeper/wardkeeper/adapters/conformance/decisionpoint"
)

//go:embed script.yaml
var script []byte

//go:embed routes.yaml
var routeFile string

// testCase is a request to the sample application and the expected results.
type testCase struct {
	Name, Duty string
	Request    string // method and target
	Headers    map[string]string
	Fields     []string // further header fields, in this order, some with the same name
	Token      string   // the kind of token that the request carries; "" is a valid one
	Send       string   // the body
	Fill       int      // adds a member with so many letters to the body, which is an object
	Chunked    bool     // whether the body is sent in chunks, without its length
	Needs      string   // what the adapter must be able to do: one of capabilities

	Status   int
	Code     string         // of the problem details
	Page     bool           // whether the body is a page
	Body     string         // a part of the body
	JSON     map[string]any // the body
	Header   map[string]string
	Requests *int              // how many requests reach the decision point
	Asked    map[string]any    // a part of the last question
	Sent     map[string]string // header fields of the last request to the decision point
	Done     *[]string         // the ids of the obligations that this request did

	mayBeRefused bool // a malformed request may be refused by the proxy, without problem details
}

// asks returns the number of requests that must reach the decision point.
func (c *testCase) asks() int {
	switch {
	case c.Requests != nil:
		return *c.Requests
	case c.Status == 400 || c.Status == 401 || c.Duty == "PEP-14" && c.Status == 403 && c.Request != "HEAD /users/deny":
		return 0
	}
	return 1
}

// What not every proxy can do (README.md).
const (
	needsBody       = "body"
	needsDenials    = "obligations-of-denials"
	needsSeparation = "separate-fields"
	needsMalformed  = "malformed-requests"
	needsLines      = "request-lines"
	needsLarge      = "large-bodies"
)

var capabilities = [...]string{needsBody, needsDenials, needsSeparation, needsMalformed, needsLines, needsLarge}

// timed reports whether the case is about the time-out.
func (c *testCase) timed() bool { return strings.HasPrefix(c.Request, "GET /users/not-in-time") }

// scripted returns the cases of the script, and one for each other behavior of the decision point.
func scripted() ([]testCase, error) {
	var file struct{ Cases []testCase }
	decoder := yaml.NewDecoder(bytes.NewReader(script))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil {
		return nil, fmt.Errorf("script.yaml: %w", err)
	}
	cases := file.Cases
	for _, id := range decisionpoint.Behaviors() {
		if slices.ContainsFunc(cases, func(c testCase) bool { return c.Request == "GET /users/"+id && c.Headers == nil && c.Token == "" }) {
			continue
		}
		cases = append(cases, played(id))
	}
	for _, c := range cases {
		if c.Needs != "" && !slices.Contains(capabilities[:], c.Needs) {
			return nil, fmt.Errorf("script.yaml: the case %q needs %s, which is not known", c.Name, c.Needs)
		}
	}
	return cases, nil
}

// played returns the case for one behavior of the decision point.
func played(id string) testCase {
	c := testCase{Name: "the decision point plays " + id, Duty: "PEP-1", Request: "GET /users/" + id, Status: 403, Code: "denied"}
	one, two := 1, 2
	c.Requests = &one
	switch {
	case decisionpoint.Permits(id):
		c.Status, c.Code = 200, ""
	case strings.HasPrefix(id, "not-"):
		c.Status, c.Code = 503, "unavailable"
	}
	switch id {
	case "not-301", "not-302", "not-303", "not-307", "not-308":
		c.Duty = "PEP-2"
	case "not-answered", "allow-second-attempt":
		c.Duty, c.Requests = "PEP-8", &two
	case "not-begun", "not-begun-status", "not-reset", "not-in-time", "not-in-time-body", "not-in-time-drop", "not-in-time-header", "not-large", "not-large-chunked", "not-endless-header":
		c.Duty = "PEP-8"
	}
	return c
}
