package ask

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// Decision is an AuthZEN decision. It keeps the members that a server added.
type Decision struct {
	Allow bool
	JSON  []byte // the whole answer on one line

	reasons, obligations, advice []any
	other                        map[string]any // the rest of the context
}

var errNoDecision = errors.New("the answer is not a decision")

// Take removes a member that a server added to the context, and decodes it; given is false if there is none.
func (d *Decision) Take(name string, into any) (given bool, err error) {
	member, given := d.other[name]
	if !given {
		return false, nil
	}
	data, err := json.Marshal(member)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	delete(d.other, name)
	return true, err
}

// Decode decodes a decision strictly. It rejects anything ambiguous, and obligations that it cannot decode: a client could not
// fulfill them.
func Decode(body []byte) (*Decision, error) {
	response, err := authzen.DecodeResponse(body)
	if err != nil {
		return nil, errNoDecision
	}
	d := &Decision{Allow: response.Decision, other: response.Context}
	for name, list := range map[string]*[]any{
		"reasons": &d.reasons, "obligations": &d.obligations, "advice": &d.advice,
	} {
		if l, ok := d.other[name].([]any); ok {
			*list = l
			delete(d.other, name)
		}
	}
	if d.other["obligations"] != nil {
		return nil, fmt.Errorf("%w: its obligations are not a list", errNoDecision)
	}
	var line bytes.Buffer
	if err := json.Compact(&line, body); err != nil {
		return nil, errNoDecision
	}
	d.JSON = line.Bytes()
	return d, nil
}
