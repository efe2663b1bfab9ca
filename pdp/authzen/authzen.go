// Package authzen holds the wire types of the OpenID AuthZEN Authorization API 1.0 and their strict decoder.
//
// It is a leaf: the server, the engine and every adapter share it, and it imports nothing of ours.
//
// What has been decoded is shared, not copied: the items of a batch may have the same maps. Treat them as read-only.
package authzen

import (
	"encoding/json"
	"errors"
)

// The bounds of what is read. MaxBody is for whoever reads the body; the decoders check the others.
const (
	MaxBody        = 1 << 20 // bytes of a request
	MaxDepth       = 64      // objects and arrays in one another, the body's own object included
	MaxValues      = 100_000 // values in properties, contexts and inputs of a request: objects, arrays and what is in them
	MaxName        = 1 << 10 // bytes of a type, an id or a name
	MaxEvaluations = 1000    // items of a batch
	MaxLimit       = 1000    // page.limit; a greater one is this
)

// Entity is a subject or a resource (section 5). Unknown members are dropped when decoded; Properties is kept as sent,
// with numbers as [encoding/json.Number].
type Entity struct {
	Type       string         `json:"type"`
	ID         string         `json:"id"`
	Properties map[string]any `json:"properties,omitzero"`
}

// Action is what the subject wants to do (section 5.3).
type Action struct {
	Name       string         `json:"name"`
	Properties map[string]any `json:"properties,omitzero"`
}

// Evaluation is one question (section 6): may Subject do Action to Resource, in Context?
// A map that is empty was sent empty, a nil one was not sent (or null).
type Evaluation struct {
	Subject  Entity         `json:"subject"`
	Action   Action         `json:"action"`
	Resource Entity         `json:"resource"`
	Context  map[string]any `json:"context,omitzero"`
}

// Semantic says when a batch of evaluations stops (section 7.1.2.1).
type Semantic string

// The three semantics of a batch.
const (
	ExecuteAll          Semantic = "execute_all"
	DenyOnFirstDeny     Semantic = "deny_on_first_deny"
	PermitOnFirstPermit Semantic = "permit_on_first_permit"
)

// Batch is a request for several evaluations (section 7), the defaults already applied.
type Batch struct {
	// Single says that the request had no evaluations: it is one evaluation, the only item, and is answered as one.
	Single   bool
	Items    []Item
	Semantic Semantic
}

// Item is one question of a batch. Where Err is set, it was malformed and Evaluation is empty.
type Item struct {
	Evaluation Evaluation
	Err        error // an [*Error]
}

// MarshalJSON writes the request, without defaults. A malformed item cannot be written.
func (b Batch) MarshalJSON() ([]byte, error) {
	type options struct {
		Semantic Semantic `json:"evaluations_semantic,omitempty"`
	}
	type single struct {
		Evaluation
		Options options `json:"options,omitzero"`
	}
	type several struct {
		Options     options      `json:"options,omitzero"`
		Evaluations []Evaluation `json:"evaluations"`
	}
	if b.Single && len(b.Items) != 1 {
		return nil, errors.New("authzen: a single evaluation needs exactly one item")
	}
	all := make([]Evaluation, len(b.Items))
	for i, item := range b.Items {
		if item.Err != nil {
			return nil, item.Err
		}
		all[i] = item.Evaluation
	}
	if b.Single {
		return json.Marshal(single{all[0], options{b.Semantic}})
	}
	return json.Marshal(several{options{b.Semantic}, all})
}

// Page is what a search asks of paging (section 8.2).
type Page struct {
	Token      string         `json:"token,omitempty"`
	Limit      *int           `json:"limit,omitempty"` // nil where none was sent
	Properties map[string]any `json:"properties,omitzero"`
}

// Search asks for subjects, resources or actions (section 8). What is searched for is empty: Subject.ID, Resource.ID or Action.
type Search struct {
	Subject  Entity         `json:"subject"`
	Action   Action         `json:"action"`
	Resource Entity         `json:"resource"`
	Context  map[string]any `json:"context,omitzero"`
	Page     *Page          `json:"page,omitempty"`
}

// Response is the answer to one evaluation (section 6.2).
type Response struct {
	Decision bool           `json:"decision"`
	Context  map[string]any `json:"context,omitempty"`
}
