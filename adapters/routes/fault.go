package routes

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Fault is a mistake in a route file.
type Fault struct {
	Line, Column int    // from 1; Column is 0 if it is unknown
	Message      string // what is wrong, and what to do
}

func (f Fault) Error() string {
	if f.Column == 0 {
		return fmt.Sprintf("line %d: %s", f.Line, f.Message)
	}
	return fmt.Sprintf("line %d, column %d: %s", f.Line, f.Column, f.Message)
}

// Faults has every fault of a route file, by position. There is at least one.
type Faults []Fault

func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fault.Error()
	}
	return strings.Join(lines, "\n")
}

// faults collects the faults of a file.
type faults struct{ all Faults }

func (f *faults) add(n *yaml.Node, format string, args ...any) {
	f.all = append(f.all, Fault{max(n.Line, 1), n.Column, fmt.Sprintf(format, args...)})
}

// err returns the faults by position, or nil if there are none.
func (f *faults) err() error {
	if len(f.all) == 0 {
		return nil
	}
	slices.SortStableFunc(f.all, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return f.all
}

// syntaxFault converts an error of the YAML parser, which names a line in its text.
func syntaxFault(err error) Faults {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1
	if n, scanErr := fmt.Sscanf(text, "line %d:", &line); scanErr == nil && n == 1 {
		_, text, _ = strings.Cut(text, ": ")
	}
	if strings.Contains(text, "',' or '}'") {
		text += "; within { } put a path with parameters in quotes"
	}
	return Faults{{Line: max(line, 1), Message: "this is not YAML: " + text}}
}

// lowerFirst turns a sentence for clients into the end of a message: the first letter in lower case, and no full stop.
func lowerFirst(sentence string) string {
	r, size := utf8.DecodeRuneInString(sentence)
	return string(unicode.ToLower(r)) + strings.TrimSuffix(sentence[size:], ".")
}
