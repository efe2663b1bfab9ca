package grpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"google.golang.org/grpc"

	"github.com/wardkeeper/wardkeeper/adapters/pep"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// Config configures the interceptors. Methods have their full names, such as "/clinic.Users/Deactivate". Enforcer is
// required, and so is Person if there are questions.
type Config struct {
	Enforcer *pep.Enforcer
	// Person returns the verified caller: by [BearerToken], a client certificate, or the application's own session. Its error
	// is logged, and must name nobody. If the error has a method Unavailable() bool that returns true, the caller cannot be
	// identified now and the call fails as Unavailable; otherwise the caller is not authenticated.
	Person func(ctx context.Context) (Person, error)
	// Questions has the question that calls of each method ask. A method that is in neither Questions nor Public is denied.
	Questions map[string]Question
	// Messages has a question about each message that the client of a streaming method sends, in addition to the one at the
	// start of the stream.
	Messages map[string]Question
	// Public methods are not checked.
	Public []string
	Logger *slog.Logger // nil means slog.Default()
}

// Person is a verified caller.
type Person struct {
	ID     string
	Claims map[string]any // of the verified token; nil without one
}

// Call is the input of a question, in addition to the metadata in the context.
type Call struct {
	Method string
	Person Person
	// Message is the request. It is nil at the start of a stream on which the client sends messages.
	Message any
}

// Question returns the evaluation that a call asks for. If it leaves the subject empty, the subject is the user with the
// person's id. Its error is sent to the caller, with the code InvalidArgument. Questions must not change the message.
type Question func(ctx context.Context, c Call) (authzen.Evaluation, error)

// errOtherMessage means that a question expects another message type than the method has: a mistake in the application.
var errOtherMessage = errors.New("the question is for messages of another type")

// Ask returns a question that depends only on the message. M is the type of the method's request, such as
// *pb.DeactivateRequest.
func Ask[M any](ask func(m M) authzen.Evaluation) Question {
	return func(_ context.Context, c Call) (authzen.Evaluation, error) {
		m, ok := c.Message.(M)
		if !ok {
			return authzen.Evaluation{}, errOtherMessage
		}
		return ask(m), nil
	}
}

// Interceptors check calls. They are safe for concurrent use.
type Interceptors struct {
	config Config
	public map[string]bool
}

// New returns interceptors. It returns an error if Enforcer or a required Person is missing, a name is not that of a method,
// or the settings of a method contradict each other.
func New(c Config) (*Interceptors, error) {
	if c.Enforcer == nil {
		return nil, errors.New("grpc: Config.Enforcer is required")
	}
	if c.Person == nil && len(c.Questions) > 0 {
		return nil, errors.New("grpc: Config.Person is required: questions are about somebody")
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.Questions, c.Messages = maps.Clone(c.Questions), maps.Clone(c.Messages)
	i := &Interceptors{config: c, public: map[string]bool{}}
	for _, method := range c.Public {
		i.public[method] = true
	}
	for _, method := range slices.Concat(c.Public, slices.Sorted(maps.Keys(c.Questions)), slices.Sorted(maps.Keys(c.Messages))) {
		asks, isAsked := c.Questions[method]
		each, isStream := c.Messages[method]
		switch {
		case !isMethod(method):
			return nil, fmt.Errorf("grpc: %q is not a method: use its full name, such as /clinic.Users/Deactivate", method)
		case i.public[method] && (isAsked || isStream):
			return nil, fmt.Errorf("grpc: the method %s is public and has a question: leave out one of them", method)
		case isAsked && asks == nil || isStream && each == nil:
			return nil, fmt.Errorf("grpc: the question of the method %s is nil", method)
		case isStream && !isAsked:
			return nil, fmt.Errorf("grpc: the method %s has a question for its messages, but none for its start", method)
		}
	}
	return i, nil
}

func isMethod(name string) bool {
	service, method, ok := strings.Cut(strings.TrimPrefix(name, "/"), "/")
	return ok && strings.HasPrefix(name, "/") && service != "" && method != "" && !strings.Contains(method, "/")
}

// ServerOptions returns the options of a server whose unary and streaming calls are checked. Put them after the options of
// interceptors that change messages.
func (i *Interceptors) ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{grpc.ChainUnaryInterceptor(i.Unary), grpc.ChainStreamInterceptor(i.Stream)}
}
