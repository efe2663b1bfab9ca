package explore

import (
	"github.com/open-policy-agent/opa/v1/ir"

	"github.com/wardkeeper/wardkeeper/pdp/proof/diagram"
)

// Outcome is what became of a statement in some case: bits.
type Outcome uint8

// The outcomes of a statement.
const (
	Arrived Outcome = 1 << iota // it was reached
	Held                        // evaluation went on after it
	Failed                      // it did not hold, or had no value
)

// Cover adds to outcomes what became of the statements in the cases in which a condition holds. It comes after [Machine.Value].
// The error is [diagram.ErrTooLarge].
func (m *Machine) Cover(outcomes map[ir.Stmt]Outcome, when diagram.Node) (err error) {
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
			m.cover(outcomes, in.reached, v)
		}
	}
	return nil
}

func (m *Machine) cover(outcomes map[ir.Stmt]Outcome, reached diagram.Node, v visit) {
	o := outcomes[v.stmt]
	before := o
	if o&Held == 0 && m.And(reached, v.after) != diagram.False {
		o |= Arrived | Held
	}
	if o&Failed == 0 && v.after != v.before && m.Except(m.And(reached, v.before), v.after) != diagram.False {
		o |= Arrived | Failed
	}
	if o&Arrived == 0 && m.And(reached, v.before) != diagram.False {
		o |= Arrived
	}
	if o != before {
		outcomes[v.stmt] = o
	}
}
