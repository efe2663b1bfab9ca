package httpapi

import (
	"log/slog"
	"net/http"
	"net/http/pprof"
	runtimepprof "runtime/pprof"
	"strings"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// profilesPath is where the profiles are, on the operations' addresses alone.
const profilesPath = "/debug/pprof/"

// longestProfile limits what a profile or a trace may take.
const longestProfile = 5 * time.Minute

// addOperations adds the routes of the operations' addresses.
func (s *Server) addOperations() {
	for _, route := range []struct {
		path string
		role Role
		h    handler
	}{
		{"/health", public, (*requestContext).health},
		{"/ready", public, (*requestContext).readiness},
		{metricsPath, RoleOperations, (*requestContext).showMetrics},
		{revisionPath, RoleOperations, (*requestContext).revision},
		{profilesPath + "*", RoleOperations, (*requestContext).profile},
	} {
		rt := s.metrics.newRoute(http.MethodGet, route.path, slog.LevelDebug, plainErrorFormat)
		s.handle(s.operations, route.path, rt, requireRole(route.role, route.h), http.MethodGet)
	}
	s.answerUnknown(s.operations)
}

// OperationsServer returns the HTTP server of the operations' addresses: metrics, the policy in force, profiles and probes. Its
// listeners come from [Server.Listeners] too.
func (s *Server) OperationsServer() *http.Server {
	server := s.HTTPServer()
	server.Handler, server.WriteTimeout = s.operations, longestProfile
	return server
}

// profile responds with a profile of the process, or with the list of profiles. The command line is not among them, because it may
// have passwords.
func (rc *requestContext) profile() error {
	name := strings.TrimPrefix(rc.r.URL.Path, profilesPath)
	h := pprof.Index
	switch {
	case name == "profile":
		h = pprof.Profile
	case name == "trace":
		h = pprof.Trace
	case name != "" && runtimepprof.Lookup(name) == nil:
		return &pdp.Error{Kind: notFound, Message: "There is no such profile: see " + profilesPath + "."}
	}
	rc.beginSending()
	h(rc.w, rc.r)
	return nil
}
