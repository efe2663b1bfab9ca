package pdp

import (
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// Request is one question, as AuthZEN words it.
type Request = authzen.Evaluation

// Decision is the answer to one question. Only Allow == true permits, and only together with every obligation.
type Decision struct {
	Allow       bool
	Reasons     []any          // why not: strings or objects, as the policy gives them
	Obligations []Obligation   // what the enforcement point must do
	Advice      []any          // what would help
	Context     map[string]any // anything else that the policy says
	Revision    string         // of the policy that decided
	Fault       bool           // the policy's answer was undefined or malformed, and counts as this denial
}

// Obligation has the shape of the AuthZEN obligations profile.
type Obligation struct {
	ID         string         `json:"id"`
	Type       string         `json:"type"`
	Properties map[string]any `json:"properties"` // never nil in what a policy said
}

// supportedObligations is the member of a question's context in which callers say which types of obligation they support,
// and the rule of a policy that declares the types that it uses.
const supportedObligations = "supported_obligations"

// codeUnsupported is the reason for a denial of what the caller could not do (ALL-13).
const codeUnsupported = "obligation_unsupported"

// limitedTo is the decision as far as its caller supports it, by the context of the question (ALL-13). Only declared types
// count; null says nothing, and anything but a list of strings supports nothing. An allow that carries any other type
// becomes a denial for that reason alone. A denial keeps its reasons and the obligations that the caller supports.
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

// Item is one question of a batch, or the reason why it could not be read.
type Item struct {
	Request Request
	Err     error
}

// Outcome is one answer of a batch. If Err is set, the answer is a denial.
type Outcome struct {
	Decision Decision
	Err      error
}

// SearchRequest asks for the subjects, resources or actions for which a decision would be an allow (policies/DOMAIN.md
// section 8). What is searched for is left open: Subject.ID, Resource.ID or Action.
type SearchRequest struct {
	Subject  authzen.Entity
	Action   authzen.Action
	Resource authzen.Entity
	Context  map[string]any
	Page     *authzen.Page // nil if none was sent
}

// question is what a search asks of one candidate.
func (r SearchRequest) question() Request {
	return Request{Subject: r.Subject, Action: r.Action, Resource: r.Resource, Context: r.Context}
}

// SearchResult is one page of hits. Page is nil if there is nothing to say about paging.
type SearchResult struct {
	Page *PageInfo
	Hits []Hit
}

// PageInfo describes a page. NextToken is empty on the last one; Total is nil if it is not cheap to know.
type PageInfo struct {
	NextToken string
	Count     int
	Total     *int
}

// Hit is one result of a search: {type, id} with the properties asked for, or an action's {name}. Obligations are those of
// the decision that it stands for.
type Hit struct {
	Type, ID    string
	Name        string
	Properties  map[string]any
	Obligations []Obligation
}

// Offers is what a policy offers besides decisions.
type Offers struct {
	Subjects, Resources, Actions bool     // the searches that have candidates; any other fails with [NotOffered]
	Obligations                  []string // the types of obligation that the policy declares, sorted
}
