package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wardkeeper/wardkeeper/adapters/routes"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// routesExplain holds the flags of `wardkeeper routes explain`.
type routesExplain struct {
	headers      []string
	claims, body string
}

func newRoutesExplainCommand(p process) *cobra.Command {
	var e routesExplain
	cmd := &cobra.Command{
		Use:   "explain FILE METHOD URL [flags]",
		Short: "Show what a request would ask",
		Long: `Show what a request would ask by a route file: its canonical path, the route that matches, and the question as JSON. If
it would be refused without asking, the status and the sentence that the client would get are shown.

URL is a path with its query, still encoded, or a whole http or https URL. It is not normalized first. Nobody is asked, and no
token is verified: --claims are the claims that a verified token would have. A header that names the person is taken as if an
authenticated proxy had sent it.

Exit status: 0 asked or public, 1 refused or no route, 2 could not be explained.`,
		Example: `  wardkeeper routes explain routes.yaml GET /users/jane --claims '{"sub": "alice", "location": "metro"}'
  wardkeeper routes explain routes.yaml GET https://admin.example.org/users/jane --header 'X-Remote-User: alice'
  wardkeeper routes explain routes.yaml POST /users --claims '{"sub": "alice"}' --body user.json`,
		Args: arguments("FILE", "METHOD", "URL"),
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringArrayVar(&e.headers, "header", nil, "`NAME: VALUE` of a header of the request (repeatable)")
	flags.StringVar(&e.claims, "claims", "", "`JSON` object of the claims of the person's token")
	flags.StringVar(&e.body, "body", "", "`FILE` with the body of the request; without a Content-Type header, it is application/json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		table, err := p.openRoutes(args[0], statusFailed)
		if err != nil {
			return err
		}
		return e.run(cmd.Context(), p, table, args)
	}
	return cmd
}

// givenClaims is a [routes.Verifier] that returns the claims for any token.
type givenClaims map[string]any

func (c givenClaims) Verify(context.Context, string) (map[string]any, error) { return c, nil }

func (e *routesExplain) run(ctx context.Context, p process, table *routes.Table, args []string) error {
	request, err := e.request(args[1], args[2])
	if err != nil {
		return err
	}
	if e.claims != "" {
		claims, err := authzen.ParseObject([]byte(e.claims))
		if err != nil {
			return errors.New(`--claims is not a JSON object: write it as '{"sub": "alice"}'`)
		}
		if table.Subject().JWT == nil {
			return errors.New("--claims are those of a token, which this route file does not have: " + nameByHeader(table.Subject()))
		}
		table = table.WithVerifier(givenClaims(claims))
		addToken(request.Header, table.Subject())
	}
	resolution, err := table.Resolve(ctx, request)
	lines, status := explanation(args[0], request, resolution, err)
	if status == statusNo && err == nil {
		for _, r := range table.OtherMethods(request) {
			lines = append(lines, "  but      "+args[0]+":"+strconv.Itoa(r.Line)+" has this path for "+strings.Join(r.Methods, ", "))
		}
	}
	if problem, ok := errors.AsType[*routes.Error](err); ok && problem.Kind != routes.BadRequest {
		switch subject := table.Subject(); {
		case subject.JWT != nil && e.claims == "":
			lines = append(lines, `  advice   No token is verified here: say with --claims which claims it would have, such as '{"sub": "alice"}'.`)
		case subject.Header != "":
			lines = append(lines, "  advice   "+nameByHeader(subject)+".")
		}
	}
	for _, line := range lines {
		if err := printLine(p.stdout, terminal.Printable(line)); err != nil {
			return err
		}
	}
	if status != statusOK {
		return &exitError{status: status}
	}
	return nil
}

// nameByHeader says how to name the person where a route file takes the person from a header.
func nameByHeader(subject routes.Subject) string {
	if subject.Header == "" {
		return "every route is public"
	}
	return "Name the person as the proxy does: --header '" + subject.Header + ": alice'"
}

// explanation explains what a request means.
func explanation(path string, request routes.Request, r routes.Resolution, err error) (lines []string, status int) {
	word := "ASKED"
	var problem *routes.Error
	switch {
	case errors.As(err, &problem):
		word, status = "REFUSED", statusNo
	case r.Outcome == routes.NoRoute:
		word, status = "DENIED", statusNo
	case r.Outcome == routes.Public:
		word = "PUBLIC"
	}
	shown := r.Path
	if shown == "" { // it has no canonical form
		shown = request.Target
	}
	lines = []string{word + "  " + request.Method + " " + shown}
	if r.Route != nil {
		lines = append(lines, "  route    "+path+":"+strconv.Itoa(r.Route.Line)+" "+r.Route.Host+r.Route.Path)
	}
	switch {
	case problem != nil:
		lines = append(lines, "  because  "+problem.Message+"  ("+statusOf(problem.Kind)+")")
	case r.Outcome == routes.NoRoute:
		lines = append(lines, "  because  No route matches.")
	case r.Outcome == routes.Question:
		question, err := authzen.AppendValue(nil, r.Evaluation)
		if err != nil { // impossible for values drawn from a request
			question = []byte(err.Error())
		}
		lines = append(lines, "  asks     "+string(question))
	}
	return lines, status
}

func statusOf(k routes.Kind) string {
	switch k {
	case routes.BadRequest:
		return "400"
	case routes.Unauthenticated:
		return "401"
	}
	return "503"
}

// request builds the request that the flags describe.
func (e *routesExplain) request(method, url string) (routes.Request, error) {
	r := routes.Request{Method: method, Header: http.Header{}, FromProxy: true}
	host, target := splitURL(url)
	r.Target = target
	for _, h := range e.headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok || name == "" {
			return r, fmt.Errorf("--header %q: write it as 'Name: value'", h)
		}
		value = strings.Trim(value, " \t")
		if strings.EqualFold(name, "Host") {
			r.Host = append(r.Host, value)
			continue
		}
		r.Header[name] = append(r.Header[name], value) // keep the spelling: it may be what the user wants explained
	}
	if len(r.Host) == 0 {
		r.Host = []string{host}
	}
	var body []byte
	if e.body != "" {
		var err error
		if body, err = os.ReadFile(e.body); err != nil {
			return r, fmt.Errorf("cannot read the body: %w", err)
		}
		if !hasHeader(r.Header, "Content-Type") {
			r.Header["Content-Type"] = []string{"application/json"}
		}
	}
	r.ReadBody = func(int) ([]byte, error) { return body, nil }
	return r, nil
}

// splitURL splits a URL, or a path, without changing the spelling of its path.
func splitURL(url string) (host, target string) {
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
		return "localhost", url
	}
	i := strings.IndexAny(rest, "/?#")
	if i < 0 {
		return rest, "/"
	}
	if rest[i] != '/' {
		return rest[:i], "/" + rest[i:]
	}
	return rest[:i], rest[i:]
}

func hasHeader(header http.Header, name string) bool {
	for key := range header {
		if routes.SameHeader(key, name) {
			return true
		}
	}
	return false
}

// addToken adds a token where the route file expects one, unless the request has its own.
func addToken(header http.Header, subject routes.Subject) {
	const token = "given-by-claims"
	switch {
	case subject.JWT == nil:
	case subject.JWT.Cookie != "" && !hasHeader(header, "Cookie"):
		header["Cookie"] = []string{subject.JWT.Cookie + "=" + token}
	case subject.JWT.Cookie == "" && !hasHeader(header, "Authorization"):
		header["Authorization"] = []string{"Bearer " + token}
	}
}
