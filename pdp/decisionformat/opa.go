package decisionformat

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/decisionrecord"
)

// opaEvent has the members of an event of OPA's decision logs that a record has something for.
type opaEvent struct {
	Labels          map[string]string    `json:"labels"`
	DecisionID      string               `json:"decision_id"`
	BatchDecisionID string               `json:"batch_decision_id,omitempty"`
	Bundles         map[string]opaBundle `json:"bundles,omitempty"`
	Path            string               `json:"path,omitempty"`
	Input           any                  `json:"input,omitempty"`
	Result          any                  `json:"result,omitempty"`
	Erased          []string             `json:"erased,omitempty"`
	Masked          []string             `json:"masked,omitempty"`
	Error           *opaError            `json:"error,omitempty"`
	RequestedBy     string               `json:"requested_by,omitempty"`
	Timestamp       time.Time            `json:"timestamp"`
	Metrics         map[string]int64     `json:"metrics,omitempty"`
	Custom          map[string]any       `json:"custom,omitempty"`
}

type opaBundle struct {
	Revision string `json:"revision"`
}

type opaError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func encodeOPA(o Origin, e *decisionrecord.Entry) ([]byte, error) {
	event := opaEvent{
		Labels:     map[string]string{"app": o.Service, "id": o.Instance, "version": o.Version},
		DecisionID: e.ID, Timestamp: e.Time, RequestedBy: e.Caller, Path: o.Decision,
		Metrics: map[string]int64{"timer_server_handler_ns": e.Micros * 1000},
		Erased:  opaPointers(e.Erased), Masked: opaPointers(e.Masked),
		Custom: map[string]any{"outcome": e.Outcome},
	}
	if e.Revision != "" {
		event.Bundles = map[string]opaBundle{"policy": {e.Revision}}
	}
	if e.Batch != nil {
		event.BatchDecisionID = e.Batch.ID
	}
	if e.Document != nil {
		event.Path = strings.Join(e.Document, "/")
	}
	if e.Question != nil {
		input := make(map[string]any, len(e.Question)+1)
		for name, value := range e.Question {
			input[name] = value
		}
		if e.Facts != nil {
			input["facts"] = e.Facts
		}
		event.Input = input
	}
	switch {
	case e.Error != nil:
		event.Error = &opaError{e.Error.Kind, "The question was not decided."}
	case e.Answer != nil:
		event.Result = e.Answer
	case e.Search != nil:
		event.Result = e.Search
	case e.Value != nil:
		event.Result = *e.Value
	}
	for name, text := range map[string]string{"door": e.Door, "request_id": e.Request} {
		if text != "" {
			event.Custom[name] = text
		}
	}
	return json.Marshal(event)
}

// opaPointers returns the parts of a record that were hidden, as the parts of the event that they would have been.
func opaPointers(list json.RawMessage) []string {
	var pointers []string
	if json.Unmarshal(list, &pointers) != nil { // the policy may have put something else there
		return nil
	}
	for i, pointer := range pointers {
		for _, part := range [][2]string{{"/question", "/input"}, {"/facts", "/input/facts"}, {"/answer", "/result"}, {"/search", "/result"}} {
			if rest, ok := strings.CutPrefix(pointer, part[0]); ok && (rest == "" || rest[0] == '/') {
				pointers[i] = part[1] + rest
				break
			}
		}
	}
	return pointers
}
