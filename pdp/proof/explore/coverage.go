package explore

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"github.com/open-policy-agent/opa/v1/ir"

	"github.com/wardkeeper/wardkeeper/pdp/proof/diagram"
)

// outcome is what became of a statement in some case: bits.
type outcome uint8

// The outcomes of a statement.
const (
	arrived outcome = 1 << iota // it was reached
	held                        // evaluation went on after it
	failed                      // it did not hold, or had no value
)

// Coverage is what became of the statements of a decision's plan in the cases that were explored. It is safe for concurrent use.
type Coverage struct {
	d        *Decision
	mu       sync.Mutex
	outcomes map[ir.Stmt]outcome
}

// NewCoverage returns the coverage of no case.
func (d *Decision) NewCoverage() *Coverage {
	return &Coverage{d: d, outcomes: map[ir.Stmt]outcome{}}
}

// Add adds the valid cases of a part, of which one side is the decision's. The error is [diagram.ErrTooLarge].
func (c *Coverage) Add(p *Part, s *Side) error {
	c.mu.Lock()
	outcomes := maps.Clone(c.outcomes)
	c.mu.Unlock()
	if err := s.machine.cover(outcomes, p.Valid); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for stmt, o := range outcomes {
		c.outcomes[stmt] |= o
	}
	return nil
}

// Gap is a line of the policy of which the cases that were explored leave something open.
type Gap struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Why  string `json:"why"`
}

// The gaps.
const (
	neverReached = "no case reaches it"
	neverHolds   = "it never holds"
	alwaysHolds  = "it always holds"
)

// Gaps returns the lines that no case reaches, and the comparisons that come out one way in all cases, in the order of the policy.
func (c *Coverage) Gaps() []Gap {
	c.mu.Lock()
	defer c.mu.Unlock()
	lines := map[position]*lineCoverage{}
	for _, f := range c.d.code.reachable(c.d.rule) {
		for _, b := range f.Blocks {
			c.look(lines, b)
		}
	}
	var gaps []Gap
	for at, l := range lines {
		if why := l.gap(); why != "" {
			gaps = append(gaps, Gap{at.file, at.line, why})
		}
	}
	slices.SortFunc(gaps, func(a, b Gap) int { return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line)) })
	return gaps
}

type lineCoverage struct {
	reached     bool
	comparisons outcome
}

func (l *lineCoverage) gap() string {
	switch {
	case !l.reached:
		return neverReached
	case l.comparisons == arrived|held:
		return alwaysHolds
	case l.comparisons == arrived|failed:
		return neverHolds
	}
	return ""
}

func (c *Coverage) look(lines map[position]*lineCoverage, b *ir.Block) {
	for _, stmt := range b.Stmts {
		if at, known := c.d.code.position(stmt); known {
			l := lines[at]
			if l == nil {
				l = &lineCoverage{}
				lines[at] = l
			}
			o := c.outcomes[stmt]
			l.reached = l.reached || o&arrived != 0
			if isComparison(stmt) {
				l.comparisons |= o
			}
		}
		for _, inner := range blocksOf(stmt) {
			c.look(lines, inner)
		}
	}
}

// isComparison reports whether a statement compares what the policy does, and not whether a rule that it asks is false.
func isComparison(stmt ir.Stmt) bool {
	switch s := stmt.(type) {
	case *ir.EqualStmt, *ir.NotStmt:
		return true
	case *ir.NotEqualStmt:
		_, a := s.A.Value.(ir.Bool)
		_, b := s.B.Value.(ir.Bool)
		return !a && !b
	}
	return false
}

func blocksOf(stmt ir.Stmt) []*ir.Block {
	switch stmt := stmt.(type) {
	case *ir.BlockStmt:
		return stmt.Blocks
	case *ir.ScanStmt:
		return []*ir.Block{stmt.Block}
	case *ir.NotStmt:
		return []*ir.Block{stmt.Block}
	case *ir.WithStmt:
		return []*ir.Block{stmt.Block}
	}
	return nil
}

// reachable returns the functions that a function can call, with itself. A path that is known only at evaluation may be any.
func (c *Code) reachable(name string) map[string]*function {
	found := map[string]*function{}
	var visit func(f *function)
	var blocks func(all []*ir.Block)
	blocks = func(all []*ir.Block) {
		for _, b := range all {
			for _, stmt := range b.Stmts {
				switch s := stmt.(type) {
				case *ir.CallStmt:
					visit(c.functions[s.Func])
				case *ir.CallDynamicStmt:
					for _, f := range c.functions {
						visit(f)
					}
				}
				blocks(blocksOf(stmt))
			}
		}
	}
	visit = func(f *function) {
		if f != nil && found[f.Name] == nil {
			found[f.Name] = f
			blocks(f.Blocks)
		}
	}
	visit(c.functions[name])
	return found
}

// cover adds to outcomes what became of the statements in the cases in which a condition holds. It comes after [Machine.Value].
// The error is [diagram.ErrTooLarge].
func (m *Machine) cover(outcomes map[ir.Stmt]outcome, when diagram.Node) (err error) {
	defer diagram.Guard(&err)
	for i := len(m.order) - 1; i >= 0; i-- {
		in := m.order[i]
		if i == len(m.order)-1 {
			in.reached = when
		}
		for _, c := range in.calls {
			c.to.reached = m.Or(c.to.reached, m.And(in.reached, c.path))
		}
		for _, v := range in.trace {
			m.visited(outcomes, in.reached, v)
		}
	}
	return nil
}

func (m *Machine) visited(outcomes map[ir.Stmt]outcome, reached diagram.Node, v visit) {
	o := outcomes[v.stmt]
	before := o
	if o&held == 0 && m.And(reached, v.after) != diagram.False {
		o |= arrived | held
	}
	if o&failed == 0 && v.after != v.before && m.Except(m.And(reached, v.before), v.after) != diagram.False {
		o |= arrived | failed
	}
	if o&arrived == 0 && m.And(reached, v.before) != diagram.False {
		o |= arrived
	}
	if o != before {
		outcomes[v.stmt] = o
	}
}
