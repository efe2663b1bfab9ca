package httpapi

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// opaError is the form of errors that clients of OPA's API read: {"code", "message"}.
func opaError(out []byte, f fault) []byte {
	return append(appendCode(append(out, '{'), f), '}')
}

func appendCode(out []byte, f fault) []byte {
	out = authzen.AppendString(append(out, `"code":`...), f.code)
	return authzen.AppendString(append(out, `,"message":`...), f.message)
}

// appendResult writes a document itself.
func appendResult(out []byte, a *pdp.DataAnswer) ([]byte, error) {
	return authzen.AppendValue(out, a.Value)
}

// response is the answer with one document, alone or in a batch.
type response struct {
	answer       *pdp.DataAnswer
	status       string          // its own, in a batch of which some failed
	provenance   *pdp.Provenance // nil where nobody asked
	missingInput bool            // warns of an input that was perhaps forgotten
}

func (r *response) append(out []byte) ([]byte, error) {
	m := members{out: out}
	if r.status != "" {
		m.value("http_status_code", r.status)
	}
	if p := r.provenance; p != nil {
		m.value("provenance", map[string]any{
			"version": p.OPA,
			"bundles": map[string]any{p.Bundle: map[string]any{"revision": cmp.Or(p.Label, p.Revision)}},
		})
	}
	if r.answer.Defined {
		m.value("result", r.answer.Value)
	}
	if text := r.warning(); text != "" {
		m.value("warning", map[string]any{"code": "api_usage_warning", "message": text})
	}
	return m.end()
}

// warning says what a client may have meant otherwise, "" where there is nothing.
func (r *response) warning() string {
	switch {
	case r.missingInput:
		return "'input' key missing from the request"
	case r.answer.Unasked != nil:
		return "The input is no AuthZEN question, and was evaluated as sent, without facts. " + r.answer.Unasked.Error()
	}
	return ""
}

// maxAnswer is the most bytes that a batch may be answered with.
const maxAnswer = 8 << 20

// maxIndented is the most bytes that are made readable for people.
const maxIndented = 1 << 20

// batchResponse is the answer with a document for each name.
type batchResponse struct {
	names      []string
	answers    []pdp.DataAnswer
	provenance *pdp.Provenance // nil where nobody asked
}

func (b *batchResponse) append(out []byte) (_ []byte, err error) {
	mixed := b.status() == http.StatusMultiStatus
	out = append(out, `{"responses":{`...)
	for i, name := range b.names {
		if len(out) > maxAnswer {
			return out, invalid("The answers are too long together: send fewer inputs in a request.")
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(authzen.AppendString(out, name), ':')
		r := response{answer: &b.answers[i], provenance: b.provenance}
		switch {
		case r.answer.Err != nil && mixed:
			out = append(appendCode(append(out, `{"http_status_code":"500",`...), faultOf(r.answer.Err)), '}')
			continue
		case r.answer.Err != nil:
			out = opaError(out, faultOf(r.answer.Err))
			continue
		case mixed:
			r.status = "200"
		}
		if out, err = r.append(out); err != nil {
			return out, unwritable(err)
		}
	}
	return append(out, "}}"...), nil
}

func (b *batchResponse) status() int {
	failed := 0
	for i := range b.answers {
		if b.answers[i].Err != nil {
			failed++
		}
	}
	switch failed {
	case 0:
		return http.StatusOK
	case len(b.answers):
		return http.StatusInternalServerError
	}
	return http.StatusMultiStatus
}

// firstFault is the first failure of ours: one line of the log for a whole batch.
func (b *batchResponse) firstFault() fault {
	for i := range b.answers {
		if err := b.answers[i].Err; err != nil {
			if f := faultOf(err); f.status >= http.StatusInternalServerError {
				return f
			}
		}
	}
	return fault{}
}

// indent makes the answer readable for people, where they ask for that.
func (x *exchange) indent(query url.Values) error {
	if !asked(query, "pretty") || len(x.out) > maxIndented {
		return nil
	}
	var out bytes.Buffer
	if err := json.Indent(&out, x.out, "", "  "); err != nil {
		return unwritable(err)
	}
	x.out = append(out.Bytes(), '\n')
	return nil
}
