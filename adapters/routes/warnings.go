package routes

import (
	"cmp"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// Warnings returns what is safe only with some applications, by line:
//   - public routes that take other spellings of paths that are asked about: an application that ignores case or a final
//     slash would answer those without a question;
//   - routes that draw from the query and whose requests have bodies that are not checked: an application that merges query
//     and body could read the value from the body instead;
//   - segments of a path that are parameters in other programs, and only themselves here.
func (t *Table) Warnings() []Fault {
	found := t.otherSpellings()
	for _, r := range t.routes {
		for _, s := range r.template {
			if s.kind == literalSegment && elsewhere.MatchString(s.text) {
				found = append(found, Fault{Line: r.Line, Message: fmt.Sprintf("the segment %s of the path %s takes that text alone: "+
					"write {name} for one segment, and {name...} for the rest of a path", s.text, r.Path)})
			}
		}
		if len(r.drawnQuery) > 0 && !r.DrawsBody && r.sendsBody() {
			found = append(found, Fault{Line: r.Line, Message: fmt.Sprintf("this route draws %s from the query, but its requests have bodies: "+
				"make sure that the application does not take it from there, or draw it from the path", strings.Join(r.drawnQuery, ", "))})
		}
	}
	slices.SortStableFunc(found, func(a, b Fault) int { return cmp.Compare(a.Line, b.Line) })
	return found
}

// elsewhere matches a segment that is a parameter for other programs. $id is not among them: FHIR has operations such as $export.
var elsewhere = regexp.MustCompile(`^(?:\*\*?|:\w+|<\w+>|\[\w+\])$`)

// sendsBody reports whether the route has a method whose requests have bodies.
func (r *route) sendsBody() bool {
	return slices.ContainsFunc(r.Methods, func(method string) bool {
		return method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch
	})
}

func (t *Table) otherSpellings() []Fault {
	var found []Fault
	for _, public := range t.routes {
		if !public.Public {
			continue
		}
		for _, asked := range t.routes {
			if !asked.Public && public.meets(asked) && takesOtherSpelling(public.template, asked.template) {
				found = append(found, Fault{Line: public.Line, Message: fmt.Sprintf("this public route takes other spellings of %s in line %d, "+
					"such as upper case or a final slash: make sure that the application answers none of them, or narrow the path", asked.Path, asked.Line)})
				break
			}
		}
	}
	return found
}

// meets reports whether the routes have a method and a host in common.
func (r *route) meets(other *route) bool {
	if r.Host != "" && other.Host != "" && r.Host != other.Host {
		return false
	}
	for _, method := range other.Methods {
		if r.takes(r.Host, method) {
			return true
		}
	}
	return false
}

// takesOtherSpelling reports whether public matches a path that differs only in case or a final slash from one that asked
// matches.
func takesOtherSpelling(public, asked template) bool {
	differs := false
	for i, s := range public {
		if s.kind == restSegment {
			return true
		}
		if i == len(asked) || asked[i].kind == restSegment {
			return differs
		}
		a := asked[i]
		switch {
		case a.kind != literalSegment:
		case s.kind == parameterSegment:
			differs = differs || a.text != "" && strings.ToUpper(a.text) != a.text
		case !strings.EqualFold(s.text, a.text):
			return false
		default:
			differs = differs || s.text != a.text
		}
	}
	return differs && len(public) == len(asked)
}
