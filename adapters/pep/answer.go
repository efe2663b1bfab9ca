package pep

import (
	"errors"
	"fmt"
	"maps"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// Obligation is a task that the application must perform together with an action (pdp/OBLIGATIONS.md).
type Obligation struct {
	ID         string         `json:"id"`
	Type       string         `json:"type"`
	Properties map[string]any `json:"properties"`
}

// Kind returns the key of the handler that the obligation needs: its type, or for a custom obligation also its action, as in
// "custom/confirm".
func (o Obligation) Kind() string {
	if o.Type != custom {
		return o.Type
	}
	action, _ := o.Properties["action"].(string)
	return custom + "/" + action
}

const custom = "custom"

// Reason is one reason for a denial, or one piece of advice.
type Reason struct {
	Code    string
	Message string // a sentence for the person
	Rule    string
	More    map[string]any // the other members, such as "field" or "locations"; nil if there are none
}

// MarshalJSON implements [json.Marshaler]. It writes an object with all members that are not empty.
func (r Reason) MarshalJSON() ([]byte, error) {
	members := maps.Clone(r.More)
	if members == nil {
		members = map[string]any{}
	}
	for name, text := range map[string]string{"code": r.Code, "message": r.Message, "rule": r.Rule} {
		if text != "" {
			members[name] = text
		}
	}
	return authzen.AppendValue(nil, members)
}

// answer is an interpreted response.
type answer struct {
	allow           bool
	reasons, advice []Reason
	obligations     []Obligation
}

// read interprets a response. It returns an error if the decision point could not decide or sent malformed obligations:
// neither counts as an answer (PEP-1, PEP-4).
func read(r authzen.Response) (answer, error) {
	if problem := r.Context["error"]; problem != nil {
		return answer{}, fmt.Errorf("the decision point could not decide%s", statusOf(problem))
	}
	obligations, err := obligationsOf(r.Context["obligations"])
	if err != nil {
		return answer{}, err
	}
	reasons := reasonsOf(r.Context["reasons"])
	if len(reasons) == 0 {
		reasons = reasonsOf(r.Context["reason_user"])
	}
	return answer{r.Decision, reasons, reasonsOf(r.Context["advice"]), obligations}, nil
}

// statusOf describes the status in the error of an evaluation. It omits the message, which may repeat the question.
func statusOf(problem any) string {
	members, _ := problem.(map[string]any)
	if status := members["status"]; status != nil {
		return fmt.Sprintf(": status %.20v", status)
	}
	return ""
}

func obligationsOf(value any) ([]Obligation, error) {
	if value == nil {
		return nil, nil
	}
	list, ok := value.([]any)
	if !ok {
		return nil, errors.New("the decision point sent obligations that are not a list")
	}
	obligations := make([]Obligation, len(list))
	for i, element := range list {
		members, _ := element.(map[string]any)
		o := Obligation{}
		o.ID, _ = members["id"].(string)
		o.Type, _ = members["type"].(string)
		o.Properties, ok = members["properties"].(map[string]any)
		if o.ID == "" || o.Type == "" || !ok && members["properties"] != nil {
			return nil, fmt.Errorf("the decision point sent a malformed obligation at index %d", i)
		}
		if o.Properties == nil {
			o.Properties = map[string]any{}
		}
		obligations[i] = o
	}
	return obligations, nil
}

// reasonsOf reads reasons that are objects or strings, and AuthZEN's reason_user, a map from a status or a language to a
// text. It skips what it does not understand, because a denial needs no reason.
func reasonsOf(value any) []Reason {
	var reasons []Reason
	switch value := value.(type) {
	case []any:
		for _, element := range value {
			switch element := element.(type) {
			case string:
				reasons = append(reasons, Reason{Message: element})
			case map[string]any:
				var r Reason
				r.Code, _ = element["code"].(string)
				r.Message, _ = element["message"].(string)
				r.Rule, _ = element["rule"].(string)
				for name, value := range element {
					if name == "code" || name == "message" || name == "rule" {
						continue
					}
					if r.More == nil {
						r.More = map[string]any{}
					}
					r.More[name] = value
				}
				if r.Code != "" || r.Message != "" || r.Rule != "" {
					reasons = append(reasons, r)
				}
			}
		}
	case map[string]any:
		for _, key := range sortedKeys(value) {
			if text, ok := value[key].(string); ok {
				return []Reason{{Message: text}}
			}
		}
	}
	return reasons
}
