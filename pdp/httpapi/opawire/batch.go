package opawire

import (
	"maps"
	"net/http"
	"strconv"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

const (
	// maxCommonInput limits the size of the common input times the number of inputs, in bytes.
	maxCommonInput = 2 << 20
	// maxBatchResponse limits the response to a batch, in bytes.
	maxBatchResponse = 8 << 20
)

// BatchInputs returns the inputs of a batch by name, each merged with the common input.
func BatchInputs(members map[string]any) (map[string]any, error) {
	inputs, ok := members["inputs"].(map[string]any)
	switch {
	case !ok:
		return nil, invalid(`The member "inputs" is missing or not an object: send an object with an input for each name.`)
	case len(inputs) > authzen.MaxEvaluations:
		return nil, invalid(`The member "inputs" has too many inputs: send at most ` + strconv.Itoa(authzen.MaxEvaluations) + " in a request.")
	}
	common, ok := members["common_input"].(map[string]any)
	switch {
	case !ok && members["common_input"] != nil:
		return nil, invalid(`The member "common_input" is not an object: send an object, or leave it out.`)
	case len(common) == 0:
		return inputs, nil
	}
	encoded, err := authzen.AppendValue(nil, common)
	switch {
	case err != nil:
		return nil, err
	case len(encoded)*len(inputs) > maxCommonInput:
		return nil, invalid(`The member "common_input" is too large for so many inputs: send fewer in a request.`)
	}
	for name, input := range inputs {
		inputs[name] = merge(common, input)
	}
	return inputs, nil
}

// merge returns input with the members of common that it lacks. Objects are merged at every level; any other value of
// input replaces that of common. Neither argument is modified.
func merge(common, input any) any {
	c, isObject := common.(map[string]any)
	i, bothObjects := input.(map[string]any)
	if !isObject || !bothObjects {
		return input
	}
	merged := maps.Clone(c)
	for name, value := range i {
		if commonValue, ok := c[name]; ok {
			value = merge(commonValue, value)
		}
		merged[name] = value
	}
	return merged
}

// BatchResponse is the response to a batch.
type BatchResponse struct {
	Items      []BatchItem     // in the order of the response
	Provenance *pdp.Provenance // nil if not requested
	Metrics    map[string]any  // of the whole batch; nil if not requested
}

// BatchItem is the response for one input: either Answer or Err is set.
type BatchItem struct {
	Name   string
	Answer *pdp.DataAnswer
	Err    *Error
}

// Status returns the HTTP status: 200 without errors, 500 if all inputs failed, and 207 if some did.
func (b *BatchResponse) Status() int {
	failed := 0
	for i := range b.Items {
		if b.Items[i].Err != nil {
			failed++
		}
	}
	switch failed {
	case 0:
		return http.StatusOK
	case len(b.Items):
		return http.StatusInternalServerError
	}
	return http.StatusMultiStatus
}

// Append appends the response as JSON. The error is of kind [pdp.Invalid] if the response is too large; any other error
// means that a value cannot be encoded.
func (b *BatchResponse) Append(out []byte) (_ []byte, err error) {
	mixed := b.Status() == http.StatusMultiStatus // then each item has a status of its own
	out = append(out, `{"responses":{`...)
	for i := range b.Items {
		if len(out) > maxBatchResponse {
			return out, invalid("The response would be too large: send fewer inputs in a request.")
		}
		if i > 0 {
			out = append(out, ',')
		}
		item := &b.Items[i]
		out = append(authzen.AppendString(out, item.Name), ':')
		r := Response{Answer: item.Answer, Provenance: b.Provenance}
		switch {
		case item.Err != nil && mixed:
			out = append(item.Err.appendMembers(append(out, `{"http_status_code":"500",`...)), '}')
			continue
		case item.Err != nil:
			out = item.Err.Append(out)
			continue
		case mixed:
			r.status = "200"
		}
		if out, err = r.Append(out); err != nil {
			return out, err
		}
	}
	out = append(out, '}')
	if b.Metrics != nil {
		if out, err = authzen.AppendValue(append(out, `,"metrics":`...), b.Metrics); err != nil {
			return out, err
		}
	}
	return append(out, '}'), nil
}
