package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// answer is an AuthZEN decision, read without regard for what a server might add.
type answer struct {
	allow       bool
	reasons     []any
	obligations []any
	advice      []any
	other       map[string]any // of the context
	raw         []byte         // on one line
}

var errNoDecision = errors.New("the answer is no decision")

// readAnswer takes only what is clearly a decision: anything else must not pass for one. Obligations that cannot be read
// cannot be met.
func readAnswer(body []byte) (*answer, error) {
	response, err := authzen.DecodeResponse(body)
	if err != nil {
		return nil, errNoDecision
	}
	a := &answer{allow: response.Decision, other: response.Context}
	for name, list := range map[string]*[]any{
		"reasons": &a.reasons, "obligations": &a.obligations, "advice": &a.advice,
	} {
		if l, ok := a.other[name].([]any); ok {
			*list = l
			delete(a.other, name)
		}
	}
	if a.other["obligations"] != nil {
		return nil, fmt.Errorf("%w: its obligations are no list", errNoDecision)
	}
	var line bytes.Buffer
	if err := json.Compact(&line, body); err != nil {
		return nil, errNoDecision
	}
	a.raw = line.Bytes()
	return a, nil
}

// text is the answer as a person wants to read it.
func (a *answer) text(q *question) string {
	var b strings.Builder
	line := func(label, text string) {
		fmt.Fprintf(&b, "  %-8s %s\n", label, printable(text))
	}
	verdict, may := "ALLOWED", "may"
	if !a.allow {
		verdict, may = "DENIED", "may not"
	}
	fmt.Fprintf(&b, "%s  %s %s %s\n", verdict, printable(q.Subject.ID), may, printable(q.sentence()))
	for _, r := range a.reasons {
		line("because", remark(r))
	}
	for _, o := range a.obligations {
		line("must", duty(o))
	}
	for _, r := range a.advice {
		line("advice", remark(r))
	}
	for _, name := range slices.Sorted(maps.Keys(a.other)) {
		line("context", name+": "+plain(a.other[name]))
	}
	return b.String()
}

func (q *question) sentence() string {
	s := q.Action.Name + " on "
	if q.Resource.Type != "user" {
		s += q.Resource.Type + " "
	}
	s += q.Resource.ID
	if at, ok := q.Resource.Properties["location"]; ok {
		s += " at " + plain(at)
	}
	if from, ok := q.Context["current_location"]; ok {
		s += ", from " + plain(from)
	}
	return s
}

// remark words a reason or an advice: a string, or an object with a message, a code, a rule and whatever else.
func remark(v any) string {
	o, ok := v.(map[string]any)
	if !ok {
		return plain(v)
	}
	o = maps.Clone(o)
	message, _ := take(o, "message")
	code, _ := take(o, "code")
	rule, _ := take(o, "rule")
	return join(message, append(nonEmpty(code, rule), rest(o)...))
}

// duty words an obligation in the shape of the AuthZEN profile.
func duty(v any) string {
	o, ok := v.(map[string]any)
	if !ok {
		return plain(v)
	}
	o = maps.Clone(o)
	id, _ := take(o, "id")
	kind, _ := take(o, "type")
	p, _ := o["properties"].(map[string]any)
	if p != nil {
		delete(o, "properties")
	}
	p = maps.Clone(p)
	text := kind
	switch kind {
	case "custom":
		if action, ok := take(p, "action"); ok {
			text = action
		}
		if cause, ok := take(p, "cause"); ok {
			text += ": " + cause
		}
	case "notification":
		text = "notify"
		if to, ok := take(p, "to"); ok {
			text += " " + to
		}
		if channel, ok := take(p, "channel"); ok {
			text += " by " + channel
		}
		if body, ok := take(p, "body"); ok {
			text += ": " + body
		}
	case "session_termination":
		text = "end the sessions"
		if subject, ok := take(p, "subject"); ok {
			text += " of " + subject
		}
		if organization, ok := take(p, "organization"); ok {
			text += " in " + organization
		}
	}
	brackets := nonEmpty(id)
	if text != kind {
		brackets = append(brackets, nonEmpty(kind)...)
	}
	return join(text, slices.Concat(brackets, rest(p), rest(o)))
}

// take removes a member that is a string; any other stays for rest.
func take(o map[string]any, name string) (string, bool) {
	s, ok := o[name].(string)
	if ok {
		delete(o, name)
	}
	return s, ok
}

func rest(o map[string]any) []string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(o)) {
		parts = append(parts, name+" "+plain(o[name]))
	}
	return parts
}

func join(text string, brackets []string) string {
	switch {
	case len(brackets) == 0:
		return text
	case text == "":
		return strings.Join(brackets, ", ")
	}
	return text + "  (" + strings.Join(brackets, ", ") + ")"
}

func nonEmpty(parts ...string) []string {
	return slices.DeleteFunc(parts, func(s string) bool { return s == "" })
}

// plain is a string as it is, a list of strings with commas, and anything else as JSON.
func plain(v any) string {
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
