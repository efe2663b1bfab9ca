package httpapi

import (
	"context"
	"crypto/tls"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/tracing"
)

// Config configures a server. Decider and BaseURL are required. Functions must be safe for concurrent use.
type Config struct {
	Decider Decider
	// Data serves OPA's REST API; nil disables it.
	Data Data
	// BaseURL is the URL under which clients reach this server, such as https://pdp.example.org. The metadata is built
	// from it and never from the Host of a request.
	BaseURL string
	// TLS is for every listener but Unix sockets; nil means that none speaks TLS.
	TLS *tls.Config
	// OperationsApart says that only the server of [Server.OperationsServer] has the metrics.
	OperationsApart bool
	// Callers recognizes callers; nil means that everybody may do everything but announce changes.
	Callers Callers
	// Changes announces membership changes; nil disables the endpoint. It requires Callers with the role [RoleAnnounce].
	Changes Announcer
	// Claims claims guards; nil disables the endpoint.
	Claims Claimer
	// ForwardAuth answers proxies; nil disables it.
	ForwardAuth ForwardAuth
	// Recorded says that the Decider records decisions, so that it is told who asks ([pdp.WithCaller]) even without a name.
	Recorded bool
	// Ready checks the conditions for deciding; nil means that the server is always ready.
	Ready func(ctx context.Context) []Check
	// Policy describes the policy in force; nil means unknown.
	Policy func() PolicyStatus
	// Membership describes problems with the membership facts; nil means that there are none.
	Membership func() MembershipStatus
	// DirectoryRevision returns the revision of the directory in force, for the metrics. nil and "" mean unknown.
	DirectoryRevision func() string
	// Registry is where the server registers its metrics, and the source of /metrics; nil creates one.
	Registry *prometheus.Registry
	Logger   *slog.Logger // nil means slog.Default()
	// Tracer begins the traces of requests; nil: there are none.
	Tracer *tracing.Tracer
	// LogSampleRate N leaves out of the access log all but one of N requests whose questions are about actions that change
	// nothing and were all allowed; 0 and 1 leave out none.
	LogSampleRate int

	Timeout           time.Duration // from the end of the body to the response; 0 means 10 s
	ReadHeaderTimeout time.Duration // for reading a request's head; 0 means 5 s
	ReadTimeout       time.Duration // for reading a request, head and body; 0 means 15 s
	IdleTimeout       time.Duration // for a connection between requests; 0 means 2 min

	// MaxQuestions limits the single evaluations in progress; 0 means 1,024. MaxBatches limits the batches, searches and
	// large evaluations in progress; 0 means twice the number of processors, and at least 8. Requests above 64 KiB are
	// limited to the number of processors. Eight times as many requests may wait, each for half of Timeout; others are
	// rejected with status 503 and Retry-After.
	MaxQuestions, MaxBatches int
}

// Check is one condition of readiness.
type Check struct {
	Name string // public: lower-case letters, digits and "_", at most 32
	Err  error  // why the condition is not met, for the log and for operators, without secrets; nil if it is met
	// Degraded says that questions can still be decided without it, if not all: the server stays ready.
	Degraded bool
	// Recent says that the condition has not been met for so short a time that readiness does not count it yet.
	Recent bool
}

// Decider makes decisions. [*pdp.Engine] implements it. Implementations must be safe for concurrent use.
type Decider interface {
	Offers() pdp.Offers
	Decide(ctx context.Context, r pdp.Request) (pdp.Decision, error)
	DecideAll(ctx context.Context, items []pdp.Item, s authzen.Semantic) ([]pdp.Outcome, error)
	SearchSubjects(ctx context.Context, r pdp.SearchRequest) (pdp.SearchResult, error)
	SearchResources(ctx context.Context, r pdp.SearchRequest) (pdp.SearchResult, error)
	SearchActions(ctx context.Context, r pdp.SearchRequest) (pdp.SearchResult, error)
}

// Announcer accepts announcements of changes, so that changed records are no longer used in decisions. Implementations
// must be safe for concurrent use.
type Announcer interface {
	// Announce returns once it is certain that every sidecar will receive the changes, all of them or none. The token is
	// for context.at_least of questions whose facts must include them. The error is a [*pdp.Error], of kind [pdp.Invalid]
	// if a change is malformed; after any other error the caller may announce the same changes again.
	Announce(ctx context.Context, changes []pdp.Change) (token string, err error)
}

// Claimer claims guards. [*pdp.Engine] implements it. Implementations must be safe for concurrent use.
type Claimer interface {
	Claim(ctx context.Context, r pdp.Request, token string) (pdp.Claim, error)
}
