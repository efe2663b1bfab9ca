package mutant

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// module is a file of rules.
type module struct {
	bundles.File
	parsed *ast.Module
}

func parse(files []bundles.File) ([]module, error) {
	var rules []bundles.File
	for _, f := range files {
		if bundles.IsPolicyFile(f.Name) && strings.HasSuffix(f.Name, ".rego") {
			rules = append(rules, f)
		}
	}
	parsed, err := bundles.ParseModules(rules)
	if err != nil {
		return nil, err
	}
	var all []module
	for _, p := range parsed {
		all = append(all, module{bundles.File{Name: p.URL, Data: p.Raw}, p.Parsed})
	}
	return all, nil
}

// constantsOf returns the constants of all modules.
func constantsOf(modules []module) columns {
	found := columns{}
	for _, m := range modules {
		w := walker{constant: func(t *ast.Term, in column) {
			if text, ok := t.Value.(ast.String); ok && in != "" {
				found.add(in, string(text))
			}
		}}
		w.module(m.parsed)
	}
	return found
}

// mutants returns the mutants of a module. Each is an edit of its text, so that lines stay what they are.
func (m module) mutants(seen columns) []Mutant {
	e := editor{module: m, seen: seen}
	w := walker{rule: e.rule, expr: e.expr, constant: e.constant, collection: e.collection}
	w.enter = func(r *ast.Rule) { e.at = r.Head.Ref().String() }
	w.module(m.parsed)
	return e.found
}

// editor makes mutants out of what a walker visits.
type editor struct {
	module
	seen  columns
	at    string // the rule that is visited
	found []Mutant
}

// replace adds the mutant that has another text in a place.
func (e *editor) replace(at *ast.Location, offset, length int, with, change string) {
	source := e.Data
	e.found = append(e.found, Mutant{Name: e.Name, Line: at.Row, At: e.at, Change: change, apply: func() ([]byte, error) {
		return slices.Concat(source[:offset], []byte(with), source[offset+length:]), nil
	}})
}

// isWritten reports whether a location is that of a text in the file; what the parser adds has none.
func (e *editor) isWritten(at *ast.Location) bool {
	return at != nil && len(at.Text) > 0 && at.Offset+len(at.Text) <= len(e.Data) && bytes.Equal(e.Data[at.Offset:at.Offset+len(at.Text)], at.Text)
}

// rule adds the mutant in which a rule, or a branch of one, never holds.
func (e *editor) rule(r *ast.Rule) {
	if !e.isWritten(r.Location) {
		return
	}
	text, _, _ := strings.Cut(string(r.Location.Text), "\n")
	change := "never holds: " + quote(text)
	first := r.Body[0]
	switch value := r.Head.Value; {
	case r.Default:
		length := value.Location.Offset + len(value.Location.Text) - r.Location.Offset
		e.replace(r.Location, r.Location.Offset, length, "", "left out: "+quote(string(e.Data[r.Location.Offset:][:length])))
	case first.Generated || !e.isWritten(first.Location) || string(first.Location.Text) == string(r.Location.Text): // it has no body
		e.replace(r.Location, endOf(r), 0, " if false", change)
	case bytes.HasSuffix(bytes.TrimSpace(e.Data[:first.Location.Offset]), []byte("{")):
		e.replace(r.Location, first.Location.Offset, 0, "false; ", change)
	default:
		e.replace(r.Location, first.Location.Offset, len(first.Location.Text), "false", change)
	}
}

// endOf returns the offset behind a rule without a body.
func endOf(r *ast.Rule) int {
	end := r.Location.Offset + len(r.Location.Text)
	if r.Else != nil && r.Else.Location != nil {
		end = r.Else.Location.Offset
	}
	return end
}

// expr adds the mutants of a condition.
func (e *editor) expr(x *ast.Expr) {
	at := x.Location
	if x.Generated || !e.isWritten(at) || x.IsAssignment() {
		return
	}
	if _, declares := x.Terms.(*ast.SomeDecl); declares {
		return
	}
	text := string(at.Text)
	e.replace(at, at.Offset, len(text), "true", "left out: "+quote(text))
	if positive, negated := strings.CutPrefix(text, "not "); negated {
		e.replace(at, at.Offset, len("not "), "", "negated: "+quote(text)+" becomes "+quote(positive))
	} else {
		e.replace(at, at.Offset, 0, "not ", "negated: "+quote(text))
	}
	terms, ok := x.Terms.([]*ast.Term)
	if !ok || !e.isWritten(terms[0].Location) {
		return
	}
	operator := terms[0].Location
	if other, compares := neighbours[string(operator.Text)]; compares {
		e.replace(at, operator.Offset, len(operator.Text), other, quote(string(operator.Text))+" becomes "+quote(other)+" in "+quote(text))
	}
}

// neighbours are the comparisons that differ in one value.
var neighbours = map[string]string{"<": "<=", "<=": "<", ">": ">=", ">=": ">"}

// constant adds the mutant with another constant.
func (e *editor) constant(t *ast.Term, in column) {
	at := t.Location
	if !e.isWritten(at) {
		return
	}
	was, is := string(at.Text), ""
	switch v := t.Value.(type) {
	case ast.String:
		if v, err := strconv.Unquote(was); err != nil || v != string(t.Value.(ast.String)) {
			return // part of a template or generated
		}
		is = strconv.Quote(e.seen.other(in, string(v)))
	case ast.Boolean:
		is = strconv.FormatBool(!bool(v))
		if was != strconv.FormatBool(bool(v)) {
			return
		}
	case ast.Number:
		n, ok := v.Int()
		if !ok || was != strconv.Itoa(n) {
			return
		}
		is = strconv.Itoa(n + 1)
	case ast.Null:
		if is = "false"; was != "null" {
			return
		}
	}
	e.replace(at, at.Offset, len(was), is, quote(was)+" becomes "+quote(is))
}

// collection adds the mutants that lack an element of a list or set.
func (e *editor) collection(elements []*ast.Term, of *ast.Term) {
	if len(elements) < 2 || !e.isWritten(of.Location) {
		return
	}
	for _, element := range elements {
		at := element.Location
		if !e.isWritten(at) {
			continue
		}
		start, end := at.Offset, at.Offset+len(at.Text)
		if after := bytes.TrimLeft(e.Data[end:], " \t\n"); bytes.HasPrefix(after, []byte(",")) {
			end = len(e.Data) - len(after) + 1
		} else {
			start = bytes.LastIndexByte(e.Data[:start], ',')
		}
		e.replace(at, start, end-start, "", "left out: "+quote(string(at.Text))+" of "+quote(string(of.Location.Text)))
	}
}
