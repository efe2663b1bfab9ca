package hostile

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/wardkeeper/wardkeeper/adapters/routes"
)

// Violation is a request that the application should not have got, or not in that form.
type Violation struct {
	Class    string // of the case
	Sentence string // what happened
	Sent     string // the beginning of what was sent
	Got      string // the beginning of what the application got
}

func (v Violation) String() string {
	return fmt.Sprintf("%s (%s)\n  sent %s\n  got  %s", v.Sentence, v.Class, v.Sent, v.Got)
}

// subjectHeader names the person to the application.
const subjectHeader = "X-Wardkeeper-Subject"

// ours is the prefix of the fields that only the proxy may set.
const ours = "X-Wardkeeper-"

// law compares what the application got with what was judged. named means that the application reads the person from
// X-Wardkeeper-Subject.
func law(ctx context.Context, table *routes.Table, events []event, cases []Case, named bool) []Violation {
	var violations []Violation
	unused := map[string][]string{} // the persons of requests that may pass and have not reached the application, by meaning
	byID := map[string]*Case{}
	for i := range cases {
		byID[cases[i].ID] = &cases[i]
	}
	for _, e := range events {
		if e.got == nil {
			unused[e.judged] = append(unused[e.judged], e.subject)
			continue
		}
		id := idPattern.FindString(string(e.got.Raw))
		if id != "" && byID[id] == nil {
			continue // from an earlier run, whose client did not wait: that run judged it
		}
		for _, sentence := range problems(ctx, table, e.got, unused, named) {
			v := Violation{Sentence: sentence, Got: excerpt(e.got.Raw), Sent: "unknown", Class: "unknown"}
			if c := byID[id]; c != nil {
				v.Sent, v.Class = excerpt(c.Raw), c.Class
			}
			violations = append(violations, v)
		}
	}
	return violations
}

// problems returns sentences about what is wrong with a request that the application got.
func problems(ctx context.Context, table *routes.Table, got *Received, unused map[string][]string, named bool) []string {
	var found []string
	for _, fault := range got.Faults {
		found = append(found, "The application got a request that programs read in different ways: "+fault+".")
	}
	request := routes.Request{Method: got.Method, Target: got.Target, Host: got.Host, Header: http.Header{}, FromProxy: true}
	request.ReadBody = func(int) ([]byte, error) { return got.Body, nil }
	var persons []string
	for name, values := range got.Header {
		if len(name) >= len(ours) && routes.SameHeader(name[:len(ours)], ours) {
			if named && name == http.CanonicalHeaderKey(subjectHeader) {
				persons = values
			} else if !named || !strings.EqualFold(name, "X-Wardkeeper-Obligations") || len(values) > 1 {
				found = append(found, "The application got the field "+name+", which it could take for the proxy's.")
			}
			continue
		}
		request.Header[name] = values
	}
	resolution, err := table.Resolve(ctx, request)
	switch {
	case err != nil:
		return append(found, "The application got a request that the route file refuses: "+err.Error())
	case resolution.Outcome == routes.NoRoute:
		return append(found, "The application got a request that no route matches.")
	}
	key := meaning(nil, got.Method, resolution.Path)
	if resolution.Outcome == routes.Question {
		key = meaning(&resolution.Evaluation, got.Method, "")
	}
	judged := unused[key]
	if len(judged) == 0 {
		return append(found, "The application got a request that was not judged: "+key+".")
	}
	unused[key] = judged[1:]
	if !named {
		return found
	}
	switch want := url.PathEscape(judged[0]); {
	case len(persons) > 1:
		found = append(found, "The application got "+subjectHeader+" twice.")
	case want != "" && len(persons) == 0:
		found = append(found, "The application was not told who the person is: "+subjectHeader+" is missing.")
	case want == "" && len(persons) == 1 && persons[0] != "", want != "" && persons[0] != want:
		found = append(found, "The application was told of another person than the one that was judged.")
	}
	return found
}

// maxExcerpt bounds the excerpt of a request in a report, in bytes.
const maxExcerpt = 300

func excerpt(raw []byte) string {
	if len(raw) > maxExcerpt {
		return fmt.Sprintf("%q...", raw[:maxExcerpt])
	}
	return fmt.Sprintf("%q", raw)
}
