package plan

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ir"
)

// function is a rule, a function of the policy, or the query itself.
type function struct {
	name   string
	params int // input, data and the arguments, the first locals of its frame
	locals int // the size of its frame
	blocks [][]step
	table  *table // nil: all blocks are run
}

// table says which blocks of a function can have a value: those that begin by comparing a value with a constant are only
// run if it is that one.
type table struct {
	subject operand
	blocks  map[string][][]step
	others  [][]step // for all other values
}

// run executes the blocks of a function. It leaves the value in e.value.
func (f *function) run(e *evaluation, l []*ast.Term) signal {
	e.value = nil
	blocks := f.blocks
	if f.table != nil {
		blocks = f.table.others
		if s, ok := value(f.table.subject.load(e, l)).(ast.String); ok {
			if found, ok := f.table.blocks[string(s)]; ok {
				blocks = found
			}
		}
	}
	for _, block := range blocks {
		if sig := run(block, e, l); sig < 0 {
			return sig
		}
	}
	e.value = nil
	return next
}

// minTable is how many blocks must begin with a comparison of one value for a table to pay.
const minTable = 2

func (t *translator) define(f *ir.Func) error {
	t.begin(t.functions[f.Name])
	for _, p := range f.Params {
		t.use(p)
	}
	t.result = t.use(f.Return)
	t.only = onlyValue(f)
	var blocks [][]instruction
	for i := 0; i < len(f.Blocks); i++ {
		b := f.Blocks[i]
		t.scope = scopeOf(b, append(f.Params, f.Return)...)
		t.scope.tested[f.Return] = true // in other blocks
		if err := complete(t.scope); err != nil {
			return err
		}
		if result, ok := resultOf(b, f); ok && i+1 < len(f.Blocks) && isEnd(f.Blocks[i+1], result, f) && !t.scope.tested[result] && !t.scope.arrays[result] {
			b, t.locals[result] = &ir.Block{Stmts: b.Stmts[1:]}, t.use(f.Return)
			i++ // the values go to the function's result at once
			code, err := t.block(b)
			if err != nil {
				return err
			}
			delete(t.locals, result)
			blocks = append(blocks, code)
			continue
		}
		code, err := t.block(b)
		if err != nil {
			return err
		}
		blocks = append(blocks, code)
	}
	t.function.tabulate(blocks)
	return nil
}

// resultOf returns the local that a block resets first: that of the value of one rule.
func resultOf(b *ir.Block, f *ir.Func) (ir.Local, bool) {
	if len(b.Stmts) == 0 {
		return 0, false
	}
	reset, ok := b.Stmts[0].(*ir.ResetLocalStmt)
	if !ok {
		return 0, false
	}
	return reset.Target, true
}

// onlyValue returns the one value that all rules of a function have, if it is a string or a Boolean. The first rule that holds
// then ends the function, as it does in the interpreter.
func onlyValue(f *ir.Func) ir.Val {
	var only ir.Val
	same := true
	results := map[ir.Val]bool{f.Return: true}
	visitAssignments(f.Blocks, f.Return, func(s *ir.AssignVarOnceStmt) { results[s.Target] = true })
	visitAssignments(f.Blocks, f.Return, func(s *ir.AssignVarOnceStmt) {
		v := s.Source.Value
		if results[v] { // the value of one rule becomes that of the function
			return
		}
		_, isLocal := v.(ir.Local)
		same = same && !isLocal && (only == nil || only == v)
		only = v
	})
	if !same {
		return nil
	}
	return only
}

// visitAssignments visits where rules have their values, but for the default.
func visitAssignments(blocks []*ir.Block, result ir.Local, visit func(*ir.AssignVarOnceStmt)) {
	for _, b := range blocks {
		if len(b.Stmts) > 0 {
			if test, ok := b.Stmts[0].(*ir.IsUndefinedStmt); ok && test.Source == result {
				continue
			}
		}
		for _, s := range b.Stmts {
			switch s := s.(type) {
			case *ir.AssignVarOnceStmt:
				visit(s)
			case *ir.BlockStmt:
				visitAssignments(s.Blocks, result, visit)
			case *ir.ScanStmt:
				visitAssignments([]*ir.Block{s.Block}, result, visit)
			case *ir.WithStmt:
				visitAssignments([]*ir.Block{s.Block}, result, visit)
			}
		}
	}
}

// isEnd reports whether a block only makes the value of one rule that of the function.
func isEnd(b *ir.Block, result ir.Local, f *ir.Func) bool {
	if len(b.Stmts) != 2 {
		return false
	}
	test, ok := b.Stmts[0].(*ir.IsDefinedStmt)
	assign, also := b.Stmts[1].(*ir.AssignVarOnceStmt)
	return ok && also && test.Source == result && assign.Source.Value == ir.Val(result) && assign.Target == f.Return
}

// tabulate makes the table of the subject that most blocks compare first.
func (f *function) tabulate(blocks [][]instruction) {
	count := map[operand]int{}
	var best operand
	for _, b := range blocks {
		f.blocks = append(f.blocks, steps(b))
		if subject, _, ok := guard(b, f.params); ok {
			if count[subject]++; count[subject] > count[best] {
				best = subject
			}
		}
	}
	if count[best] < minTable {
		return
	}
	f.table = &table{subject: best, blocks: map[string][][]step{}}
	for _, b := range blocks {
		if subject, text, ok := guard(b, f.params); ok && subject == best {
			f.table.blocks[text] = nil
		}
	}
	for i, b := range blocks {
		subject, text, ok := guard(b, f.params)
		if ok && subject == best {
			f.table.blocks[text] = append(f.table.blocks[text], f.blocks[i])
			continue
		}
		for text := range f.table.blocks {
			f.table.blocks[text] = append(f.table.blocks[text], f.blocks[i])
		}
		f.table.others = append(f.table.others, f.blocks[i])
	}
}

// guard returns the value and the string that a block compares before it does anything else. The value is one that is known
// before the blocks are run.
func guard(b []instruction, params int) (subject operand, text string, ok bool) {
	if len(b) == 0 || b[0].kind != compares {
		return operand{}, "", false
	}
	subject, with := b[0].a, b[0].b
	if subject.from == constant {
		subject, with = with, subject
	}
	text, ok = with.text()
	return subject, text, ok && (subject.from == path || subject.from == local && subject.index < params)
}
