package explore

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ir"
)

// Code is a plan that is ready to be explored. It is immutable and safe for concurrent use.
type Code struct {
	policy    *ir.Policy
	data      *ast.Term
	functions map[string]*function
	paths     map[string]*function // by path, for calls whose path is known only at evaluation
	strings   []*ast.Term
}

// function is a rule or function of the plan.
type function struct {
	*ir.Func
	locals int
	plain  map[ir.Local]bool // locals that hold one value where they are read, so that none has to be kept for other cases
	read   map[ir.Local]bool
}

// NewCode prepares a plan and its data.
func NewCode(policy *ir.Policy, data *ast.Term) *Code {
	c := &Code{policy: policy, data: data, functions: map[string]*function{}, paths: map[string]*function{}}
	for _, s := range policy.Static.Strings {
		c.strings = append(c.strings, ast.StringTerm(s.Value))
	}
	if policy.Funcs == nil {
		return c
	}
	for _, f := range policy.Funcs.Funcs {
		fn := &function{Func: f}
		fn.scan()
		c.functions[f.Name], c.paths[strings.Join(f.Path, "\x00")] = fn, fn
	}
	return c
}

// Rule returns the name of the function for a rule by its path, without data; "" if it has none.
func (c *Code) Rule(path []string) string {
	for name, f := range c.functions {
		if strings.Join(f.Path[1:], "\x00") == strings.Join(path, "\x00") && len(f.Params) == 2 {
			return name
		}
	}
	return ""
}

// at returns the file and line of a statement; "" if they are not known.
func (c *Code) at(s ir.Stmt) string {
	if p, known := c.position(s); known {
		return fmt.Sprintf("%s:%d", p.file, p.line)
	}
	return ""
}

// position is a line of the policy.
type position struct {
	file string
	line int
}

// position returns the line that a statement belongs to.
func (c *Code) position(s ir.Stmt) (at position, known bool) {
	l := s.GetLocation()
	if l == nil || l.File >= len(c.policy.Static.Files) || l.Row == 0 {
		return position{}, false
	}
	return position{strings.TrimPrefix(c.policy.Static.Files[l.File].Value, "/"), l.Row}, true
}

func (c *Code) number(index int) *ast.Term {
	return ast.NumberTerm(json.Number(c.policy.Static.Strings[index].Value))
}

// scan finds out which locals are plain: where one is read, the statement before that sets it is in the same block or in one around
// it, and is not followed by another within.
func (f *function) scan() {
	s := &scanner{f: f, set: map[ir.Local]int{}, at: map[ir.Local]int{}, mixed: map[ir.Local]bool{}}
	f.read = map[ir.Local]bool{}
	for _, p := range f.Params {
		s.sets(p)
	}
	s.mixed[f.Return] = true
	for _, b := range f.Blocks {
		s.block(b)
	}
	f.plain = map[ir.Local]bool{}
	for l, n := range s.set {
		f.plain[l] = n > 0 && !s.mixed[l]
	}
}

type scanner struct {
	f      *function
	set    map[ir.Local]int // how many statements set it
	at     map[ir.Local]int // the block that sets it
	mixed  map[ir.Local]bool
	blocks int
	stack  []int
}

func (s *scanner) note(l ir.Local) { s.f.locals = max(s.f.locals, int(l)+1) }

func (s *scanner) sets(l ir.Local) {
	s.note(l)
	if s.set[l] > 0 && (s.at[l] == 0 || slices.Contains(s.stack, s.at[l])) {
		s.mixed[l] = true
	}
	s.set[l]++
	s.at[l] = 0
	if len(s.stack) > 0 {
		s.at[l] = s.stack[len(s.stack)-1]
	}
}

func (s *scanner) reads(all ...ir.Operand) {
	for _, o := range all {
		if l, ok := o.Value.(ir.Local); ok {
			s.readsLocal(l)
		}
	}
}

func (s *scanner) readsLocal(l ir.Local) {
	s.note(l)
	s.f.read[l] = true
	if s.set[l] == 0 {
		s.mixed[l] = true
		return
	}
	if s.at[l] == 0 {
		return
	}
	for _, b := range s.stack {
		if b == s.at[l] {
			return
		}
	}
	s.mixed[l] = true
}

func (s *scanner) block(b *ir.Block) {
	s.blocks++
	s.stack = append(s.stack, s.blocks)
	for _, stmt := range b.Stmts {
		s.stmt(stmt)
	}
	s.stack = s.stack[:len(s.stack)-1]
}

func (s *scanner) stmt(stmt ir.Stmt) {
	switch stmt := stmt.(type) {
	case *ir.ReturnLocalStmt:
		s.readsLocal(stmt.Source)
	case *ir.BlockStmt:
		for _, b := range stmt.Blocks {
			s.block(b)
		}
	case *ir.ScanStmt:
		s.readsLocal(stmt.Source)
		s.blocks++ // the key and value are set in the block alone
		s.stack = append(s.stack, s.blocks)
		s.sets(stmt.Key)
		s.sets(stmt.Value)
		s.block(stmt.Block)
		s.stack = s.stack[:len(s.stack)-1]
	case *ir.NotStmt:
		s.block(stmt.Block)
	case *ir.WithStmt:
		s.reads(stmt.Value)
		s.readsLocal(stmt.Local)
		s.mixed[stmt.Local] = true
		s.block(stmt.Block)
	case *ir.CallStmt:
		s.reads(stmt.Args...)
		s.sets(stmt.Result)
	case *ir.CallDynamicStmt:
		for _, a := range stmt.Args {
			s.readsLocal(a)
		}
		s.reads(stmt.Path...)
		s.sets(stmt.Result)
	case *ir.DotStmt:
		s.reads(stmt.Source, stmt.Key)
		s.sets(stmt.Target)
	case *ir.LenStmt:
		s.reads(stmt.Source)
		s.sets(stmt.Target)
	case *ir.EqualStmt:
		s.reads(stmt.A, stmt.B)
	case *ir.NotEqualStmt:
		s.reads(stmt.A, stmt.B)
	case *ir.IsArrayStmt:
		s.reads(stmt.Source)
	case *ir.IsObjectStmt:
		s.reads(stmt.Source)
	case *ir.IsSetStmt:
		s.reads(stmt.Source)
	case *ir.IsDefinedStmt:
		s.note(stmt.Source)
		s.mixed[stmt.Source] = true
	case *ir.IsUndefinedStmt:
		s.note(stmt.Source)
		s.mixed[stmt.Source] = true
	case *ir.ResultSetAddStmt:
		s.readsLocal(stmt.Value)
	default:
		s.assignment(stmt)
	}
}

func (s *scanner) assignment(stmt ir.Stmt) {
	switch stmt := stmt.(type) {
	case *ir.ResetLocalStmt:
		s.sets(stmt.Target)
	case *ir.AssignVarStmt:
		s.reads(stmt.Source)
		s.sets(stmt.Target)
	case *ir.AssignVarOnceStmt:
		s.reads(stmt.Source)
		s.sets(stmt.Target)
		s.mixed[stmt.Target] = true
	case *ir.AssignIntStmt:
		s.sets(stmt.Target)
	case *ir.MakeNullStmt:
		s.sets(stmt.Target)
	case *ir.MakeNumberIntStmt:
		s.sets(stmt.Target)
	case *ir.MakeNumberRefStmt:
		s.sets(stmt.Target)
	case *ir.MakeArrayStmt:
		s.sets(stmt.Target)
	case *ir.MakeObjectStmt:
		s.sets(stmt.Target)
	case *ir.MakeSetStmt:
		s.sets(stmt.Target)
	case *ir.ArrayAppendStmt:
		s.reads(stmt.Value)
		s.readsLocal(stmt.Array)
	case *ir.ObjectInsertStmt:
		s.reads(stmt.Key, stmt.Value)
		s.readsLocal(stmt.Object)
	case *ir.ObjectInsertOnceStmt:
		s.reads(stmt.Key, stmt.Value)
		s.readsLocal(stmt.Object)
	case *ir.ObjectMergeStmt:
		s.readsLocal(stmt.A)
		s.readsLocal(stmt.B)
		s.sets(stmt.Target)
	case *ir.SetAddStmt:
		s.reads(stmt.Value)
		s.readsLocal(stmt.Set)
	}
}
