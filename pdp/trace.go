package pdp

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/wardkeeper/wardkeeper/bundles/input"
)

// maxTraced limits each list of what was traced.
const maxTraced = 200

// Rule is a rule of the policy, with the place where it is written.
type Rule struct {
	Rule    string `json:"rule"`
	At      string `json:"at"`                // FILE:LINE
	Default bool   `json:"default,omitempty"` // it held because no other of its name did
	// Failed is the expression at At that did not hold; "" if the rule did.
	Failed string `json:"failed,omitempty"`
}

// Fact is a part of the input, or a cell of a table, that rules read.
type Fact struct {
	Path  string `json:"path"`            // such as input.facts.user.status
	Value any    `json:"value,omitempty"` // nil: there is none, or it is omitted
	At    string `json:"at,omitempty"`    // the file and line of a cell in YAML, or of what it is in
	// Omitted says that the value is too long to be told.
	Omitted bool `json:"omitted,omitempty"`
}

// maxValue is the maximum length of a value in an explanation, in bytes of JSON.
const maxValue = 4 << 10

// factOf returns what is told of a value.
func factOf(path string, value ast.Value) (Fact, bool) {
	if lengthOf(value, maxValue) > maxValue {
		return Fact{Path: path, Omitted: true}, true
	}
	v, err := ast.JSON(value)
	return Fact{Path: path, Value: v}, err == nil
}

// tracer notes which rules held, which expressions did not, and what they read. It is not safe for concurrent use.
type tracer struct {
	paths  map[ast.Value]ast.Ref // the objects and lists of the input and of the tables
	input  *ast.Term
	data   ast.Value       // nil: what is read of the tables is not told
	held   map[string]bool // that held, by place
	fired  []Rule
	tried  map[uint64]*attempt // by query
	order  []*attempt          // in the order of their beginning
	reads  []reading
	isRead map[string]bool
}

// reading is a value that was read.
type reading struct {
	path string
	ref  ast.Ref
}

// attempt is one try of a rule.
type attempt struct {
	rule   *ast.Rule
	facts  map[int]bool // the lines on which it reads facts
	failed *ast.Expr
	index  int
}

// trace evaluates the decision on an input, and returns what was noted; what was read of the tables only if it is asked for.
func (p *Policy) trace(ctx context.Context, in *input.Object, withTables bool) (*tracer, error) {
	// A copy: each object of it is at one path.
	value, err := ast.JSON(in.Term().Value)
	if err != nil {
		return nil, err
	}
	copied, err := ast.InterfaceToValue(value)
	if err != nil {
		return nil, err
	}
	t := &tracer{paths: map[ast.Value]ast.Ref{}, input: ast.NewTerm(copied), held: map[string]bool{},
		tried: map[uint64]*attempt{}, isRead: map[string]bool{}}
	if withTables {
		if t.data, err = p.revision.Data(ctx); err != nil {
			return nil, err
		}
		t.index(t.data, dataRef)
	}
	t.index(copied, inputRef)
	if _, err := p.decision.Trace(ctx, input.Of(t.input), t); err != nil {
		return nil, &Error{Kind: Internal, Message: "The policy could not be evaluated.", Err: redact(err)}
	}
	return t, nil
}

// index notes the path of each object and list.
func (t *tracer) index(v ast.Value, at ast.Ref) {
	switch v := v.(type) {
	case ast.Object:
		t.paths[v] = at
		v.Foreach(func(key, value *ast.Term) { t.index(value.Value, at.Append(key)) })
	case *ast.Array:
		t.paths[v] = at
		for i := range v.Len() {
			t.index(v.Elem(i).Value, at.Append(ast.IntNumberTerm(i)))
		}
	}
}

// Enabled implements [topdown.QueryTracer].
func (t *tracer) Enabled() bool { return true }

// Config implements [topdown.QueryTracer].
func (t *tracer) Config() topdown.TraceConfig { return topdown.TraceConfig{} }

// TraceEvent implements [topdown.QueryTracer].
func (t *tracer) TraceEvent(e topdown.Event) {
	switch node := e.Node.(type) {
	case *ast.Rule:
		switch e.Op {
		case topdown.EnterOp:
			a := &attempt{rule: node, facts: map[int]bool{}, index: -1}
			t.tried[e.QueryID] = a
			t.order = append(t.order, a)
		case topdown.ExitOp:
			at := placeOf(node.Location)
			if !t.held[at] && len(t.fired) < maxTraced {
				t.fired = append(t.fired, Rule{Rule: nameOf(node), At: at, Default: node.Default})
			}
			t.held[at] = true
		}
	case *ast.Expr:
		a := t.tried[e.QueryID]
		switch {
		case e.Op == topdown.EvalOp:
			if t.read(node, e) && a != nil && node.Location != nil {
				a.facts[node.Location.Row] = true
			}
		case e.Op == topdown.FailOp && a != nil && node.Location != nil && node.Index >= a.index && a.facts[node.Location.Row]:
			a.failed, a.index = node, node.Index
		}
	}
}

// read notes what an expression reads, and reports whether a fact is among it. The model is none: it says which rules are asked at all.
func (t *tracer) read(expr *ast.Expr, e topdown.Event) (fact bool) {
	visitor := ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.ArrayComprehension, *ast.SetComprehension, *ast.ObjectComprehension, *ast.Every:
			return true // has expressions of its own
		case *ast.Term:
			switch v := x.Value.(type) {
			case ast.Var, ast.Ref:
				fact = t.readTerm(e.Plug(x)) || fact
				_, isVar := v.(ast.Var)
				return isVar
			}
		}
		return false
	})
	visitor.Walk(expr)
	return fact
}

// readTerm notes a value that was read: one of the input, or a cell of a table.
func (t *tracer) readTerm(term *ast.Term) (fact bool) {
	ref, isRef := term.Value.(ast.Ref)
	if !isRef {
		ref = ast.Ref{term}
	}
	if at := t.pathOf(ref[0].Value); at != nil {
		ref = at.Concat(ref[1:])
	}
	if len(ref) < 2 || !ref.HasPrefix(inputRef) && !ref.HasPrefix(dataRef) {
		return false
	}
	ref = ref.GroundPrefix()
	path := ref.String()
	if !t.isRead[path] && len(t.reads) < maxTraced*maxTraced {
		t.isRead[path] = true
		t.reads = append(t.reads, reading{path, ref})
	}
	return ref.HasPrefix(factsRef) && !ref.HasPrefix(modelRef)
}

// The documents that rules read.
var (
	inputRef = ast.InputRootRef
	dataRef  = ast.DefaultRootRef
	factsRef = ast.Ref{ast.InputRootDocument, ast.StringTerm("facts")}
	modelRef = factsRef.Append(ast.StringTerm("model"))
)

// pathOf returns the path of an object or list of the input; nil if it is none.
func (t *tracer) pathOf(v ast.Value) ast.Ref {
	switch v.(type) {
	case ast.Object, *ast.Array:
		return t.paths[v]
	}
	return nil
}

// facts returns what was read of the input, without the objects of which members were read.
func (t *tracer) facts() []Fact {
	var facts []Fact
	for _, r := range t.reads {
		if !r.ref.HasPrefix(inputRef) || len(facts) == maxTraced {
			continue
		}
		value, err := t.input.Value.Find(r.ref[1:])
		if err != nil {
			facts = append(facts, Fact{Path: r.path})
			continue
		}
		if t.pathOf(value) != nil && t.readsWithin(r.ref) {
			continue
		}
		if f, ok := factOf(r.path, value); ok {
			facts = append(facts, f)
		}
	}
	return facts
}

// cells returns the cells of tables that were read.
func (t *tracer) cells(position positioner) []Fact {
	var cells []Fact
	for _, r := range t.reads {
		if t.data == nil || !r.ref.HasPrefix(dataRef) || t.readsWithin(r.ref) || len(cells) == maxTraced {
			continue
		}
		value, err := t.data.Find(r.ref[1:])
		if err != nil {
			continue // what a rule makes, or a cell that there is not
		}
		if f, ok := factOf(r.path, value); ok {
			f.At = writtenAt(position, r.ref)
			cells = append(cells, f)
		}
	}
	return cells
}

func (t *tracer) readsWithin(of ast.Ref) bool {
	return slices.ContainsFunc(t.reads, func(r reading) bool { return len(r.ref) > len(of) && r.ref.HasPrefix(of) })
}

// failed returns the rules of which no try held, each with the expression at which it got furthest, provided that it read a fact:
// what the question alone decides is what the rule is about.
func (t *tracer) failed() []Rule {
	furthest := map[string]*attempt{}
	var order []string
	for _, a := range t.order {
		at := placeOf(a.rule.Location)
		if t.held[at] || a.failed == nil {
			continue
		}
		if furthest[at] == nil {
			order = append(order, at)
		}
		if best := furthest[at]; best == nil || a.index > best.index {
			furthest[at] = a
		}
	}
	var failed []Rule
	for _, at := range order {
		a := furthest[at]
		if len(failed) < maxTraced {
			failed = append(failed, Rule{Rule: nameOf(a.rule), At: placeOf(a.failed.Location), Failed: textOf(a.failed)})
		}
	}
	return failed
}

func nameOf(r *ast.Rule) string {
	return r.Module.Package.Path.Extend(r.Head.Ref()).GroundPrefix().String()
}

func placeOf(at *ast.Location) string {
	if at == nil {
		return ""
	}
	return fmt.Sprintf("%s:%d", strings.TrimPrefix(at.File, "/"), at.Row)
}

// textOf returns an expression as it is written, on one line.
func textOf(expr *ast.Expr) string {
	if expr.Location == nil || len(expr.Location.Text) == 0 {
		return expr.String()
	}
	return strings.Join(strings.Fields(string(expr.Location.Text)), " ")
}
