package httpapi

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

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
	metrics      map[string]any  // nil where nobody asked
	missingInput bool            // warns of an input that was perhaps forgotten
}

func (r *response) append(out []byte) ([]byte, error) {
	m := members{out: out}
	if r.status != "" {
		m.value("http_status_code", r.status)
	}
	if r.metrics != nil {
		m.value("metrics", r.metrics)
	}
	if p := r.provenance; p != nil {
		told := map[string]any{
			"version":        p.OPA,
			"build_commit":   p.Commit,
			"build_hostname": p.Host,
			"bundles":        map[string]any{p.Bundle: map[string]any{"revision": cmp.Or(p.Label, p.Revision)}},
		}
		if p.Built != "" { // clients want a time there, or nothing
			told["build_timestamp"] = p.Built
		}
		m.value("provenance", told)
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
	metrics    map[string]any  // of all together; nil where nobody asked
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
	out = append(out, '}')
	if b.metrics != nil {
		if out, err = authzen.AppendValue(append(out, `,"metrics":`...), b.metrics); err != nil {
			return out, unwritable(err)
		}
	}
	return append(out, '}'), nil
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

// dress gives an answer the form that the caller asks for: indented, compressed.
func (x *exchange) dress(query url.Values) error {
	if err := x.indent(query); err != nil {
		return err
	}
	x.zip()
	return nil
}

// minZipped is the least bytes that are worth compressing, as in OPA.
const minZipped = 1024

// zippers saves the compressors, which are large, from one answer to the next.
var zippers = sync.Pool{New: func() any {
	w, err := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is one
	}
	return w
}}

// zip compresses the answer, where it is long and the caller takes gzip.
func (x *exchange) zip() {
	h := x.w.Header()
	h.Add("Vary", "Accept-Encoding")
	if len(x.out) < minZipped || !takesGzip(x.r.Header["Accept-Encoding"]) {
		return
	}
	w := zippers.Get().(*gzip.Writer)
	defer zippers.Put(w)
	var out bytes.Buffer
	w.Reset(&out)
	_, _ = w.Write(x.out) // a buffer takes everything
	_ = w.Close()
	x.out = out.Bytes()
	h.Set("Content-Encoding", "gzip")
}

// takesGzip reads Accept-Encoding (RFC 9110, section 12.5.3).
func takesGzip(acceptEncoding []string) bool {
	for coding := range strings.SplitSeq(strings.Join(acceptEncoding, ","), ",") {
		name, parameter, _ := strings.Cut(coding, ";")
		if name = strings.ToLower(strings.TrimSpace(name)); name != "gzip" && name != "x-gzip" {
			continue
		}
		weight, weighted := strings.CutPrefix(strings.ReplaceAll(strings.ToLower(parameter), " ", ""), "q=")
		return !weighted || strings.Trim(weight, "0.") != ""
	}
	return false
}

// timing is what took how long, in OPA's words.
type timing struct{ start, readAt, evaluatedAt time.Time }

func begun() timing { return timing{start: time.Now()} }

func (t *timing) read()      { t.readAt = time.Now() }
func (t *timing) evaluated() { t.evaluatedAt = time.Now() }

func (t *timing) metrics() map[string]any {
	return map[string]any{
		"timer_rego_input_parse_ns": t.readAt.Sub(t.start).Nanoseconds(),
		"timer_rego_query_eval_ns":  t.evaluatedAt.Sub(t.readAt).Nanoseconds(),
		"timer_server_handler_ns":   time.Since(t.start).Nanoseconds(),
	}
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
