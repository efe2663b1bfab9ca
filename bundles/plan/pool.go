package plan

import "sync"

// pool keeps the evaluations that no question uses.
type pool struct{ sync.Pool }

func (p *pool) get(program *Program) *evaluation {
	if e, ok := p.Get().(*evaluation); ok {
		return e
	}
	return newEvaluation(program)
}

const (
	maxIdleStack = 1 << 14 // locals
	maxIdleRows  = 64
)

// put keeps an evaluation without what it evaluated.
func (p *pool) put(e *evaluation) {
	if e.unwatch != nil {
		e.unwatch()
	}
	if len(e.stack) > maxIdleStack || cap(e.rows) > maxIdleRows || cap(e.outputs) > maxIdleRows {
		return
	}
	clear(e.rows)
	clear(e.outputs)
	clear(e.operands[:cap(e.operands)]) // also those of calls that were undefined
	clear(e.first.values)
	clear(e.first.paths)
	*e = evaluation{program: e.program, stack: e.stack, first: memo{values: e.first.values, paths: e.first.paths}, rows: e.rows[:0],
		operands: e.operands[:0], outputs: e.outputs[:0], output: e.output, scans: e.scans}
	p.Put(e)
}
