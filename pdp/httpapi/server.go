package httpapi

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/wardkeeper/wardkeeper/pdp/httpapi/connlimit"
	"github.com/wardkeeper/wardkeeper/pdp/tracing"
)

// maxStreams limits the concurrent requests on one HTTP/2 connection.
const maxStreams = 100

// Server serves HTTP requests. It is safe for concurrent use.
type Server struct {
	decider    Decider
	data       Data        // nil: OPA's API is disabled
	announcer  Announcer   // nil: announcing changes is disabled
	claimer    Claimer     // nil: guards cannot be claimed
	forward    ForwardAuth // nil: proxies are not answered
	ready      func(context.Context) []Check
	policy     func() PolicyStatus
	membership func() MembershipStatus
	callers    Callers  // nil: everybody may do everything but announce changes
	methods    Methods  // of callers
	challenges []string // of responses with status 401
	recorded   bool     // the engine is told who asks

	tracer        *tracing.Tracer // nil: requests are not traced
	logSampleRate int             // one of so many allowed reads is logged; 0 and 1: each

	log        *slog.Logger
	metrics    *metrics
	readiness  *readiness
	stopping   atomic.Bool
	admission  *admission
	limiters   atomic.Pointer[[]*connlimit.Limiter] // of connections
	echo       *echo.Echo
	operations *echo.Echo        // for the operations' addresses
	routes     map[string]*route // by path
	contexts   sync.Pool         // of *requestContext
	baseURL    string            // without a trailing slash
	jsonType   []string          // the Content-Type of every response; shared, never modified
	tls        *tls.Config       // nil: no listener speaks TLS

	timeout, readHeaderTimeout, readTimeout, idleTimeout time.Duration
}

// New returns a server. The error joins all faults in the configuration.
func New(cfg Config) (*Server, error) {
	baseURL, basePath, err := parseBaseURL(cfg.BaseURL)
	problems := []error{err}
	if cfg.Decider == nil {
		problems = append(problems, errors.New("httpapi: a Decider is required"))
	}
	if cfg.Changes != nil && (cfg.Callers == nil || !cfg.Callers.Requires(RoleAnnounce)) {
		problems = append(problems, errors.New("httpapi: announcements of changes need callers that may announce"))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	s := &Server{
		decider:           cfg.Decider,
		data:              cfg.Data,
		announcer:         cfg.Changes,
		claimer:           cfg.Claims,
		forward:           cfg.ForwardAuth,
		ready:             cfg.Ready,
		policy:            cfg.Policy,
		membership:        cfg.Membership,
		callers:           cfg.Callers,
		recorded:          cfg.Recorded,
		tracer:            cfg.Tracer,
		logSampleRate:     cfg.LogSampleRate,
		log:               cfg.Logger,
		readiness:         &readiness{},
		admission:         newAdmission(cfg),
		echo:              echo.New(),
		operations:        echo.New(),
		routes:            make(map[string]*route),
		baseURL:           baseURL,
		jsonType:          []string{"application/json"},
		tls:               cfg.TLS,
		timeout:           orDefault(cfg.Timeout, 10*time.Second),
		readHeaderTimeout: orDefault(cfg.ReadHeaderTimeout, 5*time.Second),
		readTimeout:       orDefault(cfg.ReadTimeout, 15*time.Second),
		idleTimeout:       orDefault(cfg.IdleTimeout, 2*time.Minute),
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.callers != nil {
		s.methods = s.callers.Methods()
		s.challenges = s.methods.challenges()
	}
	s.contexts.New = func() any { return &requestContext{server: s} }
	s.limiters.Store(&[]*connlimit.Limiter{})
	if s.metrics, err = newMetrics(cfg, s.readiness, saturation{s}); err != nil {
		return nil, err
	}
	s.addRoutes(basePath, cfg.OperationsApart)
	s.addOperations()
	return s, nil
}

// SetActions sets the actions that metrics and the log distinguish; any other action is reported as "other". Counters of
// earlier actions are kept. Until the first call, every action is "other". readOnly reports whether an action changes
// nothing; nil means that each may change something.
func (s *Server) SetActions(names []string, readOnly func(name string) bool) {
	s.metrics.setActions(names, readOnly)
}

// Handler returns the handler of the server. It limits bodies and response times, but not the time that a slow client
// takes to send a request: use [Server.HTTPServer] for that.
func (s *Server) Handler() http.Handler { return s.echo }

// HTTPServer returns an HTTP server that disconnects slow clients. With listeners of [Server.Listeners], it also limits
// the number of connections.
func (s *Server) HTTPServer() *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true) // for proxies that are configured to use it
	return &http.Server{
		Protocols:                    protocols,
		HTTP2:                        &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		Handler:                      s.echo,
		ReadHeaderTimeout:            s.readHeaderTimeout,
		ReadTimeout:                  s.readTimeout,
		WriteTimeout:                 s.readTimeout + s.timeout + 5*time.Second, // it starts at the end of the head
		IdleTimeout:                  s.idleTimeout,
		MaxHeaderBytes:               16 << 10,
		ConnState:                    connlimit.ConnState,
		ConnContext:                  connlimit.ConnContext,
		DisableGeneralOptionsHandler: true,
		// net/http logs misbehaving clients as errors. Clients must not be able to raise an alarm, so these are only warnings.
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
}

// Listeners returns listeners for the server of [Server.HTTPServer]. All of ls together keep at most maxConns
// connections open. With [Config.TLS], all of them but Unix sockets speak TLS.
func (s *Server) Listeners(maxConns int, ls ...net.Listener) []net.Listener {
	limited, _ := s.ListenersBeside(maxConns, ls, nil)
	return limited
}

// ListenersBeside is Listeners with those of a gRPC server under the same limit, which secures its connections itself and reports its
// responses to them.
func (s *Server) ListenersBeside(maxConns int, ls, grpc []net.Listener) (limited, limitedGRPC []net.Listener) {
	dropped := s.metrics.connections
	limiter := connlimit.New(connlimit.Config{
		Max:      maxConns,
		Evicted:  dropped.WithLabelValues("closed").Inc,
		Rejected: dropped.WithLabelValues("refused").Inc,
	})
	s.addLimiter(limiter)
	limited, limitedGRPC = make([]net.Listener, len(ls)), make([]net.Listener, len(grpc))
	for i, l := range ls {
		secure := s.tls
		if l.Addr().Network() == "unix" {
			secure = nil
		}
		limited[i] = limiter.Listen(l, secure)
	}
	for i, l := range grpc {
		limitedGRPC[i] = limiter.ListenHTTP2(l)
	}
	return limited, limitedGRPC
}

// parseBaseURL validates a base URL. It returns the URL without a trailing slash, and its path as an echo pattern.
func parseBaseURL(base string) (baseURL, path string, err error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil ||
		u.RawQuery != "" || u.ForceQuery || strings.ContainsAny(base, "#*") {
		return "", "", errors.New("httpapi: the base URL must look like https://pdp.example.org, without a user, a query, a fragment or an asterisk")
	}
	path = strings.ReplaceAll(cmp.Or(u.RawPath, u.Path), ":", `\:`)
	return strings.TrimRight(base, "/"), strings.TrimRight(path, "/"), nil
}

func orDefault(d, defaultValue time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return defaultValue
}
