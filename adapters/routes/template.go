package routes

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxSegments is the maximum number of segments of a template.
const maxSegments = 64

// segmentKind says what a segment of a template matches.
type segmentKind uint8

const (
	literalSegment   segmentKind = iota // exactly its text
	parameterSegment                    // {name}: one segment that is not empty
	restSegment                         // {name...}: the rest of the path, which may be empty
)

type segment struct {
	kind segmentKind
	text string // the literal, or the name of the parameter
}

// template is a parsed path template. "/" has one segment, the empty literal.
type template []segment

// parseTemplate parses a path template such as /users/{id}/files/{path...}.
func parseTemplate(text string) (template, error) {
	if !strings.HasPrefix(text, "/") {
		return nil, fmt.Errorf("path %q does not begin with a slash: write it as /users/{id}", text)
	}
	if len(text) > maxTarget {
		return nil, fmt.Errorf("path is longer than %d bytes: shorten it", maxTarget)
	}
	parts := strings.Split(text[1:], "/")
	if len(parts) > maxSegments {
		return nil, fmt.Errorf("path has more than %d segments: shorten it", maxSegments)
	}
	t := make(template, len(parts))
	for i, part := range parts {
		s, err := parseSegment(part)
		switch {
		case err != nil:
			return nil, fmt.Errorf("path %q: %w", text, err)
		case s.kind == restSegment && i < len(parts)-1:
			return nil, fmt.Errorf("path %q: {%s...} takes the rest of a path: make it the last segment", text, s.text)
		case s.kind != literalSegment && t.index(s.text) >= 0:
			return nil, fmt.Errorf("path %q: the parameter %s is there twice: rename one of them", text, s.text)
		}
		t[i] = s
	}
	var literals []string
	for _, s := range t {
		if s.kind == literalSegment {
			literals = append(literals, s.text)
		} else {
			literals = append(literals, "x")
		}
	}
	if err := checkSegments("/" + strings.Join(literals, "/")); err != nil {
		return nil, fmt.Errorf("path %q matches no request, because such requests are refused: %s", text, lowerFirst(err.Error()))
	}
	return t, nil
}

func parseSegment(part string) (segment, error) {
	if inner, ok := strings.CutPrefix(part, "{"); ok && strings.HasSuffix(inner, "}") {
		name, rest := strings.CutSuffix(strings.TrimSuffix(inner, "}"), "...")
		if !isIdentifier(name) {
			return segment{}, fmt.Errorf("{%s} is not a parameter: name it with letters, digits and underscores", name)
		}
		if rest {
			return segment{restSegment, name}, nil
		}
		return segment{parameterSegment, name}, nil
	}
	switch i := strings.IndexAny(part, `{}%;?#\`); {
	case i < 0:
		return segment{literalSegment, part}, nil
	case part[i] == '{' || part[i] == '}':
		return segment{}, errors.New("a parameter is a whole segment: put slashes around it")
	case part[i] == '%':
		return segment{}, errors.New("it has a percent sign: write the character itself that is meant")
	default:
		return segment{}, fmt.Errorf("it has %q, which no accepted request has in its path: remove it", part[i])
	}
}

func isIdentifier(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_', c >= '0' && c <= '9' && i > 0:
		default:
			return false
		}
	}
	return s != ""
}

// index returns the index of the segment with the given parameter, or -1.
func (t template) index(parameter string) int {
	return slices.IndexFunc(t, func(s segment) bool { return s.kind != literalSegment && s.text == parameter })
}

// matches reports whether the template matches a decoded path.
func (t template) matches(path string) bool {
	rest, more := path[1:], true
	for _, s := range t {
		if !more {
			return false
		}
		if s.kind == restSegment {
			return true
		}
		var part string
		part, rest, more = strings.Cut(rest, "/")
		if s.kind == literalSegment && part != s.text || s.kind == parameterSegment && part == "" {
			return false
		}
	}
	return !more
}

// parameter returns the value of segment i in a matching path; for a rest segment, all that follows.
func (t template) parameter(path string, i int) string {
	rest := path[1:]
	for range i {
		_, rest, _ = strings.Cut(rest, "/")
	}
	if t[i].kind == restSegment {
		return rest
	}
	part, _, _ := strings.Cut(rest, "/")
	return part
}
