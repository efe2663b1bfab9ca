// Package httpapi is the sidecar's HTTP side: AuthZEN (sections 6 to 10 of the Authorization API 1.0), what clients of OPA
// ask of its API, health, readiness and metrics. It asks a [pdp.Decider] and knows nothing of policies or facts.
//
// Health, readiness and metadata are open: probes and discovery have no token. Everything else, metrics included, needs
// the bearer token where one is configured.
//
// POST /v1/membership/changes announces what has changed in the system of record, so that nothing is decided by what was
// true before. It needs a bearer token of its own, which opens nothing else:
//
//	{"users":     [{"id": "jane", "version": 12}, {"id": "joe", "record": {"id": "joe", ...}}],
//	 "locations": [{"id": "ghi", "organization": "metro", "version": 7}]}
//
// Each change has the id of a record that was written or is gone. What it may have besides: the version that the record
// has from now on, a whole number from 1 to 2^53-1; the record itself, in the shape of DOMAIN.md section 1; and, for a
// location, the organization, which is the location's root. null counts as absent, and a member that is not known is
// refused, since it might be the one that mattered. A request has 1 to 1,000 changes, and at most 4 MiB. All of them are
// announced or none:
//
//	200 {"token": "..."}  every sidecar is bound to learn of them; the token is for context.at_least of later questions
//	400, 401              nothing was announced, and the same request never will be
//	500, 503, no answer   it is not known: announce the same again, as often as it takes
package httpapi

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// Config is what a server is made of. Decider and BaseURL are required.
type Config struct {
	Decider pdp.Decider
	// Data answers clients of OPA's API; nil leaves the paths of that API out.
	Data Data
	// BaseURL is where callers reach this server, such as https://pdp.example.org. The metadata document is made
	// of it, never of a request's Host.
	BaseURL string
	// Tokens gives the bearer tokens that are valid now: callers must send one of them. nil lets everybody in. It is asked
	// for each request, and must be safe for concurrent use.
	Tokens func() []string
	// Changes takes announcements of changes; nil leaves the path for them out.
	Changes pdp.Announcer
	// ChangesTokens gives the bearer tokens for that path, and for nothing else. It is required with Changes, and none of
	// them may be one of Tokens.
	ChangesTokens func() []string
	// Ready says what the server is waiting for; nil means that it is always ready. Safe for concurrent use.
	Ready func(ctx context.Context) []Check
	// Policy says which policy is in force; nil means not known. Safe for concurrent use.
	Policy func() PolicyStatus
	// Membership says what is not as it should be with the facts; nil means nothing. Safe for concurrent use.
	Membership func() MembershipStatus
	// DirectoryRevision names the directory in force, for the metrics; nil or "" means not known.
	DirectoryRevision func() string
	// Registry takes the server's metrics and is what /metrics shows; nil makes one.
	Registry *prometheus.Registry
	Logger   *slog.Logger // nil: slog.Default()

	Timeout           time.Duration // for answering a request once it has been read; 0 means 10 s
	ReadHeaderTimeout time.Duration // for a request's head; 0 means 5 s
	ReadTimeout       time.Duration // for a request, head and body; 0 means 15 s
	IdleTimeout       time.Duration // for a connection between requests; 0 means 2 min

	// MaxQuestions is how many single questions are worked on at a time; 0 means 1,024. MaxBatches is how many batches,
	// searches and large questions are; 0 means twice the processors, and at least 8. Eight times as many wait, for half of
	// Timeout; what is more is answered with 503 and Retry-After. Of requests above 64 KiB, as many are worked on as there are
	// processors.
	MaxQuestions, MaxBatches int
}

// Check is a thing that must be there before the server can decide.
type Check struct {
	Name string // what callers are told is missing: lower-case letters, digits and "_", at most 32
	Err  error  // why it is missing, for the log; nil where it is there
}

// Server answers AuthZEN requests. It is safe for concurrent use.
type Server struct {
	decider   pdp.Decider
	data      Data // nil: OPA's API is left out
	ready     func(context.Context) []Check
	policy    func() PolicyStatus
	facts     func() MembershipStatus
	log       *slog.Logger
	tokens    tokens        // nil where none is wanted
	changes   pdp.Announcer // nil: the path is left out
	announcer tokens        // those for it
	metrics   *metrics
	admission *admission
	echo      *echo.Echo
	routes    map[string]*route
	other     *route   // requests that fit no route
	otherOPA  *route   // those of them that are meant for OPA's API
	base      string   // the base URL, without a slash at its end
	jsonType  []string // the Content-Type of every answer; shared, never changed
	exchanges sync.Pool

	timeout, readHeaderTimeout, readTimeout, idleTimeout time.Duration
}

// route is a path with its method, or the first of them, and the metrics that it feeds.
type route struct {
	path, method string
	level        slog.Level // of its lines in the access log
	form         errorForm
	seconds      prometheus.Observer
	answered     prometheus.Counter // requests with its method and status 200
}

// New makes a server. Its error joins everything that is wrong with the configuration.
func New(cfg Config) (*Server, error) {
	base, tenant, err := checkBase(cfg.BaseURL)
	faults := []error{err}
	if cfg.Decider == nil {
		faults = append(faults, errors.New("httpapi: a Decider is required"))
	}
	asking, announcing := tokens(cfg.Tokens), tokens(cfg.ChangesTokens)
	if !asking.sendable() || !announcing.sendable() {
		faults = append(faults, errors.New("httpapi: the token may have printable ASCII characters only, and no space"))
	}
	if cfg.Changes != nil && !announcing.apartFrom(asking) {
		faults = append(faults, errors.New("httpapi: announcements of changes need a token of their own"))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	s := &Server{
		decider:           cfg.Decider,
		data:              cfg.Data,
		tokens:            asking,
		changes:           cfg.Changes,
		announcer:         announcing,
		ready:             cfg.Ready,
		policy:            cfg.Policy,
		facts:             cfg.Membership,
		log:               cfg.Logger,
		admission:         newAdmission(cfg),
		echo:              echo.New(),
		routes:            make(map[string]*route),
		jsonType:          []string{"application/json"},
		base:              base,
		timeout:           or(cfg.Timeout, 10*time.Second),
		readHeaderTimeout: or(cfg.ReadHeaderTimeout, 5*time.Second),
		readTimeout:       or(cfg.ReadTimeout, 15*time.Second),
		idleTimeout:       or(cfg.IdleTimeout, 2*time.Minute),
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	s.exchanges.New = func() any { return &exchange{s: s} }
	if s.metrics, err = newMetrics(cfg); err != nil {
		return nil, err
	}
	s.addRoutes(tenant)
	return s, nil
}

func (s *Server) addRoutes(tenant string) {
	const quiet = slog.LevelDebug // probes and scrapes come all the time
	s.add(http.MethodPost, evaluationPath, slog.LevelInfo, guarded((*exchange).evaluation))
	s.add(http.MethodPost, evaluationsPath, slog.LevelInfo, guarded((*exchange).evaluations))
	s.add(http.MethodPost, searchSubjectPath, slog.LevelInfo, guarded((*exchange).searchSubjects))
	s.add(http.MethodPost, searchResourcePath, slog.LevelInfo, guarded((*exchange).searchResources))
	s.add(http.MethodPost, searchActionPath, slog.LevelInfo, guarded((*exchange).searchActions))
	s.add(http.MethodGet, revisionPath, quiet, guarded((*exchange).showRevision))
	s.add(http.MethodGet, metadataPath, slog.LevelInfo, (*exchange).showMetadata)
	if tenant != "" {
		s.answerAt(metadataPath+tenant, s.routes[metadataPath], (*exchange).showMetadata, http.MethodGet)
	}
	s.add(http.MethodGet, "/health", quiet, (*exchange).health)
	s.add(http.MethodGet, "/ready", quiet, (*exchange).readiness)
	s.add(http.MethodGet, "/metrics", quiet, guarded((*exchange).showMetrics))

	if s.changes != nil {
		s.add(http.MethodPost, changesPath, slog.LevelInfo, announcing((*exchange).announce))
	}
	if s.data != nil {
		s.addOPA()
	}

	s.other, s.otherOPA = s.metrics.route("", otherLabel, slog.LevelInfo), s.metrics.route("", otherLabel, slog.LevelInfo)
	s.other.form, s.otherOPA.form = plainError, opaError
	s.echo.HTTPErrorHandler = func(err error, c echo.Context) {
		rt := s.other
		if s.foreign(c.Request().URL.Path) {
			rt = s.otherOPA
		}
		s.serve(c, rt, func(*exchange) error {
			return &pdp.Error{Kind: notFound, Message: "There is nothing at this path: see " + metadataPath + "."}
		})
	}
}

// add registers a path of ours with its one method.
func (s *Server) add(method, path string, level slog.Level, h handler) {
	s.register(path, level, plainError, h, method)
}

// register registers a path with its methods.
func (s *Server) register(path string, level slog.Level, form errorForm, h handler, methods ...string) {
	rt := s.metrics.route(methods[0], path, level)
	rt.form = form
	s.routes[path] = rt
	s.answerAt(path, rt, h, methods...)
}

// answerAt answers at a path as a route does, and HEAD where GET is (net/http leaves the body out). The other methods of
// the path are ours too: echo would answer OPTIONS with 204.
func (s *Server) answerAt(path string, rt *route, h handler, methods ...string) {
	if slices.Contains(methods, http.MethodGet) {
		methods = append(methods, http.MethodHead)
	}
	allowed := strings.Join(methods, ", ")
	refuse := func(c echo.Context) error {
		s.serve(c, rt, func(x *exchange) error {
			x.w.Header().Set("Allow", allowed)
			return &pdp.Error{Kind: methodNotAllowed, Message: "This path answers " + allowed + " only."}
		})
		return nil
	}
	s.echo.RouteNotFound(path, refuse) // for a path that is found, it takes the methods that are not
	for _, method := range methods {
		s.echo.Add(method, path, func(c echo.Context) error {
			s.serve(c, rt, h)
			return nil
		})
	}
}

// SetActions says which actions metrics and log may tell apart from now on; any other is "other" there, and before it is
// called all are. Those of before keep their counters.
func (s *Server) SetActions(names []string) { s.metrics.setActions(names) }

// Handler gives the server's handler, for tests and for serving beside something else. It bounds bodies and the time to
// answer, not the time that a slow client takes: see [Server.HTTPServer].
func (s *Server) Handler() http.Handler { return s.echo }

// maxStreams is how many requests there may be at a time on a connection of HTTP/2.
const maxStreams = 100

// HTTPServer gives a server for an address that cuts off slow and excessive clients.
func (s *Server) HTTPServer(addr string) *http.Server {
	// HTTP/2 comes without TLS as well, from clients and proxies that know of it before.
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Protocols:                    protocols,
		HTTP2:                        &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		Addr:                         addr,
		Handler:                      s.echo,
		ReadHeaderTimeout:            s.readHeaderTimeout,
		ReadTimeout:                  s.readTimeout,
		WriteTimeout:                 s.readTimeout + s.timeout + 5*time.Second, // it runs from the end of the head
		IdleTimeout:                  s.idleTimeout,
		MaxHeaderBytes:               16 << 10,
		ConnState:                    follow,
		ConnContext:                  remember,
		DisableGeneralOptionsHandler: true,
		// What net/http has to say is about clients, who must not be able to raise an alarm.
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
}

// checkBase checks a base URL and gives it without a slash at its end, and its path as echo matches it.
func checkBase(base string) (checked, tenant string, err error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil ||
		u.RawQuery != "" || u.ForceQuery || strings.ContainsAny(base, "#*") {
		return "", "", errors.New("httpapi: the base URL must be like https://pdp.example.org, with neither user, query nor fragment, nor an asterisk in its path")
	}
	tenant = strings.ReplaceAll(cmp.Or(u.RawPath, u.Path), ":", `\:`)
	return strings.TrimRight(base, "/"), strings.TrimRight(tenant, "/"), nil
}

func or(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}
