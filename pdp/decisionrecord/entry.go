package decisionrecord

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// Entry is a record as it is read again: the members that are of use for people and for replay.
type Entry struct {
	ID       string    `json:"id"`
	Time     time.Time `json:"time"`
	Micros   int64     `json:"duration_us"`
	Revision string    `json:"revision"`
	Outcome  string    `json:"outcome"` // one of the constants, such as [Allowed]
	Door     string    `json:"door"`
	Caller   string    `json:"caller"`
	Request  string    `json:"request_id"`
	Document []string  `json:"document"`
	Batch    *Batch    `json:"batch"`

	Question map[string]any  `json:"question"` // nil if it is not known
	Facts    map[string]any  `json:"facts"`
	NoFacts  bool            `json:"facts_left_out"`
	Answer   *Answer         `json:"answer"`
	Search   *Search         `json:"search"`
	Error    *Error          `json:"error"`
	Value    *bool           `json:"value"`
	Erased   json.RawMessage `json:"erased"`
	Masked   json.RawMessage `json:"masked"`
	Failed   bool            `json:"mask_failed"`
}

// Batch says which of several questions that were asked together a record is about.
type Batch struct {
	ID    string `json:"id"`
	Index int    `json:"index"`
	Size  int    `json:"size"`
}

// Answer is a decision in a record.
type Answer struct {
	Allow       bool  `json:"allow"`
	Fault       bool  `json:"fault,omitempty"`
	Reasons     []any `json:"reasons,omitempty"`
	Obligations []any `json:"obligations,omitempty"`
	Advice      []any `json:"advice,omitempty"`
}

// Search is what a search found.
type Search struct {
	For   string   `json:"for"`
	Count int      `json:"count"`
	More  bool     `json:"more"`
	Hits  []string `json:"hits"`
}

// Error is the kind of error that was answered.
type Error struct {
	Kind string `json:"kind"`
}

// Parse reads a record. Members that it does not know are ignored.
func Parse(record []byte) (*Entry, error) {
	value, err := authzen.ParseValue(record)
	if err != nil {
		return nil, fmt.Errorf("the record cannot be read: %w", err)
	}
	if _, ok := value.(map[string]any); !ok {
		return nil, fmt.Errorf("the record is not an object")
	}
	decoder := json.NewDecoder(strings.NewReader(string(record)))
	decoder.UseNumber()
	var e Entry
	if err := decoder.Decode(&e); err != nil {
		return nil, fmt.Errorf("the record cannot be read: %w", err)
	}
	return &e, nil
}

// part returns the text at a path of the question, or "".
func (e *Entry) part(path ...string) string {
	var value any = e.Question
	for _, name := range path {
		members, _ := value.(map[string]any)
		value = members[name]
	}
	text, _ := value.(string)
	return text
}

// Subject, Action, Resource, ResourceType, Place and From are parts of the question; "" if it has none.
func (e *Entry) Subject() string { return e.part("subject", "id") }

// Action returns the name of the action.
func (e *Entry) Action() string { return e.part("action", "name") }

// Resource returns the id of the resource.
func (e *Entry) Resource() string { return e.part("resource", "id") }

// ResourceType returns the type of the resource.
func (e *Entry) ResourceType() string { return e.part("resource", "type") }

// Place returns the location that the question names.
func (e *Entry) Place() string { return e.part("resource", "properties", "location") }

// From returns the location where the subject stands, if the question says it.
func (e *Entry) From() string { return e.part("context", "current_location") }

// Summary describes the answer in a few words: the outcome, and the codes and rules of the reasons or the ids of the obligations.
func (e *Entry) Summary() string {
	switch {
	case e.Error != nil:
		return Failed + ": " + e.Error.Kind
	case e.Search != nil:
		more := ""
		if e.Search.More {
			more = " and more"
		}
		return fmt.Sprintf("%s: %d%s", Listed, e.Search.Count, more)
	case e.Answer != nil:
		return e.Answer.String()
	}
	return e.Outcome
}

// String describes the answer in a few words.
func (a *Answer) String() string {
	outcome := Denied
	switch {
	case a.Fault:
		return Failed + ": policy fault"
	case a.Allow:
		outcome = Allowed
	}
	var why []string
	for _, reason := range a.Reasons {
		why = append(why, nameOf(reason, "code", "rule"))
	}
	for _, obligation := range a.Obligations {
		why = append(why, "must "+nameOf(obligation, "type", "id"))
	}
	for _, advice := range a.Advice {
		why = append(why, "advice "+nameOf(advice, "code", "rule"))
	}
	if len(why) > 0 {
		outcome += ": " + strings.Join(why, "; ")
	}
	return outcome
}

// nameOf returns two members of an object, the second in parentheses, or a text as it is.
func nameOf(value any, first, second string) string {
	if text, ok := value.(string); ok {
		return text
	}
	members, _ := value.(map[string]any)
	one, _ := members[first].(string)
	if two, _ := members[second].(string); two != "" {
		one += " (" + two + ")"
	}
	return one
}
