package application

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/wardkeeper/wardkeeper/adapters/check"
	"github.com/wardkeeper/wardkeeper/adapters/client"
	"github.com/wardkeeper/wardkeeper/adapters/pep"
	"github.com/wardkeeper/wardkeeper/adapters/routes"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// Application performs obligations and records them. It is safe for concurrent use.
type Application struct {
	checker *check.Checker

	mu   sync.Mutex
	done []string // ids of obligations
}

// Open returns an application that is configured by the environment that the acceptance suite sets.
func Open() (*Application, error) {
	a := &Application{}
	return a.open(map[string]pep.Handler{
		"notification": {Can: canNotify, After: a.notify},
		pep.Confirm:    {},
	})
}

// open opens the application with the handlers of obligations. Without handlers, the route file names those that the
// application behind the proxy can do.
func (a *Application) open(handlers map[string]pep.Handler) (*Application, error) {
	token, err := os.ReadFile(os.Getenv("PDP_TOKEN_FILE"))
	if err != nil {
		return nil, err
	}
	trust, err := authorities(os.Getenv("PDP_CA_FILE"))
	if err != nil {
		return nil, err
	}
	seconds, _ := strconv.Atoi(os.Getenv("PDP_TIMEOUT")) // 0 is the default
	pdp, err := client.New(client.Config{URL: os.Getenv("PDP_URL"), TLS: trust, Timeout: time.Duration(seconds) * time.Second,
		Token: func() string { return strings.TrimSpace(string(token)) }})
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(os.Getenv("ROUTES_FILE"))
	if err != nil {
		return nil, err
	}
	if handlers == nil {
		text = append(text, "supported_obligations: [custom/confirm, notification]\n"...)
	}
	table, err := routes.Parse(text)
	if err != nil {
		return nil, err
	}
	a.done = []string{}
	a.checker, err = check.New(check.Config{Routes: table, Decider: pdp, Handlers: handlers})
	return a, err
}

// authorities returns the TLS configuration that verifies the decision point's certificate; nil means the system's
// authorities.
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

// Checker returns the checker of requests to the application.
func (a *Application) Checker() *check.Checker { return a.checker }

// Addr returns the address to listen at.
func (a *Application) Addr() string { return os.Getenv("LISTEN_ADDR") }

// canNotify panics for the channel "fault", as a program with a mistake does.
func canNotify(o pep.Obligation) bool {
	if o.Properties["channel"] == "fault" {
		panic(o.Properties["to"])
	}
	return o.Properties["channel"] == "email"
}

func (a *Application) notify(_ context.Context, o pep.Obligation) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.done = append(a.done, o.ID)
	return nil
}

// Done returns the ids of the obligations done so far, in order.
func (a *Application) Done() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.done)
}

// Can reports which actions the person of a request may do to a user.
func (a *Application) Can(ctx context.Context, user string, actions []string) map[string]bool {
	result, _ := check.ResultOf(ctx)
	questions := make([]authzen.Evaluation, len(actions))
	for i, action := range actions {
		questions[i] = authzen.Evaluation{Subject: authzen.Entity{Type: "user", ID: result.Subject}, Action: authzen.Action{Name: action},
			Resource: authzen.Entity{Type: "user", ID: user}}
	}
	offered := map[string]bool{}
	for i, o := range a.checker.Enforcer().Ask(ctx, questions) {
		offered[actions[i]] = o.Permitted() || o.Verdict == pep.ConfirmationRequired
	}
	return offered
}

// Seen is the answer to most requests.
type Seen struct {
	Method  string `json:"method"`
	Path    string `json:"path"`
	Subject string `json:"subject"`
}

// failing is the end of the paths whose requests fail.
const failing = "/fails"

// Handler returns the application without protection.
func (a *Application) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /done", func(w http.ResponseWriter, _ *http.Request) { answer(w, a.Done()) })
	mux.HandleFunc("GET /can/{id}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, a.Can(r.Context(), r.PathValue("id"), r.URL.Query()["action"]))
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, failing) {
			http.Error(w, "The database is away.", http.StatusInternalServerError)
			return
		}
		answer(w, a.See(r.Context(), r.Method, r.URL.Path))
	})
	return mux
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}

// See returns the answer to a request.
func (a *Application) See(ctx context.Context, method, path string) Seen {
	result, _ := check.ResultOf(ctx)
	return Seen{method, path, result.Subject}
}
