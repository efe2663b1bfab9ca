package proof

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// outcomeTexts says what two answers are that differ: in their codes and ids, or where those are the same in everything.
func outcomeTexts(a, b *ast.Term) (string, string) {
	if x, y := outcomeText(a), outcomeText(b); x != y {
		return x, y
	}
	if x, y := outcome(a, true), outcome(b, true); x != y {
		return x, y
	}
	return a.String(), b.String()
}

// outcomeText says what an answer is, in the codes and ids of its parts.
func outcomeText(answer *ast.Term) string { return outcome(answer, false) }

// outcome is [outcomeText], with everything that the parts say where it is to be whole.
func outcome(answer *ast.Term, whole bool) string {
	allow, _, ok := read(answer)
	if !ok {
		if answer != nil {
			return fmt.Sprintf("an error, which denies: %v", pdp.CheckAnswer(answer))
		}
		return "no answer, which denies"
	}
	text := "denied"
	if allow {
		text = "allowed"
	}
	object, isObject := answer.Value.(ast.Object)
	if !isObject {
		return text
	}
	var plain struct{ Reasons, Obligations, Advice []outcomePart }
	value, err := ast.JSON(object)
	if err == nil {
		var data []byte
		if data, err = json.Marshal(value); err == nil {
			err = json.Unmarshal(data, &plain)
		}
	}
	if err != nil {
		return answer.String()
	}
	var parts []string
	for _, reason := range plain.Reasons {
		switch {
		case reason == nil && len(plain.Reasons) > 1:
			parts = append(parts, "perhaps others")
		case reason == nil:
			parts = append(parts, "for some reason")
		default:
			parts = append(parts, reason.text("code", "rule", whole))
		}
	}
	for _, o := range plain.Obligations {
		parts = append(parts, "must "+o.text("type", "id", whole))
	}
	for _, a := range plain.Advice {
		parts = append(parts, "advice "+a.text("code", "rule", whole))
	}
	if len(parts) == 0 {
		return text
	}
	return text + ": " + strings.Join(parts, "; ")
}

// outcomePart is a reason, an obligation or an advice; nil is one that is not told apart from others.
type outcomePart map[string]any

// text names a part by two of its members, and where it is to be whole adds the others.
func (p outcomePart) text(name, by string, whole bool) string {
	text := fmt.Sprintf("%v (%v)", p[name], p[by])
	if !whole {
		return text
	}
	for _, other := range slices.Sorted(maps.Keys(p)) {
		if other != name && other != by {
			text += ", " + said(other, p[other])
		}
	}
	return text
}

// said says a member and its value; those of a value that has members itself are said one by one.
func said(name string, value any) string {
	members, isObject := value.(map[string]any)
	if text, isText := value.(string); isText {
		return name + " " + strconv.Quote(text)
	} else if !isObject || len(members) == 0 {
		data, _ := json.Marshal(value) // it was JSON
		return name + " " + string(data)
	}
	var all []string
	for _, member := range slices.Sorted(maps.Keys(members)) {
		all = append(all, said(name+" "+member, members[member]))
	}
	return strings.Join(all, ", ")
}
