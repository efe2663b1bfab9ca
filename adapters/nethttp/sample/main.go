package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/wardkeeper/wardkeeper/adapters/check"
	"github.com/wardkeeper/wardkeeper/adapters/client"
	"github.com/wardkeeper/wardkeeper/adapters/nethttp"
	"github.com/wardkeeper/wardkeeper/adapters/pep"
	"github.com/wardkeeper/wardkeeper/adapters/routes"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

func main() {
	if err := serve(); err != nil {
		log.Fatal(err)
	}
}

func serve() error {
	token, err := os.ReadFile(os.Getenv("PDP_TOKEN_FILE"))
	if err != nil {
		return err
	}
	trust, err := authorities(os.Getenv("PDP_CA_FILE"))
	if err != nil {
		return err
	}
	pdp, err := client.New(client.Config{URL: os.Getenv("PDP_URL"), TLS: trust,
		Token: func() string { return strings.TrimSpace(string(token)) }})
	if err != nil {
		return err
	}
	table, err := routes.Load(os.Getenv("ROUTES_FILE"))
	if err != nil {
		return err
	}
	a := &application{done: []string{}}
	checker, err := check.New(check.Config{Routes: table, Decider: pdp, Handlers: map[string]pep.Handler{
		"notification": {Can: func(o pep.Obligation) bool { return o.Properties["channel"] == "email" }, After: a.notify},
		pep.Confirm:    {},
	}})
	if err != nil {
		return err
	}
	a.enforcer = checker.Enforcer()
	protect := nethttp.Middleware(nethttp.Config{Checker: checker})
	return http.ListenAndServe(os.Getenv("LISTEN_ADDR"), protect(http.HandlerFunc(a.serve)))
}

// authorities returns how the decision point's certificate is verified.
func authorities(path string) (*tls.Config, error) {
	if path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("%s has no certificate", path)
	}
	return &tls.Config{RootCAs: pool}, nil
}

type application struct {
	enforcer *pep.Enforcer

	mu   sync.Mutex
	done []string // ids of obligations
}

func (a *application) notify(_ context.Context, o pep.Obligation) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.done = append(a.done, o.ID)
	return nil
}

func (a *application) serve(w http.ResponseWriter, r *http.Request) {
	result, _ := nethttp.ResultOf(r.Context())
	user, isCan := strings.CutPrefix(r.URL.Path, "/can/")
	switch {
	case r.URL.Path == "/done":
		a.mu.Lock()
		defer a.mu.Unlock()
		answer(w, a.done)
	case isCan:
		answer(w, a.can(r.Context(), result.Subject, user, r.URL.Query()["action"]))
	case strings.HasSuffix(r.URL.Path, "/fails"):
		http.Error(w, "The database is away.", http.StatusInternalServerError)
	default:
		answer(w, map[string]string{"method": r.Method, "path": r.URL.Path, "subject": result.Subject})
	}
}

// can says which actions a person may do to a user.
func (a *application) can(ctx context.Context, person, user string, actions []string) map[string]bool {
	questions := make([]authzen.Evaluation, len(actions))
	for i, action := range actions {
		questions[i] = authzen.Evaluation{Subject: authzen.Entity{Type: "user", ID: person}, Action: authzen.Action{Name: action},
			Resource: authzen.Entity{Type: "user", ID: user}}
	}
	offered := map[string]bool{}
	for i, o := range a.enforcer.Ask(ctx, questions) {
		offered[actions[i]] = o.Permitted() || o.Verdict == pep.ConfirmationRequired
	}
	return offered
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}
