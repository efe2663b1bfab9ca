package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/wardkeeper/wardkeeper/adapters/conformance/decisionpoint"
)

// suite checks one adapter.
type suite struct {
	cases   []testCase
	only    []string
	without []string // capabilities that the adapter lacks
	hostile bool     // whether to send the corpus of adapters/hostile, too
	command []string
	verbose bool
	soon    bool // whether the first broken duty ends the run
	out     io.Writer

	golden         golden
	issuer         *issuer
	dir            string
	passed, failed int
	broken         map[string]bool
}

// newSuite returns the suite for some duties, or for all. goldenFolder has golden decisions; "" means none.
func newSuite(only, without []string, goldenFolder string) (*suite, error) {
	cases, err := scripted()
	if err != nil {
		return nil, err
	}
	var known golden
	if goldenFolder != "" {
		if known, err = readGolden(goldenFolder); err != nil {
			return nil, err
		}
		cases = append(cases, known.cases...)
	}
	for _, name := range without {
		if !slices.Contains(capabilities[:], name) {
			return nil, fmt.Errorf("there is no capability %q, only %s", name, strings.Join(capabilities[:], ", "))
		}
	}
	s := &suite{only: only, without: without, golden: known, broken: map[string]bool{}}
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
	ctx, cancel := context.WithCancel(ctx)
	var keysFetched []fetched
	var fetchFailed error
	var fetching sync.WaitGroup
	defer fetching.Wait() // it uses the folder
	defer cancel()
	fetching.Go(func() { keysFetched, fetchFailed = s.fetchKeys(ctx) })
	for _, part := range []func(context.Context) error{s.overTCP, s.inTime, s.overUnixSocket, s.overTLS, s.overHostile} {
		if err := part(ctx); err != nil {
			return nil, err
		}
		if s.ends() {
			return slices.Sorted(maps.Keys(s.broken)), nil
		}
	}
	if fetching.Wait(); fetchFailed != nil {
		return nil, fetchFailed
	}
	for _, f := range keysFetched {
		s.report(f.duty, f.name, f.problems)
	}
	return slices.Sorted(maps.Keys(s.broken)), nil
}

// ends reports whether there is nothing more to find out.
func (s *suite) ends() bool { return s.soon && len(s.broken) > 0 }

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
