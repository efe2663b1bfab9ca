package routes

import (
	"fmt"
	"strings"
)

// Warnings returns what is probably not meant, though it is no fault: public routes that take other spellings of paths that are
// asked about. An application that ignores case or a final slash would answer them as if they had been allowed.
func (t *Table) Warnings() []Fault {
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

// meets reports whether both routes are for a common method at a common host.
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

// takesOtherSpelling reports whether a template matches a path that another template matches but for case or a final slash.
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
