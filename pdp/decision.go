package pdp

import (
	"context"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// Request is one question, as AuthZEN words it.
type Request = authzen.Evaluation

// Decision is the answer to one question. Only Allow == true permits, and only together with every obligation.
type Decision struct {
	Allow       bool
	Reasons     []any          // why not: strings or objects, as the policy gives them
	Obligations []Obligation   // what the enforcement point must do
	Advice      []any          // what would help
	Context     map[string]any // anything else a policy says
	Revision    string         // the policy revision that decided
	Fault       bool           // the policy's answer was undefined or ill-shaped, and counts as this denial
}

// Obligation is in the shape of the AuthZEN obligations profile.
type Obligation struct {
	ID         string         `json:"id"`
	Type       string         `json:"type"`
	Properties map[string]any `json:"properties"` // never nil in what a policy said
}

// Item is one question of a batch, or the reason why it could not be read.
type Item struct {
	Request Request
	Err     error
}

// Outcome is one answer of a batch. Where Err is set, the answer is a denial.
type Outcome struct {
	Decision Decision
	Err      error
}

// SearchRequest asks for the subjects, resources or actions for which an evaluation would be true (DOMAIN.md section 8).
// What is searched for is left open: Subject.ID, Resource.ID or Action.
type SearchRequest struct {
	Subject  authzen.Entity
	Action   authzen.Action
	Resource authzen.Entity
	Context  map[string]any
	Page     *authzen.Page // nil where none was sent
}

// SearchResult is one page of hits. Page is nil where nothing is to be said about paging.
type SearchResult struct {
	Page *PageInfo
	Hits []Hit
}

// PageInfo describes a page: NextToken is empty on the last one, Total is nil where it is not cheap to know.
type PageInfo struct {
	NextToken string
	Count     int
	Total     *int
}

// Hit is one result: {type, id} with the properties asked for, or an action's {name}. Obligations are those of the
// evaluation that it stands for.
type Hit struct {
	Type, ID    string
	Name        string
	Properties  map[string]any
	Obligations []Obligation
}

// Offers is what a policy offers besides decisions. Without a policy that is nothing.
type Offers struct {
	Subjects, Resources, Actions bool     // the searches that have candidates; any other fails with [NotOffered]
	Obligations                  []string // the types of obligation that the policy declares, sorted
}

// Decider is what a front door needs of the engine; [*Engine] is one.
type Decider interface {
	Offers() Offers
	Decide(ctx context.Context, r Request) (Decision, error)
	DecideAll(ctx context.Context, items []Item, s authzen.Semantic) ([]Outcome, error)
	SearchSubjects(ctx context.Context, r SearchRequest) (SearchResult, error)
	SearchResources(ctx context.Context, r SearchRequest) (SearchResult, error)
	SearchActions(ctx context.Context, r SearchRequest) (SearchResult, error)
}
