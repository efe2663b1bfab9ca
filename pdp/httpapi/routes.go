package httpapi

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// Paths of pdp/authzen/PROTOCOL.md sections 9 and 10.1.
const (
	evaluationPath     = "/access/v1/evaluation"
	evaluationsPath    = "/access/v1/evaluations"
	searchSubjectPath  = "/access/v1/search/subject"
	searchResourcePath = "/access/v1/search/resource"
	searchActionPath   = "/access/v1/search/action"
	metadataPath       = "/.well-known/authzen-configuration"
)

// Wardkeeper's own paths.
const (
	metricsPath  = "/metrics"
	revisionPath = "/v1/revision"
	changesPath  = "/v1/membership/changes"
	claimPath    = "/v1/guards/claim"
)

// Paths of OPA's REST API. The paths that write policies or data do not exist here.
const (
	dataPath      = "/v1/data"
	batchDataPath = "/v1/batch/data"
	v0DataPath    = "/v0/data"
	compilePath   = "/v1/compile"
	defaultPath   = "/"
)

// handler handles a request. It sets rc.out and returns nil, or returns an error for [requestContext.fail].
type handler func(rc *requestContext) error

// route is the common data of requests for one path.
type route struct {
	path        string
	door        string     // the API, as records of decisions name it
	method      string     // the first of the path's methods; "" for unknown paths
	level       slog.Level // of the access log
	errorFormat errorFormat
	seconds     prometheus.Observer
	answered    prometheus.Counter // requests with this method and status 200
}

// addRoutes adds every route, with the role that it requires. Forward auth authenticates proxies itself.
func (s *Server) addRoutes(basePath string, operationsApart bool) {
	const quiet = slog.LevelDebug // for paths that are requested every few seconds
	s.addRoute(http.MethodPost, evaluationPath, slog.LevelInfo, RoleAsk, (*requestContext).evaluation)
	s.addRoute(http.MethodPost, evaluationsPath, slog.LevelInfo, RoleAsk, (*requestContext).evaluations)
	s.addRoute(http.MethodPost, searchSubjectPath, slog.LevelInfo, RoleSearch, (*requestContext).searchSubjects)
	s.addRoute(http.MethodPost, searchResourcePath, slog.LevelInfo, RoleSearch, (*requestContext).searchResources)
	s.addRoute(http.MethodPost, searchActionPath, slog.LevelInfo, RoleSearch, (*requestContext).searchActions)
	s.addRoute(http.MethodGet, revisionPath, quiet, RoleOperations, (*requestContext).revision)
	s.addRoute(http.MethodGet, metadataPath, slog.LevelInfo, public, (*requestContext).metadata)
	if basePath != "" {
		s.handle(s.echo, metadataPath+basePath, s.routes[metadataPath], (*requestContext).metadata, http.MethodGet)
	}
	s.addRoute(http.MethodGet, "/health", quiet, public, (*requestContext).health)
	s.addRoute(http.MethodGet, "/ready", quiet, public, (*requestContext).readiness)
	if !operationsApart {
		s.addRoute(http.MethodGet, metricsPath, quiet, RoleOperations, (*requestContext).showMetrics)
	}

	s.addRoute(http.MethodGet, forwardAuthPath, slog.LevelInfo, public, (*requestContext).forwardAuth, http.MethodPost)
	if s.announcer != nil {
		s.addRoute(http.MethodPost, changesPath, slog.LevelInfo, RoleAnnounce, (*requestContext).announceChanges)
	}
	if s.claimer != nil {
		s.addRoute(http.MethodPost, claimPath, slog.LevelInfo, RoleAsk, (*requestContext).claim)
	}
	if s.data != nil {
		for _, suffix := range []string{"", "/*"} {
			s.addOPARoute(dataPath+suffix, (*requestContext).document, http.MethodPost, http.MethodGet)
			s.addOPARoute(batchDataPath+suffix, (*requestContext).batchDocuments, http.MethodPost)
			s.addOPARoute(v0DataPath+suffix, (*requestContext).v0Document, http.MethodPost)
		}
		s.addOPARoute(compilePath+"/*", (*requestContext).filter, http.MethodPost)
		s.addOPARoute(defaultPath, (*requestContext).defaultDecision, http.MethodPost)
	}

	s.answerUnknown(s.echo)
}

// answerUnknown answers requests for paths that there are not.
func (s *Server) answerUnknown(e *echo.Echo) {
	unknown := s.metrics.newRoute("", otherLabel, slog.LevelInfo, plainErrorFormat)
	unknownOPA := s.metrics.newRoute("", otherLabel, slog.LevelInfo, opaErrorFormat)
	e.HTTPErrorHandler = func(_ error, c echo.Context) {
		rt := unknown
		if s.isOPAPath(c.Request().URL.Path) {
			rt = unknownOPA
		}
		s.serve(c, rt, func(*requestContext) error {
			return &pdp.Error{Kind: notFound, Message: "There is nothing at this path: see " + metadataPath + "."}
		})
	}
}

// isOPAPath reports whether an unknown path looks like one of OPA's API, so that the client expects errors in OPA's format.
func (s *Server) isOPAPath(path string) bool {
	return s.data != nil && (strings.HasPrefix(path+"/", "/v1/") || strings.HasPrefix(path+"/", "/v0/"))
}

// addRoute adds a path with its methods.
func (s *Server) addRoute(method, path string, level slog.Level, role Role, h handler, more ...string) {
	rt := s.metrics.newRoute(method, path, level, plainErrorFormat)
	if rt.door = "authzen"; path == forwardAuthPath {
		rt.door = "forward-auth"
	}
	s.routes[path] = rt
	s.handle(s.echo, path, rt, requireRole(role, h), append(more, method)...)
}

// addOPARoute adds a path of OPA's API with its methods.
func (s *Server) addOPARoute(path string, h handler, methods ...string) {
	rt := s.metrics.newRoute(methods[0], path, slog.LevelInfo, opaErrorFormat)
	rt.door = "opa"
	s.routes[path] = rt
	s.handle(s.echo, path, rt, requireRole(RoleOPA, h), methods...)
}

// handle registers a handler for a path of e and its methods; GET includes HEAD, for which net/http omits the body. All other
// methods get status 405, including OPTIONS, which echo would answer itself.
func (s *Server) handle(e *echo.Echo, path string, rt *route, h handler, methods ...string) {
	if slices.Contains(methods, http.MethodGet) {
		methods = append(methods, http.MethodHead)
	}
	allowed := strings.Join(methods, ", ")
	e.RouteNotFound(path, func(c echo.Context) error { // echo calls it if the path matches and no method does
		s.serve(c, rt, func(rc *requestContext) error {
			rc.w.Header().Set("Allow", allowed)
			return &pdp.Error{Kind: methodNotAllowed, Message: "This path answers " + allowed + " only."}
		})
		return nil
	})
	for _, method := range methods {
		e.Add(method, path, func(c echo.Context) error {
			s.serve(c, rt, h)
			return nil
		})
	}
}
