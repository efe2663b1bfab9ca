package extauthz

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/wardkeeper/wardkeeper/adapters/check"
	"github.com/wardkeeper/wardkeeper/adapters/pep"
	"github.com/wardkeeper/wardkeeper/adapters/routes"
	"github.com/wardkeeper/wardkeeper/pdp/tracing"
)

// The limits of a server.
const (
	maxMessage = 1 << 20  // bytes of a request from Envoy: header and body of the original request
	maxHeader  = 16 << 10 // bytes of the header of a request from Envoy
	maxStreams = 1000     // concurrent checks on one connection
	maxChecks  = 1024     // concurrent checks, by default
	minPing    = 10 * time.Second
)

// Config configures a server. Checker is required. Functions must be safe for concurrent use.
type Config struct {
	// Checker returns the current checker. It is called for each request, so that the route file can be replaced.
	Checker func() *check.Checker
	// Authenticate returns the name of a proxy and the context of what it asks. authorization has the values of that name in the
	// call's metadata, state is nil without TLS. The name is empty if nobody has to prove who it is. The error says why the proxy may not ask. A nil function means that any client
	// that can connect may.
	Authenticate func(ctx context.Context, authorization []string, state *tls.ConnectionState) (known context.Context, name string, err error)
	// TLS is for every connection but those over Unix sockets; nil means that none speaks TLS.
	TLS *tls.Config
	// Ready reports whether questions can be decided; nil means always.
	Ready func(ctx context.Context) bool
	// MaxChecks bounds the concurrent checks; 0 means 1024. Requests beyond it are refused at once.
	MaxChecks int
	// Timeout limits a check, unless Envoy allows less; 0 means 1 s.
	Timeout time.Duration
	// IdleTimeout is how long a connection without checks is kept; 0 means 2 min.
	IdleTimeout time.Duration
	Logger      *slog.Logger // nil means slog.Default()
}

// Server answers Envoy. It is safe for concurrent use.
type Server struct {
	authv3.UnimplementedAuthorizationServer
	checker      func() *check.Checker
	authenticate func(context.Context, []string, *tls.ConnectionState) (context.Context, string, error)
	timeout      time.Duration
	slots        chan struct{} // one for each running check
	log          *slog.Logger
	health       *health
	grpc         *grpc.Server
}

// New returns a server.
func New(c Config) (*Server, error) {
	if c.Checker == nil {
		return nil, errors.New("extauthz: Config.Checker is required")
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.MaxChecks <= 0 {
		c.MaxChecks = maxChecks
	}
	if c.Timeout <= 0 {
		c.Timeout = time.Second
	}
	if c.IdleTimeout <= 0 {
		c.IdleTimeout = 2 * time.Minute
	}
	s := &Server{
		checker: c.Checker, authenticate: c.Authenticate, timeout: c.Timeout, slots: make(chan struct{}, c.MaxChecks), log: c.Logger,
		health: newHealth(c.Ready, c.Timeout),
	}
	s.grpc = grpc.NewServer(
		grpc.Creds(newCredentials(c.TLS)),
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxHeaderListSize(maxHeader),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.ConnectionTimeout(5*time.Second),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minPing, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: c.IdleTimeout, Time: 30 * time.Second, Timeout: 10 * time.Second}),
	)
	authv3.RegisterAuthorizationServer(s.grpc, s)
	healthv1.RegisterHealthServer(s.grpc, s.health)
	return s, nil
}

// Serve serves a listener until [Server.Shutdown] or [Server.Close], and closes it. It may be called for several listeners.
func (s *Server) Serve(l net.Listener) error { return s.grpc.Serve(l) }

// Shutdown stops listening and lets checks in flight finish. If ctx ends first, it aborts them and returns the error of ctx.
func (s *Server) Shutdown(ctx context.Context) error {
	s.health.stop()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		s.grpc.GracefulStop()
	}()
	select {
	case <-stopped:
		return nil
	case <-ctx.Done():
		s.grpc.Stop()
		return ctx.Err()
	}
}

// Close stops at once and aborts checks in flight.
func (s *Server) Close() error {
	s.health.stop()
	s.grpc.Stop()
	return nil
}

// Check reports whether a request may pass. It never returns an error: every failure is a denial with status 503.
func (s *Server) Check(ctx context.Context, r *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	defer keepOpen(ctx)()
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, s.timeLeft(ctx))
	defer cancel()
	request, caller, result := s.check(ctx, r.GetAttributes())
	if result.Trace.RequestID == "" { // refused before the request was looked at
		result.Trace = traceOf(r.GetAttributes())
		result.Refusal.RequestID = result.Trace.RequestID
	}
	s.logAccess(ctx, request, caller, result, time.Since(start))
	if result.Pass {
		return permitted(result, request.Header), nil
	}
	return refused(result, strings.Join(request.Header.Values("Accept"), ",")), nil
}

// timeLeft returns how long a check may take. It leaves a tenth of Envoy's time for the answer: if that is late, Envoy lets
// the request through where failure_mode_allow is set.
func (s *Server) timeLeft(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return s.timeout
	}
	return min(s.timeout, time.Until(deadline)*9/10)
}

func (s *Server) check(ctx context.Context, attributes *authv3.AttributeContext) (request routes.Request, caller string, result check.Result) {
	defer func() {
		if cause := recover(); cause != nil {
			s.log.ErrorContext(ctx, "a check panicked", "error", fmt.Sprintf("%T", cause)) // the value may name persons
			result = unavailable()
		}
	}()
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	default:
		s.log.WarnContext(ctx, "too many checks at a time")
		return request, "", unavailable()
	}
	fromProxy := overUnixSocket(ctx)
	if s.authenticate != nil {
		md, _ := metadata.FromIncomingContext(ctx)
		known, name, err := s.authenticate(ctx, md.Get("authorization"), connectionState(ctx))
		if err != nil {
			s.log.WarnContext(ctx, "a proxy has no valid token: it must send authorization, as Bearer, in initial_metadata", "error", err)
			return request, name, unavailable()
		}
		ctx, caller, fromProxy = known, name, fromProxy || name != ""
	}
	request, err := requestOf(attributes, fromProxy)
	if err != nil {
		s.log.WarnContext(ctx, "a proxy asks in a way that cannot be answered", "error", err)
		return request, caller, unavailable()
	}
	return request, caller, s.checker().Check(ctx, request)
}

// overUnixSocket reports whether the caller is connected over a Unix socket, whose permissions restrict who it can be.
func overUnixSocket(ctx context.Context) bool {
	p, ok := peer.FromContext(ctx)
	return ok && p.LocalAddr != nil && p.LocalAddr.Network() == "unix"
}

// connectionState returns the state of the caller's connection, or nil if it is not secured.
func connectionState(ctx context.Context) *tls.ConnectionState {
	info, ok := acceptedBy(ctx).AuthInfo.(credentials.TLSInfo)
	if !ok {
		return nil
	}
	return &info.State
}

// logAccess writes a line of the access log, with the same keys as the HTTP server's.
func (s *Server) logAccess(ctx context.Context, r routes.Request, caller string, result check.Result, elapsed time.Duration) {
	status := http.StatusOK
	if !result.Pass {
		status = result.Refusal.Status
	}
	attrs := []slog.Attr{
		slog.String("method", methodOf(r.Method)), slog.String("route", authv3.Authorization_Check_FullMethodName), slog.Int("status", status),
		slog.Int64("duration_us", elapsed.Microseconds()), slog.String("request_id", result.Trace.RequestID),
	}
	if id := tracing.TraceID([]string{result.Trace.Traceparent}); id != "" {
		attrs = append(attrs, slog.String("trace_id", id))
	}
	if p, ok := peer.FromContext(ctx); ok {
		attrs = append(attrs, slog.String("peer", p.Addr.String()))
	}
	if caller != "" {
		attrs = append(attrs, slog.String("caller", caller))
	}
	s.log.LogAttrs(ctx, slog.LevelInfo, "request", append(attrs, slog.String("outcome", outcomeOf(result)))...)
}

// methodOf limits the methods that are logged, because clients can send any.
func methodOf(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}

// outcomeOf names an outcome as the access log of the HTTP server does.
func outcomeOf(result check.Result) string {
	switch {
	case result.Pass:
		return "allowed"
	case result.Refusal.Code == pep.CodeUnavailable:
		return "error"
	}
	return "denied"
}
