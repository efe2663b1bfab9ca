package main

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"

	"github.com/wardkeeper/wardkeeper/adapters/conformance/decisionpoint"
)

const pdpToken = "token-of-the-decision-point"

// patience gives an application a long time-out, in seconds, so that a machine that stalls breaks no duty. Only the cases
// about time run without it.
const patience = "PDP_TIMEOUT=20"

// listen starts a decision point, and the application that asks it.
func (s *suite) listen(ctx context.Context, network, address string, config *tls.Config, url func(net.Addr) string, environment ...string) (*decisionpoint.Server, *application, error) {
	l, err := net.Listen(network, address)
	if err != nil {
		return nil, nil, err
	}
	pdp := decisionpoint.Start(l, config)
	pdp.SetAnswers(s.golden.answers)
	app, err := startApplication(ctx, s.command, append([]string{"PDP_URL=" + url(pdp.Addr()),
		"PDP_TOKEN_FILE=" + filepath.Join(s.dir, "token"), "ROUTES_FILE=" + filepath.Join(s.dir, "routes.yaml")}, environment...))
	if err != nil {
		pdp.Close()
		return nil, nil, err
	}
	return pdp, app, nil
}

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
		if s.report(c.Duty, c.Name, problems); s.ends() {
			return nil
		}
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
		if s.report(c.Duty, c.Name, problems); s.ends() {
			return nil
		}
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
		if err != nil || s.ends() {
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
