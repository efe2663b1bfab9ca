package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// question is an AuthZEN evaluation as the command line words it. Values written as JSON go out as they were written,
// so that the server judges them, and no number is rounded on the way.
type question struct{ authzen.Evaluation }

// wording is what the flags of ask say about the question.
type wording struct {
	subjectType, resourceType                   string
	at, from                                    string
	actionSet, subjectSet, resourceSet, context []string
}

func (w wording) question(subject, name, resource string) (*question, error) {
	if subject == "" || name == "" || resource == "" {
		return nil, fmt.Errorf("SUBJECT, ACTION and RESOURCE must not be empty")
	}
	q := &question{authzen.Evaluation{
		Subject:  authzen.Entity{Type: w.subjectType, ID: subject},
		Action:   authzen.Action{Name: name},
		Resource: authzen.Entity{Type: w.resourceType, ID: resource},
	}}
	if q.Resource.Type == "" {
		q.Resource.Type = resourceType(name)
	}
	resourceSet, context := w.resourceSet, w.context
	if w.at != "" {
		resourceSet = append(slices.Clone(resourceSet), "location="+quote(w.at))
	}
	if w.from != "" {
		context = append(slices.Clone(context), "current_location="+quote(w.from))
	}
	var err error
	for _, part := range []struct {
		flag  string
		pairs []string
		into  *map[string]any
	}{
		{"--subject-set", w.subjectSet, &q.Subject.Properties},
		{"--set", w.actionSet, &q.Action.Properties},
		{"--resource-set", resourceSet, &q.Resource.Properties},
		{"--context", context, &q.Context},
	} {
		if *part.into, err = members(part.pairs); err != nil {
			return nil, fmt.Errorf("%s %w", part.flag, err)
		}
	}
	return q, nil
}

// resourceType is what the actions of the built-in policies are asked on; --type says otherwise.
func resourceType(action string) string {
	switch action {
	case "user.list", "location.switch", "incident.view", "summary.view", "area.access":
		return "location"
	case "patient.view":
		return "patient"
	}
	if strings.HasPrefix(action, "entity.") {
		return "location"
	}
	return "user"
}

// members makes an object of KEY=VALUE pairs. A dot in a key goes one object down. A value that is JSON counts as
// such, and any other is a string.
func members(pairs []string) (map[string]any, error) {
	var root map[string]any
	for _, pair := range pairs {
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, fmt.Errorf("%q: write it as KEY=VALUE", pair)
		}
		if root == nil {
			root = map[string]any{}
		}
		if err := insert(root, strings.Split(key, "."), value); err != nil {
			return nil, fmt.Errorf("%q: %w", pair, err)
		}
	}
	return root, nil
}

func insert(object map[string]any, path []string, value string) error {
	name := path[0]
	old, taken := object[name]
	switch {
	case name == "":
		return fmt.Errorf("a name is missing before the equals sign or beside a dot")
	case len(path) == 1 && taken:
		return fmt.Errorf("%s is given twice", name)
	case len(path) == 1:
		if json.Valid([]byte(value)) {
			object[name] = json.RawMessage(value)
		} else {
			object[name] = value
		}
		return nil
	}
	inner, ok := old.(map[string]any)
	if taken && !ok {
		return fmt.Errorf("%s is given as a value and as an object", name)
	}
	if !taken {
		inner = map[string]any{}
		object[name] = inner
	}
	return insert(inner, path[1:], value)
}

func quote(s string) string { return string(encode(s)) }

// encode writes a value that cannot fail to be JSON, and leaves <, > and & as they are.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return []byte(err.Error())
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}
