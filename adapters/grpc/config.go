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

// Config configures the interceptors. Methods are named in full, as in "/clinic.Users/Deactivate". Enforcer is required, and Person if there
// are questions.
type Config struct {
	Enforcer *pep.Enforcer
	// Person says who calls, by what is verified: [BearerToken], a client certificate, or the application's own session. An error is
	// logged, and must name nobody; with a method Unavailable() bool that returns true nobody can say who calls, otherwise the caller has
	// not proven who it is.
	Person func(ctx context.Context) (Person, error)
	// Questions are what methods ask. A method that is neither here nor in Public is denied.
	Questions map[string]Question
	// Messages are what each message asks that the client of a streaming method sends, beside the question at the start of its stream.
	Messages map[string]Question
	// Public methods are not asked about.
	Public []string
	Logger *slog.Logger // nil means slog.Default()
}

// Person is who calls.
type Person struct {
	ID     string
	Claims map[string]any // of the verified token; nil if there is none
}

// Call is what a question can be drawn from, beside the metadata in the context.
type Call struct {
	Method string
	Person Person
	// Message is the request. It is nil at the start of a stream whose messages are sent by the client.
	Message any
}

// Question says what a call asks. If it leaves the subject empty, that is the user with the id of the person. An error is for the caller, who
// gets it with the code InvalidArgument. Questions must not change the message.
type Question func(ctx context.Context, c Call) (authzen.Evaluation, error)

// errOtherMessage means that the application is wrong about the type of a method's messages.
var errOtherMessage = errors.New("the question is for messages of another type")

// Ask makes a question of a function that needs the message alone. M is the type of the method's request, such as *pb.DeactivateRequest.
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

// New returns interceptors. It fails if a name is not that of a method, or if it is not clear what a method asks.
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

// ServerOptions are the options of a server whose calls are checked, of both kinds. Put them after the options of interceptors that change
// messages.
func (i *Interceptors) ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{grpc.ChainUnaryInterceptor(i.Unary), grpc.ChainStreamInterceptor(i.Stream)}
}
