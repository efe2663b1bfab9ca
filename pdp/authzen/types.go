package authzen

import (
	"encoding/json"
	"errors"
)

// Limits on what is accepted. The decoders check all of them but MaxBody, which the reader of the body must enforce.
const (
	MaxBody        = 1 << 20 // bytes of a request body
	MaxDepth       = 64      // nesting of objects and arrays, including the outermost object
	MaxValues      = 100_000 // JSON values (containers included) in the properties, contexts and inputs of one request
	MaxName        = 1 << 10 // bytes of a type, an id or a name
	MaxEvaluations = 1000    // items of a batch
	MaxLimit       = 1000    // page.limit; a greater value is reduced to this
)

// Entity is a subject or a resource (PROTOCOL.md section 5). Decoding drops unknown members and keeps Properties as sent, with
// numbers as [encoding/json.Number].
type Entity struct {
	Type       string         `json:"type"`
	ID         string         `json:"id"`
	Properties map[string]any `json:"properties,omitzero"`
}

// Action is what the subject asks to do (PROTOCOL.md section 5).
type Action struct {
	Name       string         `json:"name"`
	Properties map[string]any `json:"properties,omitzero"`
}

// Evaluation is one question (PROTOCOL.md section 6): may Subject do Action to Resource, in Context?
// An empty map was sent empty; a nil map was absent or null.
type Evaluation struct {
	Subject  Entity         `json:"subject"`
	Action   Action         `json:"action"`
	Resource Entity         `json:"resource"`
	Context  map[string]any `json:"context,omitzero"`
}

// Semantic says when the evaluation of a batch stops (PROTOCOL.md section 7).
type Semantic string

// The values of options.evaluations_semantic.
const (
	ExecuteAll          Semantic = "execute_all"
	DenyOnFirstDeny     Semantic = "deny_on_first_deny"
	PermitOnFirstPermit Semantic = "permit_on_first_permit"
)

// Batch is a request for several evaluations (PROTOCOL.md section 7), with the defaults applied to its items.
type Batch struct {
	// Single says that the request had no "evaluations" member, or an empty one. Items then holds one evaluation, and
	// the response has the form of a single evaluation.
	Single   bool
	Items    []Item
	Semantic Semantic
}

// Item is one evaluation of a batch. If it was malformed, Err is set and Evaluation is empty.
type Item struct {
	Evaluation Evaluation
	Err        error // an [*Error]
}

// MarshalJSON encodes the request with complete items and no defaults. It fails if an item is malformed.
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

// Page is the paging part of a search request (PROTOCOL.md section 8).
type Page struct {
	Token      string         `json:"token,omitempty"`
	Limit      *int           `json:"limit,omitempty"` // nil if absent
	Properties map[string]any `json:"properties,omitzero"`
}

// Search is a search request (PROTOCOL.md section 8). The part that is searched for is empty: Subject.ID, Resource.ID or Action.
type Search struct {
	Subject  Entity         `json:"subject"`
	Action   Action         `json:"action"`
	Resource Entity         `json:"resource"`
	Context  map[string]any `json:"context,omitzero"`
	Page     *Page          `json:"page,omitempty"`
}

// Response is the answer to one evaluation (PROTOCOL.md section 6).
type Response struct {
	Decision bool           `json:"decision"`
	Context  map[string]any `json:"context,omitempty"`
}
