package facts

import (
	"encoding/json"

	"github.com/wardkeeper/wardkeeper/bundles/input"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// Share finds the objects that several of the questions share, to build them only once. An object that is equal to that of the
// question before is replaced by it. The candidates of a search share all objects of the question: pass it twice.
func (b *Builder) Share(questions []authzen.Evaluation) {
	for i := 1; i < len(questions); i++ {
		q, before := &questions[i], &questions[i-1]
		shareEqual(&q.Subject.Properties, before.Subject.Properties)
		shareEqual(&q.Action.Properties, before.Action.Properties)
		shareEqual(&q.Resource.Properties, before.Resource.Properties)
		shareEqual(&q.Context, before.Context)
	}
	seen := map[sharedKey]bool{}
	add := func(part, action string, members map[string]any) {
		if len(members) == 0 {
			return
		}
		key := keyOf(part, action, members)
		if !seen[key] {
			seen[key] = true
			return
		}
		if b.sharedParts == nil {
			b.sharedParts = map[sharedKey]*input.Object{}
		}
		b.sharedParts[key] = nil
	}
	for _, r := range questions {
		add(subjectProperties, r.Action.Name, r.Subject.Properties)
		add(actionProperties, r.Action.Name, r.Action.Properties)
		add(resourceProperties, r.Action.Name, r.Resource.Properties)
		add(questionContext, r.Action.Name, r.Context)
		add(locationsOfAction, r.Action.Name, r.Action.Properties)
		add(locationsOfResource, r.Action.Name, r.Resource.Properties)
	}
}

func shareEqual(members *map[string]any, before map[string]any) {
	if len(*members) > 0 && equalMembers(*members, before) {
		*members = before
	}
}

func equalMembers(a, b map[string]any) bool {
	if len(a) != len(b) {
		return false
	}
	for name, value := range a {
		other, has := b[name]
		if !has || !equal(value, other) {
			return false
		}
	}
	return true
}

// equal reports whether two values of JSON are certainly the same.
func equal(a, b any) bool {
	switch a := a.(type) {
	case nil:
		return b == nil
	case string:
		b, ok := b.(string)
		return ok && a == b
	case bool:
		b, ok := b.(bool)
		return ok && a == b
	case json.Number:
		b, ok := b.(json.Number)
		return ok && a == b
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && (a == nil) == (b == nil) && equalMembers(a, b)
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) || (a == nil) != (b == nil) {
			return false
		}
		for i := range a {
			if !equal(a[i], b[i]) {
				return false
			}
		}
		return true
	}
	return false
}
