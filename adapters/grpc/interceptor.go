package grpc

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/wardkeeper/wardkeeper/adapters/pep"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// Unary is a [grpc.UnaryServerInterceptor].
func (i *Interceptors) Unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	c := i.begin(ctx, info.FullMethod)
	_ = grpc.SetTrailer(ctx, c.trailer())
	ctx, refusal := c.identify(ctx)
	if refusal == nil && !c.public {
		refusal = c.judge(ctx, i.config.Questions[c.method], req)
	}
	if refusal != nil {
		return nil, refusal
	}
	response, err := handler(ctx, req)
	if err == nil {
		c.done(ctx)
	}
	return response, err
}

// Stream is a [grpc.StreamServerInterceptor]. If the client sends a single message, the call is judged by that message before
// the handler gets it, and nothing that the handler sends before receiving it reaches the client, be it a message or metadata
// of the header or the trailer. If the client sends a stream, the call is judged at its start, without a message, and then by each message that has a question in
// [Config].Messages. Once a message has been refused the call ends with that refusal, whatever its handler does.
func (i *Interceptors) Stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	c := i.begin(ss.Context(), info.FullMethod)
	ss.SetTrailer(c.trailer())
	ctx, refusal := c.identify(ss.Context())
	if refusal != nil {
		return refusal
	}
	s := &stream{ServerStream: ss, ctx: ctx, call: c}
	switch {
	case c.public:
	case info.IsClientStream:
		if refusal = c.judge(ctx, i.config.Questions[c.method], nil); refusal != nil {
			return refusal
		}
		s.each = i.config.Messages[c.method]
	default:
		s.each = i.config.Questions[c.method]
		s.refusal = statusOf(notReceived(c.trace))
	}
	if s.each != nil {
		s.ctx = grpc.NewContextWithServerTransportStream(ctx, transportStream{s})
	}
	err := handler(srv, s)
	if refusal := s.refused(); refusal != nil {
		return refusal
	}
	if err == nil {
		c.done(ctx)
	}
	return err
}

// call is a call being checked.
type call struct {
	*Interceptors
	method string
	public bool
	trace  pep.Trace
	person Person

	mu       sync.Mutex
	outcomes []pep.Outcome // permitted, with obligations
}

func (i *Interceptors) begin(ctx context.Context, method string) *call {
	values := func(name string) []string { return metadata.ValueFromIncomingContext(ctx, name) }
	return &call{Interceptors: i, method: method, public: i.public[method], trace: pep.NewTrace(values)}
}

func (c *call) trailer() metadata.MD { return metadata.Pairs("x-request-id", c.trace.RequestID) }

// identify determines the caller and returns the context for the handler. An error is the status for the caller.
func (c *call) identify(ctx context.Context) (context.Context, error) {
	ctx = pep.WithTrace(ctx, c.trace)
	if c.public {
		return ctx, nil
	}
	if c.config.Questions[c.method] == nil {
		return ctx, c.refuse(ctx, noQuestion(), nil)
	}
	person, err := c.identity(ctx)
	switch {
	case err == nil && person.ID == "":
		err = errors.New("the person has no id")
	case err == nil:
		c.person = person
		return context.WithValue(ctx, personKey{}, person), nil
	case isUnavailable(err) || ctx.Err() != nil:
		return ctx, c.refuse(ctx, pep.Outcome{Verdict: pep.Unavailable}.Refusal(), err)
	}
	return ctx, c.refuse(ctx, pep.Unauthenticated(), err)
}

// judge asks a question about a message, which is nil at the start of a stream. An error is the status for the caller.
func (c *call) judge(ctx context.Context, question Question, message any) error {
	evaluation, err := c.ask(ctx, question, message)
	switch {
	case isPanic(err):
		return c.refuse(ctx, pep.Outcome{Verdict: pep.Unavailable}.Refusal(), err)
	case errors.Is(err, errOtherMessage):
		return c.refuse(ctx, noQuestion(), err)
	case err != nil:
		return c.refuse(ctx, pep.BadRequest(err.Error()), nil)
	}
	if evaluation.Subject.Type == "" && evaluation.Subject.ID == "" {
		evaluation.Subject.Type, evaluation.Subject.ID = "user", c.person.ID
	}
	outcome := c.config.Enforcer.Enforce(ctx, evaluation)
	if !outcome.Permitted() {
		return c.refuse(ctx, outcome.Refusal(), outcome.Err)
	}
	if len(outcome.Obligations) > 0 {
		c.mu.Lock()
		c.outcomes = append(c.outcomes, outcome)
		c.mu.Unlock()
	}
	return nil
}

// identity determines the caller. A panic becomes an error.
func (c *call) identity(ctx context.Context) (p Person, err error) {
	defer recoverAs(&err)
	return c.config.Person(ctx)
}

// ask returns the evaluation that a question asks for. A panic becomes an error.
func (c *call) ask(ctx context.Context, question Question, message any) (e authzen.Evaluation, err error) {
	defer recoverAs(&err)
	return question(ctx, Call{Method: c.method, Person: c.person, Message: message})
}

// panicked is the error of a function of the application that has panicked: whether the call is permitted is not known. A
// panic in an interceptor would otherwise end the server.
type panicked struct{ kind string }

func (p panicked) Error() string     { return "a function panicked with a value of type " + p.kind }
func (p panicked) Unavailable() bool { return true }

func recoverAs(err *error) {
	if p := recover(); p != nil {
		*err = panicked{fmt.Sprintf("%T", p)} // the value may name persons
	}
}

func isPanic(err error) bool {
	_, ok := errors.AsType[panicked](err)
	return ok
}

// done performs the obligations that follow a successful call. Failures are logged; the application must repeat those
// obligations.
func (c *call) done(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, outcome := range c.outcomes {
		if err := outcome.Done(context.WithoutCancel(ctx)); err != nil {
			c.config.Logger.ErrorContext(ctx, "an obligation was not done", "request_id", c.trace.RequestID, "error", err)
		}
	}
}

// noQuestion refuses a method that has no question, or none that fits its messages (PEP-14).
func noQuestion() pep.Refusal {
	r := pep.NoRoute()
	r.Reasons = []pep.Reason{{Code: "no_question", Message: "It is not known what this method asks."}}
	return r
}

// notReceived refuses a call whose handler returns, or sends something, before it has received the message that the call is
// judged by.
func notReceived(t pep.Trace) pep.Refusal {
	r := pep.NoRoute()
	r.RequestID = t.RequestID
	r.Reasons = []pep.Reason{{Code: "not_judged", Message: "The message of this call was not received."}}
	return r
}

// refuse logs a refusal and returns the status for the caller. The log has the method and the cause, and names nobody
// (PEP-11).
func (c *call) refuse(ctx context.Context, r pep.Refusal, cause error) error {
	r.RequestID = c.trace.RequestID
	attributes := []any{"code", r.Code, "method", c.method, "request_id", r.RequestID}
	if cause != nil {
		attributes = append(attributes, "error", cause)
	}
	if r.Code == pep.CodeUnavailable {
		c.config.Logger.WarnContext(ctx, "a call could not be checked", attributes...)
	} else {
		c.config.Logger.InfoContext(ctx, "a call was refused", attributes...)
	}
	return statusOf(r)
}
