package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/adapters/conformance/decisionpoint"
	"github.com/wardkeeper/wardkeeper/adapters/hostile"
	"github.com/wardkeeper/wardkeeper/adapters/routes"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// arrival is what the application says that it got.
type arrival struct {
	Method  string
	Path    *string
	Subject string
}

// anybody is a verifier for which a token is the name of the person. It judges what the application says that it got.
type anybody struct{}

// Verify implements [routes.Verifier].
func (anybody) Verify(_ context.Context, token string) (map[string]any, error) {
	return map[string]any{"sub": token}, nil
}

// hostileTrial sends the corpus of adapters/hostile to the application, and compares what it got with what was asked.
type hostileTrial struct {
	table *routes.Table
	site  hostile.Site
	lines bool // whether the adapter sees the request line as it was sent
}

// overHostile sends the hostile corpus. The decision point allows everything.
func (s *suite) overHostile(ctx context.Context) error {
	if !s.hostile || !s.wants("PEP-12") {
		return nil
	}
	table, err := routes.Parse(hostile.RouteFile)
	if err != nil {
		return err
	}
	authorization, err := s.issuer.authorization("")
	if err != nil {
		return err
	}
	trial := hostileTrial{table.WithVerifier(anybody{}), hostile.DefaultSite(), !slices.Contains(s.without, needsLines)}
	trial.site.Credentials = "Authorization: " + authorization[0]
	path := filepath.Join(s.dir, "hostile.yaml")
	text := strings.Replace(string(hostile.RouteFile), "keys: https://idp.example.org/jwks.json", "keys_file: "+filepath.Join(s.dir, "keys.json"), 1)
	text += "  - {path: /done, methods: [GET], public: true}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return err
	}
	pdp, app, err := s.listen(ctx, "tcp", "127.0.0.1:0", nil, urlOf, patience, "ROUTES_FILE="+path)
	if err != nil {
		return err
	}
	defer pdp.Close()
	defer app.stop()
	pdp.AllowOthers()
	answers := hostile.Run(ctx, hostile.DialTCP(app.addr), hostile.Cases(trial.site))
	if _, err := doneBy(app); err != nil {
		return fmt.Errorf("after the hostile requests: %w", err)
	}
	asked := questionsByCase(pdp.Requests())
	problems := map[string][]string{}
	var classes []string
	for _, a := range answers {
		if !slices.Contains(classes, a.Case.Class) {
			classes = append(classes, a.Case.Class)
		}
		problems[a.Case.Class] = append(problems[a.Case.Class], trial.problems(ctx, a, asked[a.Case.ID])...)
	}
	for _, class := range classes {
		s.report("PEP-12", "hostile requests: "+class, problems[class])
	}
	return nil
}

var caseID = regexp.MustCompile(`wkcase[0-9]+`)

// questionsByCase returns the questions by the id of the case that they are about.
func questionsByCase(requests []decisionpoint.Request) map[string][]authzen.Evaluation {
	asked := map[string][]authzen.Evaluation{}
	for _, r := range requests {
		for _, q := range r.Questions {
			id := caseID.FindString(q.Resource.ID)
			asked[id] = append(asked[id], q)
		}
	}
	return asked
}

// problems returns what is wrong with the answers to a case, about which questions were asked.
func (t hostileTrial) problems(ctx context.Context, a hostile.Answer, asked []authzen.Evaluation) []string {
	var problems []string
	fail := func(format string, args ...any) {
		problems = append(problems, fmt.Sprintf(format, args...)+fmt.Sprintf("; sent %.400q", a.Case.Raw))
	}
	arrivals := arrivalsIn(a.Text)
	switch {
	case a.Err != nil:
		fail("there is no connection: %v", a.Err)
	case a.Case.Class == hostile.PlainClass && a.Status != http.StatusOK:
		fail("a request that is not hostile has status %d, want 200", a.Status)
	case t.refuses(ctx, a.Case):
		for _, got := range arrivals {
			if !strings.Contains(*got.Path, "/last-") {
				fail("the application got %s %q, which the route file refuses", got.Method, *got.Path)
			}
		}
	}
	for _, q := range asked {
		if sentence := unsent(q, a.Case.Raw); sentence != "" {
			fail("%s", sentence)
		}
	}
	for _, got := range arrivals {
		i, sentence := t.judged(ctx, got, asked)
		if sentence != "" {
			fail("the application got %s %q of %q, %s", got.Method, *got.Path, got.Subject, sentence)
		}
		if i >= 0 {
			asked = slices.Delete(slices.Clone(asked), i, i+1)
		}
	}
	return problems
}

// requestLine matches one in which a tab separates, or whose target is absolute. Some servers read them as if it were not so, and tell
// nobody.
var requestLine = regexp.MustCompile(`(?i)\A([^ \t\r\n]+)[ \t]+(?:https?://[^/ \t\r\n]*)?(/[^ \t\r\n]*)[ \t]+HTTP/1\.1\r\n`)

// refuses reports whether the application must not get the first request of a case, whose bytes have one meaning for every program.
func (t hostileTrial) refuses(ctx context.Context, c hostile.Case) bool {
	if !t.lines {
		c.Raw = requestLine.ReplaceAll(c.Raw, []byte("$1 $2 HTTP/1.1\r\n"))
	}
	r, ok := c.Request()
	if !ok || strings.HasPrefix(c.Class, "pipelines") || c.Hangs {
		return false
	}
	resolution, err := t.table.Resolve(ctx, r)
	return err != nil || resolution.Outcome == routes.NoRoute
}

// judged returns the index of the question that was asked about what the application got, -1 if it is public, and what is wrong.
func (t hostileTrial) judged(ctx context.Context, got arrival, asked []authzen.Evaluation) (int, string) {
	problem := ""
	for _, host := range []string{t.site.Host, "admin.example.org"} {
		r := routes.Request{Method: got.Method, Target: targetOf(*got.Path), Host: []string{host}, Header: http.Header{}}
		if got.Subject != "" {
			r.Header.Set("Authorization", "Bearer "+got.Subject)
		}
		if r.Target == strings.TrimSuffix(t.site.Protected, "/") && len(asked) > 0 { // the answer does not have the query
			r.Target += "?location=" + strings.ReplaceAll(url.QueryEscape(asked[0].Resource.ID), "+", "%20")
		}
		resolution, err := t.table.Resolve(ctx, r)
		switch {
		case err != nil:
			problem = "which the route file refuses: " + err.Error()
			continue
		case resolution.Outcome == routes.NoRoute:
			problem = "which matches no route"
			continue
		case resolution.Outcome == routes.Public && got.Subject == "":
			return -1, ""
		case resolution.Outcome == routes.Public:
			problem = "although the route is public"
			continue
		}
		problem = "about which nothing was asked"
		meant := resolution.Evaluation
		i := slices.IndexFunc(asked, func(q authzen.Evaluation) bool {
			return q.Subject.ID == meant.Subject.ID && q.Action.Name == meant.Action.Name && q.Resource.ID == meant.Resource.ID && q.Resource.Type == meant.Resource.Type
		})
		if i >= 0 && got.Subject == subject {
			return i, ""
		}
	}
	return -1, problem
}

var (
	confirmedField = regexp.MustCompile(`(?im)^X-Confirmed:(?:(?:\r\n)?[ \t])*true[ \t]*\r?$`)
	locationField  = regexp.MustCompile(`(?im)^X-Location:`)
)

// unsent says what a question has that the bytes of its case do not have.
func unsent(q authzen.Evaluation, raw []byte) string {
	switch {
	case q.Subject.ID != subject:
		return fmt.Sprintf("a question is about %q, who has no token", q.Subject.ID)
	case q.Context["confirmed"] == true && !confirmedField.Match(raw):
		return "a question has confirmed, which was not sent"
	case q.Context["current_location"] != nil && !locationField.Match(raw):
		return "a question has a location, which was not sent"
	}
	return ""
}

// targetOf returns the target for a path that the application has decoded or not. No accepted path has a percent sign.
func targetOf(path string) string {
	if decoded, err := url.PathUnescape(path); err == nil {
		path = decoded
	}
	return (&url.URL{Path: path}).EscapedPath()
}

// arrivalsIn finds the answers of the application in the text of a connection.
func arrivalsIn(text string) []arrival {
	var all []arrival
	for {
		start := strings.Index(text, `{"`)
		if start < 0 {
			return all
		}
		text = text[start:]
		var got arrival
		decoder := json.NewDecoder(strings.NewReader(text))
		err := decoder.Decode(&got)
		var mistyped *json.UnmarshalTypeError
		if err == nil && got.Method != "" && got.Path != nil {
			all = append(all, got)
		}
		if err != nil && !errors.As(err, &mistyped) {
			text = text[1:]
			continue
		}
		text = text[decoder.InputOffset():]
	}
}
