package terminal

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Value formats a decoded JSON value for a cell of a table. null is empty.
func Value(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case []any:
		all := make([]string, 0, len(v))
		for _, element := range v {
			all = append(all, nestedValue(element))
		}
		return strings.Join(all, ", ")
	case map[string]any:
		all := make([]string, 0, len(v))
		for _, name := range slices.Sorted(maps.Keys(v)) {
			all = append(all, name+": "+nestedValue(v[name]))
		}
		return strings.Join(all, ", ")
	}
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(data)
}

// nestedValue puts arrays and objects in brackets.
func nestedValue(value any) string {
	switch value.(type) {
	case []any:
		return "[" + Value(value) + "]"
	case map[string]any:
		return "{" + Value(value) + "}"
	case nil:
		return "null"
	}
	return Value(value)
}
