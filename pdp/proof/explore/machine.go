package explore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ir"

	"github.com/wardkeeper/wardkeeper/pdp/proof/diagram"
)

// Machine runs a plan over one world. It is not safe for concurrent use.
type Machine struct {
	*diagram.Store
	code    *Code
	ctx     context.Context
	strings []diagram.Node
	data    diagram.Node
	no      diagram.Node // the term false
	memo    map[string]*invocation
	depth   int
	order   []*invocation // each after those that it calls
}

// Failure is a cause with the cases in which it holds.
type Failure struct {
	When diagram.Node
	Why  string
	At   string // file and line, if known
}

// invocation is a function evaluated with arguments: for all cases at once, whoever calls it in which of them.
type invocation struct {
	done      bool
	value     diagram.Node
	failures  []Failure // the cases in which the evaluation ends with an error
	undecided []Failure // the cases that could not be explored
	trace     []visit
	calls     []call
	reached   diagram.Node // where it is called at all; found out by coverage
}

// visit is a statement with the cases that came to it and those that went on.
type visit struct {
	stmt          ir.Stmt
	before, after diagram.Node
}

type call struct {
	to   *invocation
	path diagram.Node
}

// maxDepth limits the calls of functions within each other.
const maxDepth = 200

// NewMachine makes a machine for a plan over the variables of a store.
func NewMachine(ctx context.Context, code *Code, s *diagram.Store) *Machine {
	m := &Machine{Store: s, code: code, ctx: ctx, memo: map[string]*invocation{}}
	for _, t := range code.strings {
		m.strings = append(m.strings, s.Term(t))
	}
	m.data, m.no = s.Term(code.data), s.Term(ast.BooleanTerm(false))
	return m
}

// Result is the value of a rule in all cases.
type Result struct {
	Value     diagram.Node
	Failures  []Failure // the cases in which the evaluation ends with an error
	Undecided []Failure // the cases that could not be explored
}

// Value explores the function of a rule, as [Code.Rule] names it. The error is [diagram.ErrTooLarge], or that of the context.
func (m *Machine) Value(function string, input diagram.Node) (result *Result, err error) {
	defer diagram.Guard(&err)
	defer func() {
		if cause := recover(); cause != nil {
			if stopped, ok := cause.(errStopped); ok {
				err = stopped.error
				return
			}
			panic(cause)
		}
	}()
	f := m.code.functions[function]
	if f == nil {
		return nil, errors.New("there is no such rule")
	}
	in := m.invoke(f, []diagram.Node{input, m.data})
	return &Result{in.value, in.failures, in.undecided}, nil
}

// call returns the value of a function. What fails in it fails for the caller in the cases of the path.
func (fr *frame) callFunction(f *function, args []diagram.Node, path diagram.Node) diagram.Node {
	m := fr.m
	to := m.invoke(f, args)
	fr.in.calls = append(fr.in.calls, call{to, path})
	for _, failure := range to.failures {
		m.note(&fr.in.failures, failure, path)
	}
	for _, failure := range to.undecided {
		m.note(&fr.in.undecided, failure, path)
	}
	return to.value
}

// note adds a failure in the cases of a path to others.
func (m *Machine) note(all *[]Failure, failure Failure, path diagram.Node) {
	if failure.When = m.And(failure.When, path); failure.When == diagram.False {
		return
	}
	for i := range *all {
		if known := &(*all)[i]; known.Why == failure.Why && known.At == failure.At {
			known.When = m.Or(known.When, failure.When)
			return
		}
	}
	*all = append(*all, failure)
}

// invoke evaluates a function with arguments, for all cases: a condition would have to be carried through all that it does, and
// would have to be met again by the next caller.
func (m *Machine) invoke(f *function, args []diagram.Node) *invocation {
	if err := m.ctx.Err(); err != nil {
		panic(errStopped{err})
	}
	key := append(make([]byte, 0, len(f.Name)+4*len(args)), f.Name...)
	for _, a := range args {
		key = binary.LittleEndian.AppendUint32(key, uint32(a))
	}
	in := m.memo[string(key)]
	if in == nil {
		in = &invocation{value: diagram.Undefined, reached: diagram.False}
		m.memo[string(key)] = in
	}
	if in.done {
		return in
	}
	if m.depth++; m.depth > maxDepth {
		panic(errStopped{errors.New("functions call each other too deeply")})
	}
	fr := &frame{m: m, f: f, in: in, locals: make([]diagram.Node, f.locals), result: diagram.Undefined}
	for i := range fr.locals {
		fr.locals[i] = diagram.Undefined
	}
	for i, p := range f.Params {
		fr.locals[p] = args[i]
	}
	path := diagram.True
	for _, b := range f.Blocks {
		if path == diagram.False {
			break
		}
		_, gone := fr.block(b, path)
		path = m.Except(path, gone.returned)
	}
	m.depth--
	in.value, in.done = fr.result, true
	m.order = append(m.order, in)
	return in
}

func (fr *frame) undecided(when diagram.Node, why string, s ir.Stmt) {
	fr.m.note(&fr.in.undecided, Failure{when, why, fr.m.code.at(s)}, diagram.True)
}

func (fr *frame) fails(when diagram.Node, why string, s ir.Stmt) {
	fr.m.note(&fr.in.failures, Failure{when, why, fr.m.code.at(s)}, diagram.True)
}

// Location returns the file and line of a statement of the plan.
func (c *Code) Location(s ir.Stmt) string { return c.at(s) }

// unsupported names a statement that cannot be explored.
func unsupported(s ir.Stmt) string { return fmt.Sprintf("a statement %T cannot be explored", s) }

// errStopped carries the error of a context through the exploration.
type errStopped struct{ error }
