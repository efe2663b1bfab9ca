package forwardauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/wardkeeper/wardkeeper/adapters/check"
	"github.com/wardkeeper/wardkeeper/adapters/pep"
	"github.com/wardkeeper/wardkeeper/adapters/routes"
)

// Header fields in which the proxy describes the original request. The proxy must overwrite what the client sends in them.
const (
	methodHeader = "X-Forwarded-Method"
	targetHeader = "X-Forwarded-Uri"
	hostHeader   = "X-Forwarded-Host"
)

// tokenHeader carries the proxy's token. Authorization is for the person's.
const tokenHeader = "X-Wardkeeper-Token"

// Header fields of a refusal.
const (
	statusHeader = "X-Wardkeeper-Status"    // its status, for proxies that pass on only 401 and 403
	typeHeader   = "X-Wardkeeper-Body-Type" // the type of its body
	bodyHeader   = "X-Wardkeeper-Body"      // its body, for proxies that drop it
)

// maxBodyHeader bounds the body in a header field, in bytes. nginx accepts a response header of 4 KiB by default.
const maxBodyHeader = 2 << 10

// defaultTimeout leaves a tenth of the second that proxies wait for the way, so that a person gets the refusal of Wardkeeper
// rather than that of the proxy.
const defaultTimeout = 900 * time.Millisecond

// Config configures a handler. Checker is required.
type Config struct {
	// Checker returns the current checker. It is called for each request, so that the route file can be replaced.
	Checker func() *check.Checker
	// Timeout bounds a check; 0 means 0.9 s. What takes longer is no answer.
	Timeout time.Duration
	Logger  *slog.Logger // nil means slog.Default()
}

// Handler answers proxies. It is safe for concurrent use.
type Handler struct {
	checker func() *check.Checker
	timeout time.Duration
	logger  *slog.Logger
}

// New returns a handler.
func New(c Config) (*Handler, error) {
	if c.Checker == nil {
		return nil, errors.New("forwardauth: Config.Checker is required")
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	return &Handler{c.Checker, c.Timeout, c.Logger}, nil
}

// Answer answers a subrequest: with status 200 if the original request may pass, otherwise with the refusal. proven says that the
// proxy has proven who it is; one that asks over a Unix socket need not. refused is why the proxy may not ask, or nil. With the query
// "as=nginx", every refusal but 401 has the status 403, because nginx turns any other into 500; X-Wardkeeper-Status has the
// real one.
func (h *Handler) Answer(ctx context.Context, r *http.Request, proven bool, refused error) (status int, header http.Header, body []byte) {
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	header = http.Header{}
	refusal, result, err := h.check(ctx, r, proven, refused)
	if err != nil {
		refusal.RequestID = pep.NewTrace(r.Header.Values).RequestID
		h.logger.WarnContext(ctx, "a proxy asks in a way that cannot be answered", "request_id", refusal.RequestID, "error", err)
	}
	if refusal == nil {
		result.SetHeader(header)
		return http.StatusOK, header, nil
	}
	contentType, body := refusal.Body(r.Header.Get("Accept"))
	refusal.SetHeader(header)
	header.Set("Content-Type", contentType)
	header.Set(statusHeader, strconv.Itoa(refusal.Status))
	header.Set(typeHeader, contentType)
	small, short := body, *refusal
	for _, shorten := range shortenings { // truncation would break the JSON or the page
		if len(small) <= maxBodyHeader {
			break
		}
		shorten(&short)
		_, small = short.Body(r.Header.Get("Accept"))
	}
	header.Set(bodyHeader, string(small))
	status = refusal.Status
	if r.URL.Query().Get("as") == "nginx" && status != http.StatusUnauthorized {
		status = http.StatusForbidden
	}
	return status, header, body
}

// shortenings make a refusal shorter, one after the other, until its body fits into a header field.
var shortenings = []func(*pep.Refusal){
	func(r *pep.Refusal) { r.Reasons, r.Advice = withoutMore(r.Reasons), withoutMore(r.Advice) },
	func(r *pep.Refusal) { r.Reasons, r.Advice, r.Confirm = nil, nil, nil },
	func(r *pep.Refusal) { r.Detail = pep.Outcome{}.Refusal().Detail },
}

func withoutMore(reasons []pep.Reason) []pep.Reason {
	var short []pep.Reason
	for _, reason := range reasons {
		reason.More = nil
		short = append(short, reason)
	}
	return short
}

var errNotSaid = errors.New("the proxy does not say what the request is: it must set X-Forwarded-Method, X-Forwarded-Uri and X-Forwarded-Host, once each")

// check returns the refusal, or nil if the request may pass. The error is for the log, and means that the proxy is at fault.
func (h *Handler) check(ctx context.Context, r *http.Request, proven bool, refused error) (*pep.Refusal, check.Result, error) {
	if refused != nil {
		return unavailable(), check.Result{}, fmt.Errorf("the proxy may not ask, it must set X-Wardkeeper-Token or have a client certificate: %w", refused)
	}
	method, target, host := r.Header[methodHeader], r.Header[targetHeader], r.Header[hostHeader]
	if len(method) != 1 || len(target) != 1 || len(host) != 1 {
		return unavailable(), check.Result{}, errNotSaid
	}
	header := r.Header.Clone()
	for _, name := range []string{methodHeader, targetHeader, hostHeader, tokenHeader} {
		delete(header, name)
	}
	result := h.checker().Check(ctx, routes.Request{Method: method[0], Target: target[0], Host: host, Header: header, FromProxy: proven || overUnixSocket(r.Context())})
	if !result.Pass {
		return &result.Refusal, result, nil
	}
	return nil, result, nil
}

func unavailable() *pep.Refusal {
	refusal := pep.Outcome{Verdict: pep.Unavailable}.Refusal()
	return &refusal
}

// overUnixSocket reports whether the caller is connected over a Unix socket, whose permissions restrict who it can be.
func overUnixSocket(ctx context.Context) bool {
	addr, ok := ctx.Value(http.LocalAddrContextKey).(net.Addr)
	return ok && addr.Network() == "unix"
}
