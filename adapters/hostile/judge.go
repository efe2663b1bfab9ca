package hostile

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/wardkeeper/wardkeeper/adapters/check"
	"github.com/wardkeeper/wardkeeper/adapters/forwardauth"
	"github.com/wardkeeper/wardkeeper/adapters/routes"
)

// forwardAuthPath is the path of the sidecar's forward auth.
const forwardAuthPath = "/adapters/forward-auth"

// Mode selects the answers of a judge.
type Mode int32

// Modes of a judge.
const (
	Allow Mode = iota // allow every question
	Deny              // deny every question
	Fail              // fail on every question
)

// Judge is the sidecar's forward auth for a route file. It records which requests may pass, and allows, denies or fails by
// its mode.
type Judge struct {
	record  *Record
	table   *routes.Table
	handler *forwardauth.Handler
	mode    atomic.Int32
	asked   atomic.Int64 // subrequests about original requests
	strays  atomic.Int64 // requests to other endpoints of the sidecar
	servers []*http.Server
}

// anybody accepts every token as the name of a person.
type anybody struct{}

// Verify implements [routes.Verifier].
func (anybody) Verify(_ context.Context, token string) (map[string]any, error) {
	return map[string]any{"sub": token}, nil
}

// claimedBy is like anybody, for a table whose subject is in another claim than sub.
type claimedBy string

// Verify implements [routes.Verifier].
func (c claimedBy) Verify(_ context.Context, token string) (map[string]any, error) {
	return map[string]any{string(c): token}, nil
}

// verifierOf returns a verifier for a table that accepts every token as the name of a person.
func verifierOf(table *routes.Table) routes.Verifier {
	if jwt := table.Subject().JWT; jwt != nil && jwt.Claim != "" {
		return claimedBy(jwt.Claim)
	}
	return anybody{}
}

var errFailing = errors.New("the decision point is made to fail")

// answer returns the decision about every question.
func (j *Judge) answer() (allow bool, err error) {
	switch Mode(j.mode.Load()) {
	case Allow:
		return true, nil
	case Deny:
		return false, nil
	}
	return false, errFailing
}

// Checker returns a checker that asks the judge's decider. It accepts every token as the name of a person.
func (j *Judge) Checker() (*check.Checker, error) {
	return check.New(check.Config{
		Routes: j.table, Verifier: verifierOf(j.table), Decider: Decider{Answer: j.answer}, Logger: slog.New(slog.DiscardHandler),
	})
}

// NewJudge returns a judge for a route file, which records in record.
func NewJudge(table *routes.Table, record *Record) (*Judge, error) {
	j := &Judge{record: record, table: table.WithVerifier(verifierOf(table))}
	checker, err := j.Checker()
	if err != nil {
		return nil, err
	}
	j.handler, err = forwardauth.New(forwardauth.Config{Checker: func() *check.Checker { return checker }, Timeout: time.Minute, Logger: slog.New(slog.DiscardHandler)})
	return j, err
}

// SetMode sets the mode for questions from now on.
func (j *Judge) SetMode(m Mode) { j.mode.Store(int32(m)) }

// Table returns the route file, with a verifier that accepts every token as the name of a person.
func (j *Judge) Table() *routes.Table { return j.table }

// Serve answers proxies on a listener until Close. It does not block.
func (j *Judge) Serve(listener net.Listener) {
	server := &http.Server{Handler: j, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	j.servers = append(j.servers, server)
	go func() { _ = server.Serve(listener) }()
}

// Close stops all servers.
func (j *Judge) Close() {
	for _, server := range j.servers {
		_ = server.Close()
	}
	j.servers = nil
}

// ServeHTTP implements [http.Handler].
func (j *Judge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != forwardAuthPath {
		j.strays.Add(1)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"decision":false}`+"\n") // as the sidecar's API answers a denial: with status 200
		return
	}
	ctx, pass := j.Ask(r.Context())
	// Whether the proxy is authenticated depends on the sidecar's settings, which are not examined here.
	r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(&net.UnixAddr{Net: "unix"})))
	status, header, body := j.handler.Answer(ctx, r, false, nil)
	if status == http.StatusOK {
		pass(forwarded(r))
	}
	for name, values := range header {
		w.Header()[name] = values
	}
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// Ask returns a context for a check of one request by [Judge.Checker], and a function to call with the request if it may pass. It
// is for adapters that are not asked over HTTP.
func (j *Judge) Ask(ctx context.Context) (asking context.Context, pass func(routes.Request)) {
	j.asked.Add(1)
	return j.record.Judge(ctx, j.table)
}

// forwarded returns the original request that a proxy describes.
func forwarded(r *http.Request) routes.Request {
	header := r.Header.Clone()
	for name := range header {
		if strings.HasPrefix(name, "X-Forwarded-") || strings.HasPrefix(name, ours) {
			delete(header, name)
		}
	}
	return routes.Request{Method: r.Header.Get("X-Forwarded-Method"), Target: r.Header.Get("X-Forwarded-Uri"), Host: r.Header["X-Forwarded-Host"], Header: header, FromProxy: true}
}

// IsPublic reports whether the first request of a case may be answered to anybody, even if its lines or its version are
// malformed.
func (j *Judge) IsPublic(ctx context.Context, c Case) bool {
	if c.stream != nil {
		r, ok := c.stream.request()
		if !ok {
			return false
		}
		resolution, err := j.table.Resolve(ctx, r)
		return err == nil && resolution.Outcome == routes.Public
	}
	r, err := readRequest(bufio.NewReader(bytes.NewReader(c.Raw)), func() {})
	if line, _, _ := bytes.Cut(bytes.TrimLeft(c.Raw, "\r\n"), []byte("\n")); err != nil || bytes.Count(line, []byte(" ")) != 2 {
		return false
	}
	resolution, err := j.table.Resolve(ctx, routes.Request{Method: r.Method, Target: r.Target, Host: r.Host, Header: r.Header})
	return err == nil && resolution.Outcome == routes.Public
}
