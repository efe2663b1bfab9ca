package decisionrecord

import (
	"slices"
	"strconv"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// answer writes what was answered.
func (w *writer) answer() {
	r := w.record
	switch {
	case r.Err != nil:
		w.begin("error")
		w.plain("kind", string(pdp.KindOf(r.Err)))
		w.end()
	case r.Search != "":
		w.search()
	case r.Document != nil:
		if value, ok := r.Value.(bool); ok { // anything else may be free text
			w.bool("value", value)
		}
	default:
		w.key("answer")
		w.out = appendAnswer(w.out, w.private, &r.Decision, w.usernames())
	}
}

// usernames are those of a question and its people, "" for those that are missing.
type usernames [3]string

// usernames returns the usernames that the answer may contain, which must be replaced even if they look like ids.
func (w *writer) usernames() (names usernames) {
	names[0] = facts.String(w.record.Question.Action.Properties, "username")
	if f := w.record.Facts; f != nil {
		if f.Subject != nil {
			names[1] = f.Subject.Username()
		}
		if f.User != nil {
			names[2] = f.User.Username()
		}
	}
	return names
}

// appendAnswer appends what may be kept of a decision. Members are sorted.
func appendAnswer(out []byte, p *private, d *pdp.Decision, names usernames) []byte {
	a := answered{p, names}
	out = append(out, '{')
	if len(d.Advice) > 0 {
		out = append(a.append(append(out, `"advice":`...), "", d.Advice), ',')
	}
	out = strconv.AppendBool(append(out, `"allow":`...), d.Allow)
	if d.Fault {
		out = append(out, `,"fault":true`...)
	}
	if len(d.Obligations) > 0 {
		out = append(out, `,"obligations":`...)
		for i, o := range d.Obligations {
			out = append(out, "[,"[min(i, 1)])
			out = p.appendCode(append(out, `{"id":`...), o.ID)
			out = a.append(append(out, `,"properties":`...), "", o.Properties)
			out = append(p.appendCode(append(out, `,"type":`...), o.Type), '}')
		}
		out = append(out, ']')
	}
	if len(d.Reasons) > 0 {
		out = a.append(append(out, `,"reasons":`...), "", d.Reasons)
	}
	return append(out, '}')
}

// answered keeps parts of an answer.
type answered struct {
	*private
	usernames usernames
}

// Members of answers that are text for people, which the codes beside them stand for.
var texts = map[string]bool{"message": true, "body": true}

// Members of answers that are words of the policy or ids of locations. Anything else may be the id of a person.
var words = map[string]bool{
	"": true, "code": true, "rule": true, "id": true, "type": true, "action": true, "cause": true, "topic": true, "channel": true, "field": true,
	"area": true, "role": true, "level": true, "location": true, "locations": true, "organization": true, "acr_value": true, "amr_values": true,
}

// append appends what may be kept of a member of an answer.
func (a *answered) append(out []byte, name string, value any) []byte {
	switch value := value.(type) {
	case string:
		return a.text(out, name, value)
	case []any:
		out = append(out, '[')
		for i := range value {
			if i > 0 {
				out = append(out, ',')
			}
			out = a.append(out, name, value[i])
		}
		return append(out, ']')
	case map[string]any:
		return a.appendMembers(out, value)
	}
	appended, err := authzen.AppendValue(out, value) // a number, true, false or null
	if err != nil {                                  // it came from a policy
		return append(out, "null"...)
	}
	return appended
}

func (a *answered) appendMembers(out []byte, members map[string]any) []byte {
	var few [8]string
	names := few[:0]
	for name := range members {
		if !texts[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	out = append(out, '{')
	for i, name := range names {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(a.appendCode(out, name), ':')
		out = a.append(out, name, members[name])
	}
	return append(out, '}')
}

func (a *answered) text(out []byte, name, text string) []byte {
	if words[name] {
		return a.appendCode(out, text)
	}
	if slices.Contains(a.usernames[:], text) {
		return a.appendHidden(out, text)
	}
	return a.appendID(out, text)
}

// search writes the hits of a search.
func (w *writer) search() {
	r := w.record
	w.begin("search")
	w.string("for", r.Search)
	w.int("count", int64(len(r.Result.Hits)))
	w.bool("more", r.Result.Page != nil && r.Result.Page.NextToken != "")
	ids := make([]string, len(r.Result.Hits))
	for i, hit := range r.Result.Hits {
		switch {
		case hit.Name != "":
			ids[i] = w.private.code(hit.Name)
		case hit.Type == "location":
			ids[i] = w.private.code(hit.ID)
		default:
			ids[i] = w.private.id(hit.ID)
		}
	}
	w.strings("hits", ids)
	w.end()
}

// versions writes the versions of the records that the facts are made of.
func (w *writer) versions() {
	f, view := w.record.Facts, w.record.View
	if f == nil || view == nil {
		return
	}
	w.key("versions")
	w.out = append(w.out, '[')
	w.comma = false
	for r := range f.Records(view) {
		if w.comma {
			w.out = append(w.out, ',')
		}
		w.open()
		if r.User != nil {
			w.plain("type", "user")
			w.key("id")
			w.out = w.private.appendID(w.out, r.User.ID())
		} else {
			w.plain("type", "organization")
			w.code("id", r.Root.ID())
		}
		w.int("version", int64(r.Version))
		w.end()
	}
	w.out, w.comma = append(w.out, ']'), true
}
