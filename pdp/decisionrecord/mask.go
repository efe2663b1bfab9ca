package decisionrecord

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// always are the members that no policy can hide. They are all that a record keeps if the policy's mask fails.
var always = []string{"id", "time", "revision", "outcome"}

// mask removes and replaces what the policy hides of a record, and lists it under erased and masked, as OPA does.
func mask(ctx context.Context, p *pdp.Policy, encoded []byte) ([]byte, error) {
	var record map[string]any
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.UseNumber()
	if err := decoder.Decode(&record); err != nil {
		return nil, err
	}
	masks, err := p.Mask(ctx, record)
	if err == nil {
		err = apply(record, masks)
	}
	if err != nil {
		if ctx.Err() != nil { // which says nothing about the mask
			return nil, err
		}
		only := map[string]any{"mask_failed": true}
		for _, name := range always {
			if value, ok := record[name]; ok {
				only[name] = value
			}
		}
		record = only
	}
	return json.Marshal(record)
}

func apply(record map[string]any, masks []pdp.Mask) error {
	erased, masked := []any{}, []any{}
	for _, m := range masks {
		path, err := parsePointer(m.Path)
		if err != nil {
			return err
		}
		switch changed := change(record, path, m); {
		case changed && m.Replace:
			masked = append(masked, m.Path)
		case changed:
			erased = append(erased, m.Path)
		}
	}
	if len(erased) > 0 {
		record["erased"] = erased
	}
	if len(masked) > 0 {
		record["masked"] = masked
	}
	return nil
}

// parsePointer parses a JSON pointer (RFC 6901).
func parsePointer(pointer string) ([]string, error) {
	rest, ok := strings.CutPrefix(pointer, "/")
	if !ok {
		return nil, errors.New("a path of the mask does not begin with /")
	}
	path := strings.Split(rest, "/")
	for i, name := range path {
		path[i] = strings.ReplaceAll(strings.ReplaceAll(name, "~1", "/"), "~0", "~")
	}
	for _, name := range always {
		if path[0] == name {
			return nil, errors.New("the mask hides a member that every record has")
		}
	}
	return path, nil
}

// change removes or replaces the value at a path. It returns false if there is none.
func change(value any, path []string, m pdp.Mask) bool {
	last := len(path) == 1
	switch value := value.(type) {
	case map[string]any:
		inner, ok := value[path[0]]
		switch {
		case last && m.Replace:
			value[path[0]] = m.Value
			return true
		case last && ok:
			delete(value, path[0])
			return true
		case ok && !last:
			return change(inner, path[1:], m)
		}
	case []any:
		i, err := strconv.Atoi(path[0])
		switch {
		case err != nil || i < 0 || i >= len(value):
		case last && m.Replace:
			value[i] = m.Value
			return true
		case last:
			value[i] = nil // the others keep their places
			return true
		default:
			return change(value[i], path[1:], m)
		}
	}
	return false
}
