package decisionrecord

import (
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// answer writes what was answered.
func (w *writer) answer() {
	r := w.record
	switch {
	case r.Err != nil:
		w.begin("error")
		w.string("kind", string(pdp.KindOf(r.Err)))
		w.end()
	case r.Search != "":
		w.search()
	case r.Document != nil:
		if value, ok := r.Value.(bool); ok { // anything else may be free text
			w.bool("value", value)
		}
	default:
		w.value("answer", answerOf(w.private, &r.Decision, w.usernames()))
	}
}

// usernames returns the usernames that the answer may contain, which must be replaced even if they look like ids.
func (w *writer) usernames() []string {
	names := []string{facts.String(w.record.Question.Action.Properties, "username")}
	if f := w.record.Facts; f != nil {
		for _, u := range []*facts.User{f.Subject, f.User} {
			if u != nil {
				names = append(names, u.Username())
			}
		}
	}
	return names
}

// answerOf returns what may be kept of a decision.
func answerOf(p *private, d *pdp.Decision, usernames []string) map[string]any {
	a := answered{p, usernames}
	answer := map[string]any{"allow": d.Allow}
	if len(d.Reasons) > 0 {
		answer["reasons"] = a.value("", d.Reasons)
	}
	if len(d.Obligations) > 0 {
		all := make([]any, len(d.Obligations))
		for i, o := range d.Obligations {
			all[i] = map[string]any{"id": p.code(o.ID), "type": p.code(o.Type), "properties": a.value("", o.Properties)}
		}
		answer["obligations"] = all
	}
	if len(d.Advice) > 0 {
		answer["advice"] = a.value("", d.Advice)
	}
	if d.Fault {
		answer["fault"] = true
	}
	return answer
}

// answered keeps parts of an answer.
type answered struct {
	*private
	usernames []string
}

// Members of answers that are text for people, which the codes beside them stand for.
var texts = map[string]bool{"message": true, "body": true}

// Members of answers that are words of the policy or ids of locations. Anything else may be the id of a person.
var words = map[string]bool{
	"": true, "code": true, "rule": true, "id": true, "type": true, "action": true, "cause": true, "topic": true, "channel": true, "field": true,
	"area": true, "role": true, "level": true, "location": true, "locations": true, "organization": true, "acr_value": true, "amr_values": true,
}

// value returns what may be kept of a member of an answer.
func (a *answered) value(name string, value any) any {
	switch value := value.(type) {
	case string:
		return a.text(name, value)
	case []any:
		all := make([]any, len(value))
		for i := range value {
			all[i] = a.value(name, value[i])
		}
		return all
	case map[string]any:
		kept := make(map[string]any, len(value))
		for member, inner := range value {
			if !texts[member] {
				kept[a.code(member)] = a.value(member, inner)
			}
		}
		return kept
	}
	return value // a number, true, false or null
}

func (a *answered) text(name, text string) string {
	if words[name] {
		return a.code(text)
	}
	for _, username := range a.usernames {
		if text == username {
			return a.hide(text)
		}
	}
	return a.id(text)
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
	version := func(kind, id string, version uint64) {
		if w.comma {
			w.out = append(w.out, ',')
		}
		w.open()
		w.string("type", kind)
		w.string("id", id)
		w.int("version", int64(version))
		w.end()
	}
	if root := f.Governing(); root != nil {
		version("organization", w.private.code(root.Organization()), view.OrganizationFreshness(root.Root()).Version)
	}
	if f.Subject != nil {
		version("user", w.private.id(f.Subject.ID()), view.UserFreshness(f.Subject).Version)
	}
	if f.User != nil && f.User != f.Subject {
		version("user", w.private.id(f.User.ID()), view.UserFreshness(f.User).Version)
	}
	w.out, w.comma = append(w.out, ']'), true
}
