package opawire

import (
	"cmp"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// Error is an error in the format of OPA's API.
type Error struct{ Code, Message string }

// Append appends the error as JSON.
func (e *Error) Append(out []byte) []byte { return append(e.appendMembers(append(out, '{')), '}') }

func (e *Error) appendMembers(out []byte) []byte {
	out = authzen.AppendString(append(out, `"code":`...), e.Code)
	return authzen.AppendString(append(out, `,"message":`...), e.Message)
}

// Response is the response with one document, alone or in a batch.
type Response struct {
	Answer       *pdp.DataAnswer
	Provenance   *pdp.Provenance // nil if not requested
	Metrics      map[string]any  // nil if not requested
	MissingInput bool            // adds the warning that the client may have forgotten the input
	status       string          // HTTP status of this document, in a batch with both successes and failures
}

// Append appends the response as JSON. An error means that a value cannot be encoded.
func (r *Response) Append(out []byte) ([]byte, error) {
	w := authzen.ObjectWriter{Buf: out}
	if r.status != "" {
		w.Value("http_status_code", r.status)
	}
	if r.Metrics != nil {
		w.Value("metrics", r.Metrics)
	}
	if p := r.Provenance; p != nil {
		provenance := map[string]any{
			"version":        p.OPA,
			"build_commit":   p.Commit,
			"build_hostname": p.Host,
			"bundles":        map[string]any{p.Bundle: map[string]any{"revision": cmp.Or(p.Label, p.Revision)}},
		}
		if p.Built != "" { // clients cannot parse an empty time
			provenance["build_timestamp"] = p.Built
		}
		w.Value("provenance", provenance)
	}
	if r.Answer.Defined {
		w.Value("result", r.Answer.Value)
	}
	if text := r.warning(); text != "" {
		w.Value("warning", map[string]any{"code": "api_usage_warning", "message": text})
	}
	return w.Close()
}

// warning describes a likely mistake of the client. It returns "" if there is none.
func (r *Response) warning() string {
	switch {
	case r.MissingInput:
		return "'input' key missing from the request"
	case r.Answer.NotQuestion != nil:
		return "The input is not an AuthZEN evaluation and was evaluated as sent, without facts. " + r.Answer.NotQuestion.Error()
	}
	return ""
}

// Timer measures the phases of a request that OPA reports as metrics.
type Timer struct{ start, parsed, evaluated time.Time }

// NewTimer starts a timer.
func NewTimer() Timer { return Timer{start: time.Now()} }

// Parsed records the end of the parsing.
func (t *Timer) Parsed() { t.parsed = time.Now() }

// Evaluated records the end of the evaluation.
func (t *Timer) Evaluated() { t.evaluated = time.Now() }

// Metrics returns the durations so far, in nanoseconds, under the names that OPA uses.
func (t *Timer) Metrics() map[string]any {
	return map[string]any{
		"timer_rego_input_parse_ns": t.parsed.Sub(t.start).Nanoseconds(),
		"timer_rego_query_eval_ns":  t.evaluated.Sub(t.parsed).Nanoseconds(),
		"timer_server_handler_ns":   time.Since(t.start).Nanoseconds(),
	}
}
