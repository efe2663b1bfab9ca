package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"

	"encoding/pem"

	"github.com/wardkeeper/wardkeeper/adapters/conformance/decisionpoint"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

const pdpToken = "token-of-the-decision-point"

// maxConnections is how many connections to the decision point an application may have by default (PEP-8).
const maxConnections = 64

// suite checks one adapter.
type suite struct {
	cases   []testCase
	only    []string
	without []string // capabilities that the adapter lacks
	command []string
	verbose bool
	out     io.Writer

	issuer         *issuer
	dir            string
	passed, failed int
	broken         map[string]bool
}

func newSuite(only, without []string) (*suite, error) {
	cases, err := scripted()
	if err != nil {
		return nil, err
	}
	for _, name := range without {
		if !slices.Contains(capabilities[:], name) {
			return nil, fmt.Errorf("there is no capability %q, only %s", name, strings.Join(capabilities[:], ", "))
		}
	}
	s := &suite{only: only, without: without, broken: map[string]bool{}}
	for _, c := range cases {
		if s.wants(c.Duty) && !slices.Contains(without, c.Needs) {
			c.mayBeRefused = slices.Contains(without, needsMalformed)
			s.cases = append(s.cases, c)
		}
	}
	return s, nil
}

func (s *suite) wants(duty string) bool { return len(s.only) == 0 || slices.Contains(s.only, duty) }

// run runs the suite and returns the broken duties, sorted.
func (s *suite) run(ctx context.Context) ([]string, error) {
	var err error
	if s.issuer, err = newIssuer(); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("", "conformance"); err != nil {
		return nil, err
	}
	defer os.RemoveAll(s.dir)
	keys := filepath.Join(s.dir, "keys.json")
	if err := errors.Join(os.WriteFile(keys, s.issuer.keySet, 0o600),
		os.WriteFile(filepath.Join(s.dir, "routes.yaml"), []byte(strings.ReplaceAll(routeFile, "KEYS_FILE", keys)), 0o600),
		os.WriteFile(filepath.Join(s.dir, "token"), []byte(pdpToken+"\n"), 0o600)); err != nil {
		return nil, err
	}
	for _, part := range []func(context.Context) error{s.overTCP, s.inTime, s.overUnixSocket, s.overTLS} {
		if err := part(ctx); err != nil {
			return nil, err
		}
	}
	return slices.Sorted(maps.Keys(s.broken)), nil
}

// listen starts a decision point, and the application that asks it.
func (s *suite) listen(ctx context.Context, network, address string, config *tls.Config, url func(net.Addr) string, environment ...string) (*decisionpoint.Server, *application, error) {
	l, err := net.Listen(network, address)
	if err != nil {
		return nil, nil, err
	}
	pdp := decisionpoint.Start(l, config)
	app, err := startApplication(ctx, s.command, append(environment, "PDP_URL="+url(pdp.Addr()),
		"PDP_TOKEN_FILE="+filepath.Join(s.dir, "token"), "ROUTES_FILE="+filepath.Join(s.dir, "routes.yaml")))
	if err != nil {
		pdp.Close()
		return nil, nil, err
	}
	return pdp, app, nil
}

// patience gives an application a long time-out, in seconds, so that a machine that stalls breaks no duty. Only the cases
// about time run without it.
const patience = "PDP_TIMEOUT=20"

func (s *suite) overTCP(ctx context.Context) error {
	pdp, app, err := s.listen(ctx, "tcp", "127.0.0.1:0", nil, urlOf, patience)
	if err != nil {
		return err
	}
	defer pdp.Close()
	defer app.stop()
	for _, c := range s.cases {
		if c.timed() {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		problems, err := s.check(&c, pdp, app)
		if err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		s.report(c.Duty, c.Name, problems)
	}
	if s.wants("PEP-8") {
		s.report("PEP-8", "connections are bounded and used again", s.crowd(pdp, app))
	}
	if s.wants("PEP-11") {
		s.report("PEP-11", "the log names nobody", s.readLog(app))
	}
	if s.verbose {
		fmt.Fprintf(s.out, "\nThe log of the application:\n%s\n", app.log.String())
	}
	return nil
}

// inTime runs the cases about time, with the application's default time-out.
func (s *suite) inTime(ctx context.Context) error {
	if !slices.ContainsFunc(s.cases, func(c testCase) bool { return c.timed() }) {
		return nil
	}
	pdp, app, err := s.listen(ctx, "tcp", "127.0.0.1:0", nil, urlOf)
	if err != nil {
		return err
	}
	defer pdp.Close()
	defer app.stop()
	for _, c := range s.cases {
		if !c.timed() {
			continue
		}
		problems, err := s.check(&c, pdp, app)
		if err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		s.report(c.Duty, c.Name, problems)
	}
	return nil
}

func urlOf(a net.Addr) string { return "http://" + a.String() }

func (s *suite) overUnixSocket(ctx context.Context) error {
	if !s.wants("PEP-10") {
		return nil
	}
	path := filepath.Join(s.dir, "pdp.sock")
	pdp, app, err := s.listen(ctx, "unix", path, nil, func(net.Addr) string { return "unix:" + path }, patience)
	if err != nil {
		return err
	}
	defer pdp.Close()
	defer app.stop()
	return s.checkAll("over a Unix socket", pdp, app, map[string]int{"allow": 200, "deny": 403, "not-500": 503})
}

func (s *suite) overTLS(ctx context.Context) error {
	if !s.wants("PEP-10") {
		return nil
	}
	pki := httptest.NewUnstartedServer(nil)
	pki.StartTLS()
	defer pki.Close()
	authority := filepath.Join(s.dir, "ca.pem")
	if err := os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pki.Certificate().Raw}), 0o600); err != nil {
		return err
	}
	config := &tls.Config{Certificates: pki.TLS.Certificates}
	for _, c := range []struct {
		name, host  string
		environment []string
		want        map[string]int
	}{
		{"over TLS", "127.0.0.1", []string{"PDP_CA_FILE=" + authority}, map[string]int{"allow": 200, "deny": 403, "not-500": 503}},
		{"by a certificate of an unknown authority", "127.0.0.1", nil, map[string]int{"allow": 503}},
		{"by a certificate of another name", "localhost", []string{"PDP_CA_FILE=" + authority}, map[string]int{"allow": 503}},
	} {
		pdp, app, err := s.listen(ctx, "tcp", "127.0.0.1:0", config, func(a net.Addr) string {
			_, port, _ := net.SplitHostPort(a.String())
			return "https://" + net.JoinHostPort(c.host, port)
		}, append(c.environment, patience)...)
		if err != nil {
			return err
		}
		err = s.checkAll(c.name, pdp, app, c.want)
		app.stop()
		pdp.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// checkAll asks about users and expects the given statuses.
func (s *suite) checkAll(name string, pdp *decisionpoint.Server, app *application, want map[string]int) error {
	for _, id := range slices.Sorted(maps.Keys(want)) {
		c := testCase{Name: name + ": " + id, Duty: "PEP-10", Request: "GET /users/" + id, Status: want[id]}
		answers := 1
		if id == "allow" && want[id] == http.StatusServiceUnavailable {
			answers = 0
		}
		c.Requests = &answers
		opened := pdp.Opened()
		problems, err := s.check(&c, pdp, app)
		if err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		if opened = pdp.Opened() - opened; answers == 0 && opened > 1 {
			problems = append(problems, fmt.Sprintf("a decision point that is not trusted was connected to %d times, want once", opened))
		}
		s.report(c.Duty, c.Name, problems)
	}
	return nil
}

func (s *suite) report(duty, name string, problems []string) {
	if len(problems) == 0 {
		s.passed++
		if s.verbose {
			fmt.Fprintf(s.out, "ok    %-6s  %s\n", duty, name)
		}
		return
	}
	s.failed++
	s.broken[duty] = true
	fmt.Fprintf(s.out, "FAIL  %-6s  %s\n", duty, name)
	for _, problem := range problems {
		fmt.Fprintf(s.out, "              %s\n", problem)
	}
}

// check sends the request of a case and returns the problems. An error means that the case could not be checked.
func (s *suite) check(c *testCase, pdp *decisionpoint.Server, app *application) (problems []string, err error) {
	before, err := doneBy(app)
	if err != nil {
		return nil, err
	}
	pdp.Requests()
	authorization, err := s.issuer.authorization(c.Token)
	if err != nil {
		return nil, err
	}
	text, method := c.text(app.addr, authorization)
	got, err := app.send(text, method)
	if err != nil {
		return []string{err.Error()}, nil
	}
	requests := pdp.Requests()
	problems = append(c.response(got, method), c.asked(requests)...)
	after, err := doneBy(app)
	if err != nil {
		return nil, err
	}
	if c.Done != nil && !slices.Equal(after[min(len(before), len(after)):], *c.Done) {
		problems = append(problems, fmt.Sprintf("the obligations done are %v, want %v", after[min(len(before), len(after)):], *c.Done))
	}
	return problems, nil
}

// doneBy asks the application which obligations it has done.
func doneBy(app *application) ([]string, error) {
	got, err := app.send("GET /done HTTP/1.1\r\nHost: "+app.addr+"\r\nConnection: close\r\n\r\n", http.MethodGet)
	if err != nil {
		return nil, err
	}
	var ids []string
	if err := json.Unmarshal([]byte(got.body), &ids); got.status != http.StatusOK || err != nil {
		return nil, fmt.Errorf("GET /done of the sample application has status %d and the body %.200q, want 200 and a JSON list of texts", got.status, got.body)
	}
	return ids, nil
}

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

// crowd sends more concurrent requests than the allowed number of connections to the decision point, which answers slowly.
func (s *suite) crowd(pdp *decisionpoint.Server, app *application) []string {
	pdp.MostOpen() // resets the maximum
	var all sync.WaitGroup
	for range 2 * maxConnections {
		all.Go(func() {
			authorization, err := s.issuer.authorization("")
			if err != nil {
				return
			}
			c := testCase{Request: "GET /users/allow-slowly"}
			text, method := c.text(app.addr, authorization)
			_, _ = app.send(text, method)
		})
	}
	all.Wait()
	var problems []string
	if most := pdp.MostOpen(); most > maxConnections {
		problems = append(problems, fmt.Sprintf("%d connections to the decision point were open at once, want at most %d", most, maxConnections))
	}
	opened := pdp.Opened()
	for range 3 {
		authorization, err := s.issuer.authorization("")
		if err != nil {
			return append(problems, err.Error())
		}
		c := testCase{Request: "GET /users/allow"}
		text, method := c.text(app.addr, authorization)
		if got, err := app.send(text, method); err != nil || got.status != http.StatusOK {
			problems = append(problems, fmt.Sprintf("after the crowd a request has status %d (%v), want 200", got.status, err))
		}
	}
	if pdp.Opened()-opened > 1 {
		problems = append(problems, "each request opens a connection of its own to the decision point, want that it is used again")
	}
	return problems
}

// readLog searches the application's log for what must not be in it.
func (s *suite) readLog(app *application) []string {
	var problems []string
	log := app.log.String()
	for what, text := range map[string]string{
		"the person": subject, "the user that it is about": "obliged-pigeon", "the token of the decision point": pdpToken,
		"an e-mail address": "jane.doe@example.org", "a reason": "not one of yours", "a role": "ed_normal", "a person's token": "eyJ",
	} {
		if strings.Contains(log, text) {
			problems = append(problems, fmt.Sprintf("the log has %s: %q", what, text))
		}
	}
	return problems
}
