package pdp

import (
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/guard"
)

// Request is one question in the form of AuthZEN.
type Request = authzen.Evaluation

// Decision is the answer to one question. Only Allow == true permits, and only if every obligation is fulfilled.
type Decision struct {
	Allow       bool
	Reasons     []any          // why it is denied: strings or objects, as the policy gives them
	Obligations []Obligation   // what the enforcement point must do
	Advice      []any          // what would help
	Context     map[string]any // anything else from the policy
	Revision    string         // of the policy that decided
	Fault       bool           // the policy's answer was undefined or malformed, so it counts as a denial

	stoodOn []guard.Record // what its guard is about; nil if it has none
}

// Obligation has the shape of the AuthZEN obligations profile.
type Obligation struct {
	ID         string         `json:"id"`
	Type       string         `json:"type"`
	Properties map[string]any `json:"properties"` // never nil in a policy's answer
}

// supportedObligations is the member of a question's context in which callers list the obligation types that they
// support, and the rule of a policy that declares the types that it uses.
const supportedObligations = "supported_obligations"

// codeUnsupported is the reason for denying what would require an unsupported obligation (ALL-13).
const codeUnsupported = "obligation_unsupported"

// limitedTo returns the decision limited to the obligations that the caller supports according to the context of the
// question (ALL-13). Only declared types count. A null list counts as absent; any value other than a list of strings
// supports nothing. An allow with an obligation of another type becomes a denial for that reason alone. A denial keeps
// its reasons and the obligations that the caller supports.
func (d Decision) limitedTo(context map[string]any, declared []string) Decision {
	said := context[supportedObligations]
	if said == nil || len(d.Obligations) == 0 {
		return d
	}
	var supported []string
	if areStrings(said) {
		supported = facts.Strings(context, supportedObligations)
	}
	kept := make([]Obligation, 0, len(d.Obligations))
	for _, o := range d.Obligations {
		if slices.Contains(supported, o.Type) && slices.Contains(declared, o.Type) {
			kept = append(kept, o)
		}
	}
	if len(kept) == len(d.Obligations) {
		return d
	}
	reason := map[string]any{"code": codeUnsupported, "message": "The application cannot do what this would require of it."}
	if d.Allow {
		return Decision{Reasons: []any{reason}, Revision: d.Revision}
	}
	d.Obligations, d.Reasons = kept, append(slices.Clone(d.Reasons), reason)
	return d
}

// Item is one question of a batch, or the error that prevented reading it.
type Item struct {
	Request Request
	Err     error
}

// Outcome is one answer of a batch. If Err is set, the answer is a denial.
type Outcome struct {
	Decision Decision
	Err      error
}

// SearchRequest asks for the subjects, resources or actions for which the decision would be an allow
// (policies/DOMAIN.md section 8). The part searched for is left empty: Subject.ID, Resource.ID or Action.
type SearchRequest struct {
	Subject  authzen.Entity
	Action   authzen.Action
	Resource authzen.Entity
	Context  map[string]any
	Page     *authzen.Page // nil if none was sent
}

// question returns the question that a search asks about each candidate.
func (r SearchRequest) question() Request {
	return Request{Subject: r.Subject, Action: r.Action, Resource: r.Resource, Context: r.Context}
}

// SearchResult is one page of hits. Page is nil if paging was not requested and the page is the whole list.
type SearchResult struct {
	Page *PageInfo
	Hits []Hit
}

// PageInfo describes a page. NextToken is empty on the last page. Total is nil if it is expensive to compute, or unknown because
// users are missing.
type PageInfo struct {
	NextToken  string
	Count      int
	Total      *int
	Incomplete []string // the ids of users about whom nothing could be decided, because their records break a rule of the directory
}

// Hit is one result of a search: {type, id} with the requested properties, or an action's {name}. Obligations are those
// of the decision that the hit represents.
type Hit struct {
	Type, ID    string
	Name        string
	Properties  map[string]any
	Obligations []Obligation
}

// Offers describes what a policy offers besides decisions.
type Offers struct {
	Subjects, Resources, Actions bool     // the searches that have candidates; all others fail with [NotOffered]
	Guards                       bool     // allows of changes can carry guards
	Obligations                  []string // the types of obligation that the policy declares, sorted
}
