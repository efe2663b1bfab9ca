package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/adapters/conformance/decisionpoint"
)

// asked returns the problems of the requests that reached the decision point.
func (c *testCase) asked(requests []decisionpoint.Request) []string {
	var problems []string
	fail := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if len(requests) != c.asks() {
		fail("%d requests reached the decision point, want %d", len(requests), c.asks())
		return problems
	}
	for _, r := range requests {
		if got := r.Header.Get("Authorization"); got != "Bearer "+pdpToken {
			fail("the decision point was sent another token than that of PDP_TOKEN_FILE")
		}
		if r.Header.Get("X-Request-Id") == "" {
			fail("the decision point was sent no X-Request-ID")
		}
		for _, q := range r.Questions {
			if types, ok := q.Context["supported_obligations"].([]any); !ok || !sameTypes(types) {
				fail("context.supported_obligations is %v, want notification and custom", q.Context["supported_obligations"])
			}
		}
	}
	if len(requests) == 0 {
		return problems
	}
	last := requests[len(requests)-1]
	for name, want := range c.Sent {
		if got := strings.Join(last.Header.Values(name), ","); strings.ReplaceAll(got, ", ", ",") != want {
			fail("the decision point was sent %s %q, want %q", name, got, want)
		}
	}
	if c.Asked != nil && len(last.Questions) > 0 {
		data, err := json.Marshal(last.Questions[0])
		var question any
		if err = errors.Join(err, json.Unmarshal(data, &question)); err != nil || !contains(question, c.Asked) {
			fail("the question is %s, want %v in it", data, c.Asked)
		}
	}
	return problems
}

func sameTypes(types []any) bool {
	return len(types) == 2 && slices.Contains(types, any("notification")) && slices.Contains(types, any("custom"))
}

// contains reports whether got has every member of want.
func contains(got, want any) bool {
	switch want := want.(type) {
	case map[string]any:
		members, ok := got.(map[string]any)
		if !ok {
			return false
		}
		for name, value := range want {
			if !contains(members[name], value) {
				return false
			}
		}
		return true
	case []any:
		list, ok := got.([]any)
		return ok && slices.EqualFunc(list, want, contains)
	}
	return reflect.DeepEqual(got, want)
}
