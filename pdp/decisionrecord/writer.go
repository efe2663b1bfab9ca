package decisionrecord

import (
	"strconv"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/decisionpart"
)

// writer writes one record.
type writer struct {
	*keyed
	record  *pdp.Record
	out     []byte
	parts   []decisionpart.Placed // in the place of nulls of out
	comma   bool                  // the next member needs a comma
	tooLong bool
}

// batchItem says which item of a batch a record is about. The zero value is about no batch.
type batchItem struct {
	batch       string
	index, size int
}

// The outcomes of a record.
const (
	Allowed  = "allowed"
	Denied   = "denied"
	Failed   = "error"    // there was no answer
	Listed   = "listed"   // a search was answered
	Answered = "answered" // a document was answered that is not the decision
)

// maxRecord limits the length of a record in bytes.
const maxRecord = 1 << 20

func (w *writer) all(item batchItem) {
	r := w.record
	w.open()
	w.key("id")
	w.out = append(appendID(append(w.out, '"')), '"')
	w.time("time", r.Time)
	w.int("duration_us", r.Duration.Microseconds())
	if p := r.Policy; p != nil {
		w.string("revision", p.Revision().ID)
	}
	w.plain("outcome", outcomeOf(r))
	w.caller(r.Caller)
	if item.size > 0 {
		w.begin("batch")
		w.plain("id", item.batch)
		w.int("index", int64(item.index))
		w.int("size", int64(item.size))
		w.end()
	}
	if r.Document != nil {
		path := make([]string, len(r.Document))
		for i, name := range r.Document {
			path[i] = w.private.code(name)
		}
		w.strings("document", path)
	}
	if r.Question.Subject.Type != "" || r.Question.Resource.Type != "" {
		w.question(&r.Question)
	}
	w.versions()
	switch {
	case r.Facts == nil:
	case w.facts == nil:
		w.bool("facts_left_out", true)
	default:
		w.key("facts")
		w.object(r.Facts.Object(), allFacts)
	}
	w.answer()
	w.end()
	w.tooLong = len(w.out) > maxRecord
}

func outcomeOf(r *pdp.Record) string {
	switch {
	case r.Err != nil || r.Decision.Fault:
		return Failed
	case r.Search != "":
		return Listed
	case r.Document != nil:
		return Answered
	case r.Decision.Allow:
		return Allowed
	}
	return Denied
}

func (w *writer) caller(c pdp.Caller) {
	if c.Door != "" {
		w.code("door", c.Door)
	}
	switch {
	case c.Name == "":
	case isAddress(c.Name):
		w.plain("caller", c.Name)
	default:
		w.string("caller", w.private.hide(c.Name))
	}
	if c.RequestID != "" {
		w.code("request_id", c.RequestID)
	}
}

// isAddress reports whether the name of a caller is an address, or a user and process of this machine.
func isAddress(name string) bool {
	if len(name) > maxIdentifier {
		return false
	}
	for i := range len(name) {
		if !inAddress[name[i]] {
			return false
		}
	}
	return true
}

// inAddress says which bytes an address may contain. None of them is escaped in JSON.
var inAddress = bytesOf(".:[]%=,_-")

func (w *writer) open() { w.out, w.comma = append(w.out, '{'), false }

func (w *writer) end() { w.out, w.comma = append(w.out, '}'), true }

// key writes the name of a member, one of those that are known here.
func (w *writer) key(name string) {
	if w.comma {
		w.out = append(w.out, ',')
	}
	w.out = append(appendPlain(w.out, name), ':')
	w.comma = true
}

// plain writes a text that has nothing to escape.
func (w *writer) plain(name, value string) {
	w.key(name)
	w.out = appendPlain(w.out, value)
}

// code writes what may be kept of a word of the policy or of the protocol, or of the id of a location.
func (w *writer) code(name, value string) {
	w.key(name)
	w.out = w.private.appendCode(w.out, value)
}

func (w *writer) begin(name string) {
	w.key(name)
	w.open()
}

func (w *writer) string(name, value string) {
	w.key(name)
	w.out = authzen.AppendString(w.out, value)
}

func (w *writer) strings(name string, values []string) {
	w.key(name)
	w.out = append(w.out, '[')
	for i, value := range values {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		w.out = authzen.AppendString(w.out, value)
	}
	w.out = append(w.out, ']')
}

func (w *writer) int(name string, n int64) {
	w.key(name)
	w.out = strconv.AppendInt(w.out, n, 10)
}

func (w *writer) bool(name string, b bool) {
	w.key(name)
	w.out = strconv.AppendBool(w.out, b)
}

func (w *writer) time(name string, t time.Time) {
	w.key(name)
	w.out = t.UTC().AppendFormat(append(w.out, '"'), time.RFC3339) // the fastest format
	w.out[len(w.out)-1] = '.'                                      // was Z
	micros := t.Nanosecond() / 1000
	for unit := 100_000; unit > 0; unit /= 10 {
		w.out = append(w.out, byte('0'+micros/unit%10))
	}
	w.out = append(w.out, `Z"`...)
}

// value writes a value that may be kept.
func (w *writer) value(name string, value any) {
	w.key(name)
	out, err := authzen.AppendValue(w.out, value)
	if err != nil { // it was read from JSON, or came from a policy
		out = append(w.out, "null"...)
	}
	w.out = out
}
