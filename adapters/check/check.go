package check

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/wardkeeper/wardkeeper/adapters/pep"
	"github.com/wardkeeper/wardkeeper/adapters/routes"
)

// Config configures a checker. Routes and Decider are required.
type Config struct {
	Routes *routes.Table
	// Verifier verifies the tokens of the route file's subject.jwt; nil means that of those settings.
	Verifier routes.Verifier
	Decider  pep.Decider
	// Handlers has the obligations that the application can perform (see [pep.Config]). A nil map means that the application
	// behind the adapter is told of its obligations, and performs those that the route file names as supported_obligations.
	// It is told nothing of a request that is refused: the obligations of a denial are then logged as not done, by their ids.
	Handlers map[string]pep.Handler
	Logger   *slog.Logger // nil means slog.Default()
}

// Checker checks requests. It is safe for concurrent use.
type Checker struct {
	routes   *routes.Table
	enforcer *pep.Enforcer
	logger   *slog.Logger
	told     bool // the application is told of obligations, and none is performed here
}

// New returns a checker.
func New(c Config) (*Checker, error) {
	if c.Routes == nil {
		return nil, errors.New("check: Config.Routes is required")
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if jwt := c.Routes.Subject().JWT; jwt != nil && c.Verifier == nil {
		verifier, err := jwt.NewVerifier(c.Logger)
		if err != nil {
			return nil, fmt.Errorf("check: the route file: %w", err)
		}
		c.Verifier = verifier
	}
	told := c.Handlers == nil
	if told {
		c.Handlers = map[string]pep.Handler{}
		for _, kind := range c.Routes.SupportedObligations() {
			c.Handlers[kind] = pep.Handler{}
		}
	}
	enforcer, err := pep.New(pep.Config{Decider: c.Decider, Handlers: c.Handlers})
	if err != nil {
		return nil, err
	}
	return &Checker{routes: c.Routes.WithVerifier(c.Verifier), enforcer: enforcer, logger: c.Logger, told: told}, nil
}

// Enforcer returns the enforcer, for questions that are not about a request, such as what a page offers.
func (c *Checker) Enforcer() *pep.Enforcer { return c.enforcer }

// Result is the result of checking a request.
type Result struct {
	// Pass reports whether the request may pass. If it is false, answer with Refusal.
	Pass    bool
	Refusal pep.Refusal
	// Subject is the id of the person; "" if the route is public or the person is not known.
	Subject string
	// Outcome is the outcome of the question, if one was asked. Call its Done once the request has been answered
	// successfully.
	Outcome pep.Outcome
	// Route is the route that the request matches; nil if it matches none, or was refused before it was matched.
	Route *routes.Route
	// Trace identifies the request. Put it in the context of further questions (see [pep.WithTrace]).
	Trace pep.Trace
}

type resultKey struct{}

// WithResult returns a context for the handler of a request, with the result, and with the trace for further questions.
func WithResult(ctx context.Context, r Result) context.Context {
	return pep.WithTrace(context.WithValue(ctx, resultKey{}, r), r.Trace)
}

// ResultOf returns the result of checking the request of a context. ok is false if no adapter has checked it.
func ResultOf(ctx context.Context) (r Result, ok bool) {
	r, ok = ctx.Value(resultKey{}).(Result)
	return r, ok
}

// Check reports whether a request may pass. A panic of what it calls, such as a verifier, is no answer.
func (c *Checker) Check(ctx context.Context, r routes.Request) Result {
	return c.identified(ctx, r.Header, func(ctx context.Context) Result { return c.check(ctx, r) })
}

// CheckHTTP reports whether a request of a server may pass. fromProxy reports whether it comes from an authenticated proxy;
// nil means that none does.
func (c *Checker) CheckHTTP(r *http.Request, fromProxy func(r *http.Request) bool) Result {
	return c.identified(r.Context(), r.Header, func(ctx context.Context) Result {
		request := routes.FromHTTP(r)
		request.FromProxy = fromProxy != nil && fromProxy(r)
		return c.check(ctx, request)
	})
}

// identified gives a check the trace of its request. It turns a panic into a refusal.
func (c *Checker) identified(ctx context.Context, header http.Header, check func(context.Context) Result) (result Result) {
	trace := pep.NewTrace(header.Values)
	ctx = pep.WithTrace(ctx, trace)
	defer func() {
		if p := recover(); p != nil {
			result = Result{Refusal: pep.Outcome{Verdict: pep.Unavailable}.Refusal()}
			c.log(ctx, routes.Resolution{}, result.Refusal, fmt.Errorf("the check panicked with a value of type %T", p)) // the value may name persons
		}
		result.Trace = trace
		if !result.Pass {
			result.Refusal.RequestID = trace.RequestID
		}
	}()
	return check(ctx)
}

func (c *Checker) check(ctx context.Context, r routes.Request) Result {
	resolution, err := c.routes.Resolve(ctx, r)
	if err != nil {
		refusal, cause := refusalOf(err)
		c.log(ctx, resolution, refusal, cause)
		return Result{Refusal: refusal, Route: resolution.Route}
	}
	switch resolution.Outcome {
	case routes.Public:
		return Result{Pass: true, Route: resolution.Route}
	case routes.Question:
	default:
		c.log(ctx, resolution, pep.NoRoute(), nil)
		return Result{Refusal: pep.NoRoute()}
	}
	result := Result{
		Subject: resolution.Evaluation.Subject.ID, Route: resolution.Route, Outcome: c.enforcer.Enforce(ctx, resolution.Evaluation),
	}
	if result.Outcome.Permitted() {
		result.Pass = true
		return result
	}
	result.Refusal = result.Outcome.Refusal()
	if c.told && result.Outcome.Verdict == pep.Denied {
		for _, o := range result.Outcome.Obligations {
			c.logger.WarnContext(ctx, "an obligation of a denial was not done", "request_id", pep.TraceOf(ctx).RequestID, "obligation", o.ID)
		}
	}
	c.log(ctx, resolution, result.Refusal, result.Outcome.Err)
	return result
}

// refusalOf returns the refusal of a request that could not be resolved, and the cause for the log.
func refusalOf(err error) (pep.Refusal, error) {
	e, ok := errors.AsType[*routes.Error](err)
	if !ok {
		return pep.Outcome{Verdict: pep.Unavailable}.Refusal(), err
	}
	switch e.Kind {
	case routes.BadRequest:
		return pep.BadRequest(e.Message), e.Err
	case routes.Unauthenticated:
		refusal := pep.Unauthenticated()
		refusal.Detail = e.Message
		return refusal, e.Err
	}
	refusal := pep.Outcome{Verdict: pep.Unavailable}.Refusal()
	refusal.Detail = e.Message
	return refusal, e.Err
}

// log logs a refusal and names nobody (PEP-11): it has the route instead of the path, and no reasons, because a reason may
// describe the person.
func (c *Checker) log(ctx context.Context, resolution routes.Resolution, refusal pep.Refusal, cause error) {
	attributes := []any{"status", refusal.Status, "code", refusal.Code, "request_id", pep.TraceOf(ctx).RequestID}
	if resolution.Route != nil {
		attributes = append(attributes, "route", resolution.Route.Path, "line", resolution.Route.Line)
	}
	if cause != nil {
		attributes = append(attributes, "error", cause)
	}
	if refusal.Status == http.StatusServiceUnavailable {
		c.logger.WarnContext(ctx, "a request could not be checked", attributes...)
		return
	}
	c.logger.InfoContext(ctx, "a request was refused", attributes...)
}
