package plan

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ir"
)

// code collects the instructions of a block. What an instruction does is joined with the one before where both are one
// step together.
type code struct {
	translator   *translator
	instructions []instruction
}

// instruction is a step, with what later instructions need to know of it.
type instruction struct {
	run  step
	kind kind
	a, b operand // of a comparison; a of a lookup in the input
	made *literal
}

type kind uint8

const (
	other           kind = iota
	testsPath            // tests that a path of the input is defined
	compares             // compares a and b
	makesCollection      // makes a collection
)

func steps(code []instruction) []step {
	all := make([]step, len(code))
	for i, in := range code {
		if in.kind == makesCollection {
			in.run = in.made.step()
		}
		all[i] = in.run
	}
	return all
}

func (c *code) emit(s step) { c.instructions = append(c.instructions, instruction{run: s}) }

func (c *code) last() *instruction {
	if len(c.instructions) == 0 {
		return &instruction{}
	}
	return &c.instructions[len(c.instructions)-1]
}

// dropTest removes the last instruction if all it does is to test an operand that the next one tests as well.
func (c *code) dropTest(operands ...operand) {
	last := c.last()
	if last.kind != testsPath {
		return
	}
	for _, o := range operands {
		for o.from == path && o.index >= 0 {
			if last.a.same(o) {
				c.instructions = c.instructions[:len(c.instructions)-1]
				return
			}
			o.index = c.translator.program.paths[o.index].parent
		}
	}
}

// assign sets a local, or notes what it stands for where that is the same whenever it is read.
func (c *code) assign(target ir.Local, source operand) {
	t := c.translator
	delete(t.scope.data, target)
	if t.scope.fixed(target) && t.keeps(source) {
		t.scope.known[target] = source
		return
	}
	c.emit(stepAssign(source, t.use(target)))
}

// keeps reports whether an operand keeps its value through the scope.
func (t *translator) keeps(o operand) bool {
	switch {
	case !o.inFrame():
		return true
	case o.from == whole:
		return t.scope.set[ir.Input] == 1
	}
	for l, place := range t.locals {
		if place == o.index && !t.scope.fixed(l) {
			return false
		}
	}
	return true
}

// dot translates a lookup. Below data, a number and its text are the same key, as in the paths of OPA's storage.
func (c *code) dot(s *ir.DotStmt) {
	t := c.translator
	source, key := t.operand(s.Source), t.operand(s.Key)
	l, ok := s.Source.Value.(ir.Local)
	inData := ok && t.scope.data[l]
	t.scope.data[s.Target] = inData
	name, named := key.text()
	if inData && named && !isIndex(name) {
		inData = false // an ordinary key
	}
	switch {
	case source.from == constant && key.from == constant && t.scope.fixed(s.Target):
		k := key.term
		if inData {
			k = keyOf(source.term.Value, k)
		}
		if v := get(source.term.Value, k); v != nil {
			t.scope.known[s.Target] = constantOf(v)
		} else {
			c.emit(stepBreak(0))
		}
		return
	case named && t.scope.fixed(s.Target) && t.scope.set[ir.Input] == 1:
		if source.from == path || source.from == whole {
			at := t.pathIndex(source, name, key.term)
			here := operand{from: path, index: at}
			c.dropTest(here)
			c.instructions = append(c.instructions, instruction{run: stepAt(at), kind: testsPath, a: here})
			t.scope.known[s.Target] = here
			return
		}
	}
	if inData {
		c.emit(stepDotData(source, key, t.use(s.Target)))
		return
	}
	c.emit(stepDot(source, key, t.use(s.Target)))
}

// pathIndex returns the index of the path of a member of the input or of another path.
func (t *translator) pathIndex(source operand, name string, key *ast.Term) int {
	parent := -1
	if source.from == path {
		parent = source.index
	}
	k := inputKey{parent, name}
	at, ok := t.inputs[k]
	if !ok {
		at = len(t.program.paths)
		t.inputs[k] = at
		t.program.paths = append(t.program.paths, inputPath{parent, key})
	}
	return at
}

func (c *code) equal(a, b operand) {
	c.dropTest(a, b)
	c.instructions = append(c.instructions, instruction{run: stepEqual(a, b), kind: compares, a: a, b: b})
}

func (c *code) notEqual(a, b operand) {
	c.dropTest(a, b)
	if b.isFalse() {
		c.emit(stepNotFalse(a))
		return
	}
	c.emit(stepNotEqual(a, b))
}

func (c *code) is(source ir.Operand, is func(ast.Value) bool) {
	c.translator.scope.matched(source)
	c.emit(stepIs(c.translator.operand(source), is))
}
