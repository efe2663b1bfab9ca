package httpapi

import (
	"context"
	"maps"
	"net/http"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// forwardAuthPath is the path for requests from proxies (adapters/forwardauth).
const forwardAuthPath = "/adapters/forward-auth"

// ForwardAuth answers proxies that ask whether a request may pass. Implementations must be safe for concurrent use, and must
// return when ctx ends.
type ForwardAuth interface {
	// Answer answers r. proven says that the proxy has proven who it is. refused is the reason if it may not ask: a status 401
	// of its own would send the person to sign in.
	Answer(ctx context.Context, r *http.Request, proven bool, refused error) (status int, header http.Header, body []byte)
}

func (rc *requestContext) forwardAuth() error {
	if rc.server.forward == nil {
		return &pdp.Error{Kind: notFound, Message: "No proxy is answered here: start the server with a route file (--routes), which says what requests mean."}
	}
	proven, refused := rc.authorizeProxy()
	if refused == nil {
		rc.trace()
	}
	if err := rc.admit(0); err != nil {
		return err
	}
	rc.r.Header["X-Request-Id"] = []string{rc.id} // the same id in the person's request, the log and the application
	ctx := rc.startWork()
	defer rc.endWork()
	status, header, body := rc.server.forward.Answer(ctx, rc.r, proven, refused)
	if err := rc.timeoutIfExpired(ctx, nil); err != nil {
		return err
	}
	maps.Copy(rc.w.Header(), header)
	rc.status, rc.out = status, append(rc.out[:0], body...)
	return nil
}

// CountDecision counts an evaluation that did not come through this server's API, in the same metrics. err is the error
// of the evaluation.
func (s *Server) CountDecision(action string, d *pdp.Decision, err error) {
	counters, stats := s.metrics.action(action), requestStats{}
	if err != nil {
		stats.countError(counters)
		return
	}
	stats.countDecision(counters, d)
}
