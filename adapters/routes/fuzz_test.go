package routes

import (
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// FuzzParse checks that a file yields either a table or faults with positions in it.
func FuzzParse(f *testing.F) {
	example, err := os.ReadFile("example.yaml")
	require.NoError(f, err)
	f.Add(string(example))
	f.Add(hostileFile)
	for _, text := range goodFiles {
		f.Add(text)
	}
	for text := range badFiles {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		table, err := Parse([]byte(text))
		if err == nil {
			if len(table.routes) == 0 || len(table.routes) > MaxRoutes {
				t.Fatalf("%d routes", len(table.routes))
			}
			table.Warnings()
			for _, r := range table.routes {
				if !r.Public && (r.action == nil || r.id == nil || table.subject.JWT == nil && table.subject.Header == "") {
					t.Fatalf("a route without a question: %+v", r)
				}
			}
			return
		}
		var faults Faults
		if !errors.As(err, &faults) || len(faults) == 0 {
			t.Fatalf("not faults: %v", err)
		}
		lines := strings.Count(text, "\n") + strings.Count(text, "\r") + strings.Count(text, "\u2028") + strings.Count(text, "\u2029") + strings.Count(text, "\u0085") + 1
		for _, fault := range faults {
			if fault.Line < 1 || fault.Line > lines+1 || fault.Message == "" {
				t.Fatalf("line %d of %d: %s", fault.Line, lines, fault.Message)
			}
		}
	})
}

// FuzzResolve checks that accepted requests are canonical: the path contains nothing that is refused, and the canonical
// spelling asks the same question.
func FuzzResolve(f *testing.F) {
	table := hostile(f)
	for _, targets := range refusedTargets {
		for _, target := range targets {
			f.Add("GET", target, "admin.example.org", "X-User-Id", "a", "")
		}
	}
	for target := range acceptedTargets {
		f.Add("GET", target, "admin.example.org:443", "x-user-id", "a", "")
	}
	f.Add("GET", "/query?user_id=a&location=b", "[::1]", "", "", "")
	f.Add("GET", "/query?user%5fid=%61&Location=b", "a", "", "", "")
	f.Add("GET", "/header", "a", "X-User-Id", "a", "")
	f.Add("GET", "/header", "a", "X_User_Id", "a", "")
	f.Add("POST", "/body", "a", "Content-Type", "application/json", `{"id":"a","a":[{"role":"x"}]}`)
	f.Fuzz(func(t *testing.T, method, target, host, name, value, body string) {
		request := asking(method, target)
		request.Host = []string{host}
		request.Header[name] = append(request.Header[name], value)
		request.ReadBody = func(int) ([]byte, error) { return []byte(body), nil }
		got, err := table.Resolve(t.Context(), request)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Kind == 0 || !strings.HasSuffix(e.Message, ".") || got.Outcome != NoRoute {
				t.Fatalf("%#v, %#v", got, err)
			}
			return
		}
		checkCanonical(t, got.Path)
		query := ""
		if i := strings.IndexByte(target, '?'); i >= 0 {
			query = target[i:]
		}
		again := request
		again.Target, again.Host = got.Path+query, []string{strings.ToUpper(host)}
		if len(again.Target) > maxTarget {
			return
		}
		second, err := table.Resolve(t.Context(), again)
		if err != nil {
			t.Fatalf("%q became %q: %v", target, again.Target, err)
		}
		require.Equal(t, got, second)
		if matched := naive(table, strings.ToLower(host), method, decoded(t, got.Path)); (matched == nil) != (got.Route == nil) || matched != nil && &matched.Route != got.Route {
			t.Fatalf("%q: %v, %v", got.Path, matched, got.Route)
		}
		if got.Outcome == Question {
			checkQuestion(t, got, query, body)
		}
	})
}

// checkCanonical checks a path byte by byte, independently of the parser.
func checkCanonical(t *testing.T, path string) {
	t.Helper()
	upper := strings.ToUpper(path)
	for _, refused := range []string{"%2F", "%5C", "%25", "%3B", "%3F", "%23", "%7F", "%C0", "%C1", "%C2%8", "%C2%9", "//", ";", "\\", "#", "?", " "} {
		if strings.Contains(upper, refused) {
			t.Fatalf("%q contains %q", path, refused)
		}
	}
	text := decoded(t, path)
	if !utf8.ValidString(text) || hasControl(text) || canonicalPath(text) != path || path[0] != '/' {
		t.Fatalf("%q is not canonical", path)
	}
	for segment := range strings.SplitSeq(text, "/") {
		if segment == "." || segment == ".." || strings.TrimRight(segment, ". ") != segment {
			t.Fatalf("%q has the segment %q", path, segment)
		}
	}
}

func decoded(t *testing.T, path string) string {
	t.Helper()
	text, ok := unescape(path)
	if !ok {
		t.Fatalf("%q has a bad percent sign", path)
	}
	return text
}

// checkQuestion compares what was drawn with what net/url and encoding/json read.
func checkQuestion(t *testing.T, r Resolution, query, body string) {
	t.Helper()
	e := r.Evaluation
	if e.Subject.ID != "alice" || e.Action.Name == "" || e.Resource.ID == "" || e.Resource.Type == "" || hasControl(e.Resource.ID) {
		t.Fatalf("%+v", e)
	}
	if _, err := json.Marshal(e); err != nil {
		t.Fatal(err)
	}
	switch r.Route.Path {
	case "/query":
		values, err := url.ParseQuery(strings.TrimPrefix(query, "?"))
		if err != nil || len(values["user_id"]) != 1 || values["user_id"][0] != e.Resource.ID {
			t.Fatalf("%q: %v, %v, but %q was drawn", query, values, err, e.Resource.ID)
		}
		if location, ok := e.Resource.Properties["location"]; ok != values.Has("location") || ok && location != values.Get("location") {
			t.Fatalf("%q: %v, but %q was drawn", query, values, location)
		}
	case "/body":
		var read struct{ ID any } // Go ignores the case of the name
		if err := json.Unmarshal([]byte(body), &read); err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		if text, ok := textOf(read.ID); !ok || text != e.Resource.ID {
			t.Fatalf("%q: %v, but %q was drawn", body, read.ID, e.Resource.ID)
		}
	}
}
