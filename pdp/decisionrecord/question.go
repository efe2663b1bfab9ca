package decisionrecord

import (
	"maps"
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// keep returns what a record may hold of a member's value.
type keep func(p *private, value any) any

// What records hold of a question, by the names of members. Other members are left out.
var (
	actionMembers = map[string]keep{
		"role": oneCode, "new_role": oneCode, "profession": oneCode, "level": oneCode, "area": oneCode, "areas": switches,
		"new": onlyOutline, "password_supplied": onlyOutline, "registration_number": onlyOutline, "name": fullName,
		"username": oneUsername, "username_confirmation": oneUsername,
		"new_location": oneCode, "system": oneCode, "locations": codes,
	}
	resourceMembers = map[string]keep{"location": oneCode, "locations": codes}
	contextMembers  = map[string]keep{"current_location": oneCode, "confirmed": onlyOutline, "supported_obligations": codes, "include": codes}
)

func onlyOutline(_ *private, value any) any { return outline(value) }

func oneCode(p *private, value any) any {
	if text, ok := value.(string); ok {
		return p.code(text)
	}
	return outline(value)
}

func oneUsername(p *private, value any) any {
	if text, ok := value.(string); ok {
		return p.username(text)
	}
	return outline(value)
}

func codes(p *private, value any) any {
	list, ok := value.([]any)
	if !ok {
		return outline(value)
	}
	all := make([]any, len(list))
	for i := range list {
		all[i] = oneCode(p, list[i])
	}
	return all
}

// switches keeps an object of true and false by codes.
func switches(p *private, value any) any {
	members, ok := value.(map[string]any)
	if !ok {
		return outline(value)
	}
	kept := make(map[string]any, len(members))
	for name, on := range members {
		kept[p.code(name)] = outline(on)
	}
	return kept
}

// fullName keeps which parts of a name are given.
func fullName(_ *private, value any) any {
	members, ok := value.(map[string]any)
	if !ok {
		return outline(value)
	}
	kept := map[string]any{}
	for _, part := range []string{"given", "family", "title"} {
		if value, given := members[part]; given {
			kept[part] = outline(value)
		}
	}
	return kept
}

// maxLeftOut limits the names of members that are listed as left out.
const maxLeftOut = 20

// question writes what may be kept of a question. In a search, a part of it is empty.
func (w *writer) question(r *pdp.Request) {
	p := w.private
	var left []string
	leave := func(part string, names map[string]any, kept map[string]keep) {
		for name := range names {
			if kept[name] == nil && isIdentifier(name) && len(left) < maxLeftOut {
				left = append(left, part+name)
			}
		}
	}
	w.begin("question")
	w.begin("subject")
	w.code("type", r.Subject.Type)
	if r.Subject.ID != "" {
		w.key("id")
		w.out = p.appendID(w.out, r.Subject.ID)
	}
	w.end()
	leave("subject.properties.", r.Subject.Properties, nil)
	if r.Action.Name != "" {
		w.begin("action")
		w.code("name", r.Action.Name)
		w.members("properties", r.Action.Properties, actionMembers)
		w.end()
		leave("action.properties.", r.Action.Properties, actionMembers)
	}
	w.begin("resource")
	w.code("type", r.Resource.Type)
	if r.Resource.ID != "" {
		w.key("id")
		w.out = w.resourceID(w.out, r.Resource.Type, r.Resource.ID)
	}
	w.members("properties", r.Resource.Properties, resourceMembers)
	w.end()
	leave("resource.properties.", r.Resource.Properties, resourceMembers)
	w.members("context", r.Context, contextMembers)
	leave("context.", r.Context, contextMembers)
	w.end()
	if len(left) > 0 {
		slices.Sort(left)
		w.strings("left_out", left)
	}
}

// resourceID appends what may be kept of the id of a resource. Pseudonyms are not for locations. A user may be named by username.
func (w *writer) resourceID(out []byte, kind, id string) []byte {
	if kind == "location" {
		return w.private.appendCode(out, id)
	}
	f := w.record.Facts
	byUsername := f != nil && f.User != nil && f.User.ID() != id ||
		strings.EqualFold(id, facts.String(w.record.Question.Action.Properties, "username"))
	if kind == "user" && byUsername {
		return w.private.appendHidden(out, id)
	}
	return w.private.appendID(out, id)
}

// members writes the members that may be kept. An object that had members stays one.
func (w *writer) members(name string, members map[string]any, kept map[string]keep) {
	if members == nil {
		return
	}
	w.begin(name)
	if len(members) <= 1 {
		for member, value := range members {
			if keep := kept[member]; keep != nil {
				w.value(member, keep(w.private, value))
			}
		}
	} else {
		for _, member := range slices.Sorted(maps.Keys(members)) {
			if keep := kept[member]; keep != nil {
				w.value(member, keep(w.private, members[member]))
			}
		}
	}
	w.end()
}
