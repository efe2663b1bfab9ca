package plan

import (
	"errors"

	"github.com/open-policy-agent/opa/v1/ir"
)

// scope describes the locals of one outermost block of a function.
type scope struct {
	set     map[ir.Local]int  // how many statements set it
	read    map[ir.Local]int  // how many read it
	early   map[ir.Local]bool // whether one reads it before any sets it
	tested  map[ir.Local]bool // whether it is tested for being defined
	looked  map[ir.Local]bool // whether it is the target of a lookup
	arrays  map[ir.Local]bool // whether an array is made in it
	changed map[ir.Local]int  // how many statements change the collection in it
	data    map[ir.Local]bool // whether it was looked up in data, step by step, up to the statement in progress
	known   map[ir.Local]operand
	params  []ir.Local
	chain   *ir.BlockStmt // the rules of an else chain, if the block has nothing else; nil otherwise
}

func scopeOf(b *ir.Block, params ...ir.Local) *scope {
	s := &scope{set: map[ir.Local]int{}, read: map[ir.Local]int{}, early: map[ir.Local]bool{}, tested: map[ir.Local]bool{}, looked: map[ir.Local]bool{},
		arrays: map[ir.Local]bool{}, changed: map[ir.Local]int{}, data: map[ir.Local]bool{ir.Data: true}, known: map[ir.Local]operand{}, params: params}
	for _, p := range append(params, ir.Input, ir.Data) {
		s.set[p] = 1
	}
	s.addBlock(b)
	if len(b.Stmts) == 1 {
		s.chain, _ = b.Stmts[0].(*ir.BlockStmt)
	}
	return s
}

// alternative returns the scope of one rule of the else chain. The rules number their locals anew.
func (s *scope) alternative(b *ir.Block) *scope { return scopeOf(b, s.params...) }

// mixed reports whether a collection that is changed may be one that was looked up in another, as when rules such as
// p[x][y] build nested objects. It may then be a constant, a fact or the value of another rule, which must not change.
func (s *scope) mixed(l ir.Local) bool { return s.looked[l] && s.changed[l] > 0 }

// fixed reports whether a local keeps the one value that a statement gives it, however often the statement runs.
func (s *scope) fixed(l ir.Local) bool { return s.set[l] <= 1 && !s.tested[l] && s.changed[l] == 0 }

// complete returns an error if a statement reads a local that no statement before it sets. The planner so translates a pattern that
// matches two variables before either has a value, such as [a, b] = [b, 1].
func complete(s *scope) error {
	if s.chain != nil {
		for _, b := range s.chain.Blocks {
			if err := complete(s.alternative(b)); err != nil {
				return err
			}
		}
		return nil
	}
	for l := range s.early {
		if !s.tested[l] {
			return errors.New("a variable is read before it has a value")
		}
	}
	return nil
}

// matched notes that a value is now matched with a pattern, whose keys are not steps of a path below data.
func (s *scope) matched(o ir.Operand) {
	if l, ok := o.Value.(ir.Local); ok {
		delete(s.data, l)
	}
}

func (s *scope) addBlock(b *ir.Block) {
	for _, stmt := range b.Stmts {
		s.add(stmt)
	}
}

func (s *scope) reads(all ...ir.Operand) {
	for _, o := range all {
		if l, ok := o.Value.(ir.Local); ok {
			s.readsLocal(l)
		}
	}
}

func (s *scope) readsLocal(l ir.Local) {
	if s.read[l]++; s.set[l] == 0 {
		s.early[l] = true
	}
}

func (s *scope) add(stmt ir.Stmt) {
	switch stmt := stmt.(type) {
	case *ir.ReturnLocalStmt:
		s.readsLocal(stmt.Source)
	case *ir.BlockStmt:
		for _, nested := range stmt.Blocks {
			s.addBlock(nested)
		}
	case *ir.ScanStmt:
		s.readsLocal(stmt.Source)
		s.set[stmt.Key]++
		s.set[stmt.Value]++
		s.addBlock(stmt.Block)
	case *ir.NotStmt:
		s.addBlock(stmt.Block)
	case *ir.WithStmt:
		s.readsLocal(stmt.Local)
		s.reads(stmt.Value)
		s.set[stmt.Local]++
		s.addBlock(stmt.Block)
	case *ir.CallStmt:
		s.reads(stmt.Args...)
		s.set[stmt.Result]++
	case *ir.CallDynamicStmt:
		for _, a := range stmt.Args {
			s.readsLocal(a)
		}
		s.reads(stmt.Path...)
		s.set[stmt.Result]++
	case *ir.DotStmt:
		s.reads(stmt.Source, stmt.Key)
		s.set[stmt.Target]++
		s.looked[stmt.Target] = true
	case *ir.LenStmt:
		s.reads(stmt.Source)
		s.set[stmt.Target]++
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
		s.tested[stmt.Source] = true
	case *ir.IsUndefinedStmt:
		s.tested[stmt.Source] = true
	case *ir.ResetLocalStmt:
		s.set[stmt.Target]++
	case *ir.AssignVarStmt:
		s.reads(stmt.Source)
		s.set[stmt.Target]++
	case *ir.AssignVarOnceStmt:
		s.reads(stmt.Source)
		s.set[stmt.Target] += 2 // never fixed
	case *ir.AssignIntStmt:
		s.set[stmt.Target]++
	case *ir.ResultSetAddStmt:
		s.readsLocal(stmt.Value)
	default:
		s.addCollection(stmt)
	}
}

func (s *scope) addCollection(stmt ir.Stmt) {
	switch stmt := stmt.(type) {
	case *ir.MakeNullStmt:
		s.set[stmt.Target]++
	case *ir.MakeNumberIntStmt:
		s.set[stmt.Target]++
	case *ir.MakeNumberRefStmt:
		s.set[stmt.Target]++
	case *ir.MakeArrayStmt:
		s.set[stmt.Target]++
		s.arrays[stmt.Target] = true
	case *ir.MakeObjectStmt:
		s.set[stmt.Target]++
	case *ir.MakeSetStmt:
		s.set[stmt.Target]++
	case *ir.ArrayAppendStmt:
		s.reads(stmt.Value)
		s.changed[stmt.Array]++
	case *ir.ObjectInsertStmt:
		s.reads(stmt.Key, stmt.Value)
		s.changed[stmt.Object]++
	case *ir.ObjectInsertOnceStmt:
		s.reads(stmt.Key, stmt.Value)
		s.changed[stmt.Object]++
	case *ir.ObjectMergeStmt:
		s.readsLocal(stmt.A)
		s.readsLocal(stmt.B)
		s.set[stmt.Target]++
	case *ir.SetAddStmt:
		s.reads(stmt.Value)
		s.changed[stmt.Set]++
	}
}
