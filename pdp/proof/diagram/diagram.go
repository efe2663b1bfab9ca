package diagram

import (
	"errors"
	"slices"
)

// Node is a function of the variables: a node of the diagram, or, below zero, a constant, which is a leaf.
type Node int32

// Leaves with a meaning of their own. A condition is a function whose leaves are these two.
const (
	Undefined Node = -1
	True      Node = -2
	False          = Undefined
)

// Leaf returns the constant function with the leaf of an index.
func Leaf(index int) Node { return Node(^index) }

// IsLeaf reports whether a function is constant.
func (n Node) IsLeaf() bool { return n < 0 }

// Index returns the index of a leaf.
func (n Node) Index() int { return int(^n) }

// ErrTooLarge reports that a function has more nodes than are allowed.
var ErrTooLarge = errors.New("the diagram has too many nodes")

// ErrTooLong reports that operations took more steps than are allowed.
var ErrTooLong = errors.New("exploring it takes too long")

// stepsPerNode is how many steps operations may take for each node that diagrams may have.
const stepsPerNode = 30

// Diagrams has functions of the same variables. It is not safe for concurrent use. Operations panic with [ErrTooLarge]
// where they would need more nodes than are allowed, or with [ErrTooLong] after too many steps; [Guard] turns that into an error.
type Diagrams struct {
	domains  []int // how many values each variable has
	variable []int32
	first    []int32 // where the children of a node begin
	children []Node
	table    []int32 // of nodes by hash, each one more than the node; 0 is free
	limit    int
	steps    int
	cache    []cached
	scratch  []Node
	leaves   map[Node][]Node
}

type cached struct {
	op      uint32
	a, b, c Node
	result  Node
}

// The operations that the cache knows by themselves. Others have numbers from firstOperation on.
const (
	opIte uint32 = iota + 1
	opIs
	opDefined
	firstOperation
)

// New returns diagrams over variables whose values are numbered from 0. There are at most limit nodes.
func New(domains []int, limit int) *Diagrams {
	return &Diagrams{domains: domains, limit: limit, table: make([]int32, 1<<12), cache: make([]cached, 1<<14), leaves: map[Node][]Node{}}
}

// Guard sets the error to that of an operation that needed too many nodes or steps. It must be deferred directly.
func Guard(err *error) {
	if cause := recover(); cause != nil {
		if failed, ok := cause.(error); ok && (errors.Is(failed, ErrTooLarge) || errors.Is(failed, ErrTooLong)) {
			*err = failed
			return
		}
		panic(cause)
	}
}

// Len returns the number of nodes.
func (d *Diagrams) Len() int { return len(d.variable) }

// Variable returns the function that has, for each value of a variable, the leaf that is given for it.
func (d *Diagrams) Variable(v int, values []Node) Node {
	if len(values) != d.domains[v] {
		panic("diagram: a variable has another number of values")
	}
	return d.node(int32(v), values)
}

// top returns the variable of a node, or one behind all others.
func (d *Diagrams) top(n Node) int32 {
	if n < 0 {
		return 1 << 30
	}
	return d.variable[n]
}

// child returns the function where a variable that is not behind its own has a value.
func (d *Diagrams) child(n Node, v int32, value int) Node {
	if n < 0 || d.variable[n] != v {
		return n
	}
	return d.children[int(d.first[n])+value]
}

// node returns the node with these children, of which there is only one.
func (d *Diagrams) node(v int32, children []Node) Node {
	same := true
	for _, c := range children[1:] {
		if c != children[0] {
			same = false
			break
		}
	}
	if same {
		return children[0]
	}
	mask := uint32(len(d.table) - 1)
	at := hashNode(v, children) & mask
	for ; d.table[at] != 0; at = (at + 1) & mask {
		if n := d.table[at] - 1; d.equals(n, v, children) {
			return Node(n)
		}
	}
	if len(d.variable) >= d.limit {
		panic(ErrTooLarge)
	}
	n := int32(len(d.variable))
	d.variable = append(d.variable, v)
	d.first = append(d.first, int32(len(d.children)))
	d.children = append(d.children, children...)
	d.table[at] = n + 1
	if 2*len(d.variable) > len(d.table) {
		d.grow()
	}
	return Node(n)
}

func (d *Diagrams) equals(n, v int32, children []Node) bool {
	if d.variable[n] != v {
		return false
	}
	at := d.first[n]
	for i, c := range children {
		if d.children[int(at)+i] != c {
			return false
		}
	}
	return true
}

func (d *Diagrams) grow() {
	table := make([]int32, 4*len(d.table))
	mask := uint32(len(table) - 1)
	for n := range d.variable {
		v, at := d.variable[n], d.first[n]
		h := hashNode(v, d.children[at:int(at)+d.domains[v]]) & mask
		for ; table[h] != 0; h = (h + 1) & mask {
		}
		table[h] = int32(n) + 1
	}
	d.table = table
	if len(d.cache) < 1<<20 && len(d.cache) < len(table) {
		old := d.cache
		d.cache = make([]cached, len(table))
		for _, e := range old {
			if e.op != 0 {
				d.cache[d.slot(e.op, e.a, e.b, e.c)] = e
			}
		}
	}
}

func mix(h, x uint32) uint32 {
	h = (h ^ x) * 0x9e3779b1
	return h ^ h>>15
}

func hashNode(v int32, children []Node) uint32 {
	h := uint32(v) + 0x85ebca6b
	for _, c := range children {
		h = mix(h, uint32(c))
	}
	return h
}

func (d *Diagrams) slot(op uint32, a, b, c Node) int {
	h := mix(mix(mix(op, uint32(a)), uint32(b)), uint32(c))
	return int(h & uint32(len(d.cache)-1))
}

func (d *Diagrams) recall(op uint32, a, b, c Node) (Node, bool) {
	e := &d.cache[d.slot(op, a, b, c)]
	return e.result, e.op == op && e.a == a && e.b == b && e.c == c
}

func (d *Diagrams) remember(op uint32, a, b, c, result Node) {
	if d.steps++; d.steps > stepsPerNode*d.limit {
		panic(ErrTooLong)
	}
	d.cache[d.slot(op, a, b, c)] = cached{op, a, b, c, result}
}

// Branches returns the variable of a function that is not constant, and the functions for each of its values.
func (d *Diagrams) Branches(n Node) (variable int, children []Node) {
	v, at := d.variable[n], d.first[n]
	return int(v), slices.Clone(d.children[at : int(at)+d.domains[v]])
}
