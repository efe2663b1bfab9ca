package ask

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
)

// Text formats the decision on a question for people.
func (d *Decision) Text(q *Question) string {
	var b strings.Builder
	line := func(label, text string) {
		fmt.Fprintf(&b, "  %-8s %s\n", label, terminal.Printable(text))
	}
	outcome, may := "ALLOWED", "may"
	if !d.Allow {
		outcome, may = "DENIED", "may not"
	}
	fmt.Fprintf(&b, "%s  %s %s %s\n", outcome, terminal.Printable(q.Subject.ID), may, terminal.Printable(q.sentence()))
	for _, r := range d.reasons {
		line("because", reasonText(r))
	}
	for _, o := range d.obligations {
		line("must", obligationText(o))
	}
	for _, r := range d.advice {
		line("advice", reasonText(r))
	}
	for _, name := range slices.Sorted(maps.Keys(d.other)) {
		line("context", name+": "+valueText(d.other[name]))
	}
	return b.String()
}

// sentence returns the part of the question's sentence after the subject.
func (q *Question) sentence() string {
	s := q.Action.Name + " on "
	if q.Resource.Type != "user" {
		s += q.Resource.Type + " "
	}
	s += q.Resource.ID
	if at, ok := q.Resource.Properties["location"]; ok {
		s += " at " + valueText(at)
	}
	if from, ok := q.Context["current_location"]; ok {
		s += ", from " + valueText(from)
	}
	return s
}

// reasonText formats a reason or an advice: a string, or an object with message, code, rule and other members.
func reasonText(v any) string {
	o, ok := v.(map[string]any)
	if !ok {
		return valueText(v)
	}
	o = maps.Clone(o)
	message, _ := takeString(o, "message")
	code, _ := takeString(o, "code")
	rule, _ := takeString(o, "rule")
	return join(message, append(nonEmpty(code, rule), remaining(o)...))
}

// obligationText formats an obligation that has the form of the AuthZEN profile.
func obligationText(v any) string {
	o, ok := v.(map[string]any)
	if !ok {
		return valueText(v)
	}
	o = maps.Clone(o)
	id, _ := takeString(o, "id")
	kind, _ := takeString(o, "type")
	p, _ := o["properties"].(map[string]any)
	if p != nil {
		delete(o, "properties")
	}
	p = maps.Clone(p)
	text := kind
	switch kind {
	case "custom":
		if action, ok := takeString(p, "action"); ok {
			text = action
		}
		if cause, ok := takeString(p, "cause"); ok {
			text += ": " + cause
		}
	case "notification":
		text = "notify"
		if to, ok := takeString(p, "to"); ok {
			text += " " + to
		}
		if channel, ok := takeString(p, "channel"); ok {
			text += " by " + channel
		}
		if body, ok := takeString(p, "body"); ok {
			text += ": " + body
		}
	case "session_termination":
		text = "end the sessions"
		if subject, ok := takeString(p, "subject"); ok {
			text += " of " + subject
		}
		if organization, ok := takeString(p, "organization"); ok {
			text += " in " + organization
		}
	}
	details := nonEmpty(id)
	if text != kind {
		details = append(details, nonEmpty(kind)...)
	}
	return join(text, slices.Concat(details, remaining(p), remaining(o)))
}

// takeString removes and returns a member that is a string. It leaves any other member for remaining.
func takeString(o map[string]any, name string) (string, bool) {
	s, ok := o[name].(string)
	if ok {
		delete(o, name)
	}
	return s, ok
}

// remaining formats the members that are left, sorted by name.
func remaining(o map[string]any) []string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(o)) {
		parts = append(parts, name+" "+valueText(o[name]))
	}
	return parts
}

// join appends the details to a text, in parentheses.
func join(text string, details []string) string {
	switch {
	case len(details) == 0:
		return text
	case text == "":
		return strings.Join(details, ", ")
	}
	return text + "  (" + strings.Join(details, ", ") + ")"
}

func nonEmpty(parts ...string) []string {
	return slices.DeleteFunc(parts, func(s string) bool { return s == "" })
}

// valueText returns a string unchanged, a list of strings joined with commas, and any other value as JSON.
func valueText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.RawMessage:
		var s string
		if json.Unmarshal(v, &s) == nil {
			return s
		}
		return string(v)
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			s, ok := e.(string)
			if !ok {
				return string(encode(v))
			}
			parts[i] = s
		}
		return strings.Join(parts, ", ")
	}
	return string(encode(v))
}
