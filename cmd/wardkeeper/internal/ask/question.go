package ask

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// Question is an AuthZEN evaluation request. Property values in JSON are sent as written, so that no number is rounded.
type Question struct{ authzen.Evaluation }

// Options are the optional parts of a question, as given by flags. Properties are KEY=VALUE pairs.
type Options struct {
	SubjectType, ResourceType                                        string
	Location, CurrentLocation                                        string
	ActionProperties, SubjectProperties, ResourceProperties, Context []string
}

// Question returns the question whether subject may do action on resource. Its errors name the flags of `wardkeeper ask`.
func (o Options) Question(subject, action, resource string) (*Question, error) {
	if subject == "" || action == "" || resource == "" {
		return nil, errors.New("SUBJECT, ACTION and RESOURCE must not be empty")
	}
	q := &Question{authzen.Evaluation{
		Subject:  authzen.Entity{Type: o.SubjectType, ID: subject},
		Action:   authzen.Action{Name: action},
		Resource: authzen.Entity{Type: o.ResourceType, ID: resource},
	}}
	if q.Resource.Type == "" {
		q.Resource.Type = resourceType(action)
	}
	resourceProperties, context := o.ResourceProperties, o.Context
	if o.Location != "" {
		resourceProperties = append(slices.Clone(resourceProperties), "location="+quote(o.Location))
	}
	if o.CurrentLocation != "" {
		context = append(slices.Clone(context), "current_location="+quote(o.CurrentLocation))
	}
	var err error
	for _, part := range []struct {
		flag   string
		pairs  []string
		object *map[string]any
	}{
		{"--subject-set", o.SubjectProperties, &q.Subject.Properties},
		{"--set", o.ActionProperties, &q.Action.Properties},
		{"--resource-set", resourceProperties, &q.Resource.Properties},
		{"--context", context, &q.Context},
	} {
		if *part.object, err = parseObject(part.pairs); err != nil {
			return nil, fmt.Errorf("%s %w", part.flag, err)
		}
	}
	return q, nil
}

// resourceType returns the resource type of an action of the built-in policy.
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

// parseObject returns an object with the KEY=VALUE pairs, or nil if there are none. A dot in a key nests. A value that is valid
// JSON is used as JSON, any other value as a string.
func parseObject(pairs []string) (map[string]any, error) {
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
	old, exists := object[name]
	switch {
	case name == "":
		return errors.New("a name is missing before the equals sign or next to a dot")
	case len(path) == 1 && exists:
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
	if exists && !ok {
		return fmt.Errorf("%s is given both as a value and as an object", name)
	}
	if !exists {
		inner = map[string]any{}
		object[name] = inner
	}
	return insert(inner, path[1:], value)
}

func quote(s string) string { return string(encode(s)) }

// encode encodes a value as JSON without escaping <, > and &.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil { // impossible for the values of a question
		return []byte(err.Error())
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}
