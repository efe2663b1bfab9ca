package plan

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/builtins"

	"github.com/wardkeeper/wardkeeper/bundles/input"
)

// ErrCanceled reports that an evaluation was stopped before its end.
var ErrCanceled = errors.New("the evaluation was canceled")

// errNoValue reports that a built-in function succeeded without a value, with which the interpreter panics.
var errNoValue = errors.New("a built-in function returned no value")

// Program is a compiled query. It is safe for concurrent use.
type Program struct {
	vars     []string // of the query, in the order of a row's values
	main     *function
	data     *ast.Term
	memoized int         // how many calls are memoized
	paths    []inputPath // the paths of the input that are read
	caps     *ast.Capabilities
	idle     pool
}

// signal says how evaluation continues after a step. A positive signal n leaves n blocks; leaving one is what a step
// without a value does.
type signal int

const (
	next     signal = 0
	returned signal = -1 // the function has its result
	failed   signal = -2 // evaluation.err is set
)

const undefined signal = 1

// leave returns the signal that is left to the statement around n blocks.
func (s signal) leave(n signal) signal {
	if s > 0 {
		return s - n
	}
	return s
}

// step executes one statement on the locals of a frame. A local that is nil is undefined.
type step func(e *evaluation, l []*ast.Term) signal

func run(steps []step, e *evaluation, l []*ast.Term) signal {
	for _, s := range steps {
		if sig := s(e, l); sig != next {
			return sig
		}
	}
	return next
}

// Value evaluates a program whose query has one variable, and returns its value; nil if it is undefined. The value must not
// be changed. The error is [ErrCanceled] if the context has ended, also after the value was found, or one of package topdown.
func (p *Program) Value(ctx context.Context, in *input.Object) (value *ast.Term, err error) {
	e := p.idle.get(p)
	if err = e.evaluate(ctx, in); err == nil && len(e.rows) > 0 {
		if value = e.rows[0]; len(e.rows) > 1 {
			value, err = nil, errors.New("the query has several values")
		}
	}
	p.idle.put(e) // not after a panic
	return value, err
}

// Eval evaluates the program and calls yield with the values of the query's variables for each result, in the order of
// [Program.Vars]. If strict is set, the first error of a built-in function is an error of the evaluation. Otherwise Eval is like
// [Program.Value].
func (p *Program) Eval(ctx context.Context, in *input.Object, strict bool, yield func(values []*ast.Term)) error {
	e := p.idle.get(p)
	err := e.evaluate(ctx, in)
	if err == nil && strict {
		err = e.fault
	}
	n := max(len(p.vars), 1)
	for i := 0; err == nil && i < len(e.rows); i += n {
		yield(slices.Clone(e.rows[i : i+len(p.vars)]))
	}
	p.idle.put(e)
	return err
}

// Vars returns the names of the query's variables.
func (p *Program) Vars() []string { return p.vars }

// evaluation is the state of one evaluation. It is not safe for concurrent use.
type evaluation struct {
	program *Program
	ctx     context.Context
	input   *input.Object // of the question
	calls   int           // of functions
	polls   int           // calls and iterations since the last look at the context
	stack   []*ast.Term   // the frames of the functions in progress
	top     int           // where the next frame begins
	memo    *memo         // of the input and data at hand
	first   memo          // of the question's own input and data
	others  []*memo       // of those that the keyword with has made
	value   *ast.Term     // of the function that has just returned
	rows    []*ast.Term
	err     error
	fault   error              // the first of a built-in function
	owned   map[*ast.Term]bool // collections that may be changed in place; see mixed

	scans    []*objectScan // in progress, up to scanning, and idle ones
	scanning int
	unwatch  func() bool // ends the wait for the end of the context; nil: nothing waits
	builtin  topdown.BuiltinContext
	operands []*ast.Term
	outputs  []*ast.Term
	output   func(*ast.Term) error // appends to outputs
}

// memo holds the values of the functions without arguments for one input and data.
type memo struct {
	input, data *ast.Term
	values      []*ast.Term                      // of calls; nil: not evaluated yet
	calls       map[*function]map[int][]pastCall // by the hash of the arguments
	paths       []found                          // what is at the paths of the input
}

// none stands for an undefined value in a memo.
var none = ast.NullTerm()

const firstStack = 1024

func newEvaluation(p *Program) *evaluation {
	e := &evaluation{program: p, stack: make([]*ast.Term, firstStack)}
	e.first = e.newMemo(nil, nil)
	e.output = func(t *ast.Term) error {
		if e.canceled() {
			return ErrCanceled
		}
		if t == nil { // json.patch, of which nothing is left
			return errNoValue
		}
		e.outputs = append(e.outputs, t)
		return nil
	}
	return e
}

func (e *evaluation) evaluate(ctx context.Context, in *input.Object) error {
	e.ctx, e.input = ctx, in
	l := e.push(e.program.main.locals)
	defer clear(l)
	if l[1] = e.program.data; in != nil {
		l[0] = given
	}
	e.first.input, e.first.data = l[0], l[1]
	e.memo = &e.first
	for _, block := range e.program.main.blocks {
		if run(block, e, l) == failed {
			if ctx.Err() != nil {
				return ErrCanceled
			}
			return e.err
		}
	}
	if ctx.Err() != nil {
		return ErrCanceled
	}
	return nil
}

// pollEvery is how many calls and iterations pass between looks at the context, which cost more than most of them.
const pollEvery = 64

func (e *evaluation) canceled() bool { return e.canceledAfter(1) }

// canceledAfter is canceled after work that takes as long as n calls.
func (e *evaluation) canceledAfter(n int) bool {
	if e.polls += n; e.polls < pollEvery {
		return false
	}
	e.polls = 0
	return e.ctx.Err() != nil
}

// push returns a frame of undefined locals. If the stack is full, frames continue on a larger one: those in progress keep
// theirs.
func (e *evaluation) push(n int) []*ast.Term {
	if e.top+n > len(e.stack) {
		e.stack, e.top = make([]*ast.Term, max(2*len(e.stack), n)), 0
	}
	l := e.stack[e.top : e.top+n : e.top+n]
	e.top += n
	return l
}

// memoOf returns the memo for an input and data. There are several only where a policy has the keyword with.
func (e *evaluation) memoOf(input, data *ast.Term) *memo {
	if e.first.input == input && e.first.data == data {
		return &e.first
	}
	for _, m := range e.others {
		if m.input == input && m.data == data {
			return m
		}
	}
	m := e.newMemo(input, data)
	e.others = append(e.others, &m)
	return &m
}

func (e *evaluation) newMemo(input, data *ast.Term) memo {
	return memo{input: input, data: data, values: make([]*ast.Term, e.program.memoized), paths: make([]found, len(e.program.paths))}
}

// call evaluates a function. Its value is nil if it is undefined.
func (e *evaluation) call(f *function, l []*ast.Term, args []operand) (*ast.Term, signal) {
	if e.canceled() {
		return nil, e.fail(ErrCanceled)
	}
	if e.calls++; e.calls > manyCalls {
		return e.callOnce(f, l, args)
	}
	return e.callAlways(f, l, args)
}

func (e *evaluation) callAlways(f *function, l []*ast.Term, args []operand) (*ast.Term, signal) {
	stack, top := e.stack, e.top
	frame := e.push(f.locals)
	for i := range args {
		if i == 0 && args[i].from == whole {
			frame[i] = l[args[i].index] // as it is: the first argument is the input
		} else {
			frame[i] = args[i].load(e, l)
		}
	}
	sig := f.run(e, frame)
	clear(frame)
	e.stack, e.top = stack, top
	switch {
	case sig == failed:
		return nil, failed
	case e.value == nil:
		return nil, undefined
	}
	return e.value, next
}

func (e *evaluation) fail(err error) signal {
	e.err = err
	return failed
}

// conflict is what the interpreter reports for rules that contradict each other.
func (e *evaluation) conflict(at *ast.Location, message string) signal {
	return e.fail(&topdown.Error{Code: topdown.ConflictErr, Message: message, Location: at})
}

// context returns what built-in functions are told, which is the same for a whole evaluation but for the location.
func (e *evaluation) context() *topdown.BuiltinContext {
	if e.builtin.Cancel == nil {
		now := ast.NewTerm(ast.Number(strconv.FormatInt(time.Now().UnixNano(), 10)))
		e.builtin = topdown.BuiltinContext{Context: e.ctx, Metrics: metrics.NoOp(), Seed: rand.Reader, Time: now,
			Cancel: topdown.NewCancel(), Cache: builtins.Cache{}, Capabilities: e.program.caps}
		e.unwatch = context.AfterFunc(e.ctx, e.builtin.Cancel.Cancel)
	}
	return &e.builtin
}
