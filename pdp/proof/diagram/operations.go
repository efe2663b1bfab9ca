package diagram

import "crypto/sha256"

// Ite returns the function that is a where a condition holds, and b elsewhere.
func (d *Diagrams) Ite(c, a, b Node) Node {
	switch {
	case c == False:
		return b
	case c < 0:
		return a
	case a == b:
		return a
	case a == True && b == False:
		return c
	}
	if result, ok := d.recall(opIte, c, a, b); ok {
		return result
	}
	v := min(d.top(c), d.top(a), d.top(b))
	from := len(d.scratch)
	for i := range d.domains[v] {
		child := d.Ite(d.child(c, v, i), d.child(a, v, i), d.child(b, v, i))
		d.scratch = append(d.scratch, child)
	}
	result := d.node(v, d.scratch[from:])
	d.scratch = d.scratch[:from]
	d.remember(opIte, c, a, b, result)
	return result
}

// And returns where both conditions hold.
func (d *Diagrams) And(a, b Node) Node {
	if b < a { // one entry of the cache for both orders
		a, b = b, a
	}
	if a == b {
		return a
	}
	return d.Ite(a, b, False)
}

// Or returns where at least one of two conditions holds.
func (d *Diagrams) Or(a, b Node) Node {
	if b < a {
		a, b = b, a
	}
	if a == b {
		return a
	}
	return d.Ite(a, True, b)
}

// Not returns where a condition does not hold.
func (d *Diagrams) Not(a Node) Node { return d.Ite(a, False, True) }

// Except returns where the first condition holds and the second does not.
func (d *Diagrams) Except(a, b Node) Node {
	if a == b {
		return False
	}
	return d.Ite(b, False, a)
}

// Map applies a function to the leaves of another. The number of the operation stands for the function: for the same node it
// must have the same result.
func (d *Diagrams) Map(op uint32, n Node, f func(leaf Node) Node) Node {
	if n < 0 {
		return f(n)
	}
	if result, ok := d.recall(op, n, 0, 0); ok {
		return result
	}
	v := d.variable[n]
	from := len(d.scratch)
	for i := range d.domains[v] {
		child := d.Map(op, d.child(n, v, i), f)
		d.scratch = append(d.scratch, child)
	}
	result := d.node(v, d.scratch[from:])
	d.scratch = d.scratch[:from]
	d.remember(op, n, 0, 0, result)
	return result
}

// Join applies a function to the leaves that two others have together, as [Diagrams.Map] does.
func (d *Diagrams) Join(op uint32, a, b Node, f func(a, b Node) Node) Node {
	if a < 0 && b < 0 {
		return f(a, b)
	}
	if result, ok := d.recall(op, a, b, 1); ok {
		return result
	}
	v := min(d.top(a), d.top(b))
	from := len(d.scratch)
	for i := range d.domains[v] {
		child := d.Join(op, d.child(a, v, i), d.child(b, v, i), f)
		d.scratch = append(d.scratch, child)
	}
	result := d.node(v, d.scratch[from:])
	d.scratch = d.scratch[:from]
	d.remember(op, a, b, 1, result)
	return result
}

// Is returns where a function has a leaf.
func (d *Diagrams) Is(n, leaf Node) Node {
	if n < 0 {
		if n == leaf {
			return True
		}
		return False
	}
	if result, ok := d.recall(opIs, n, leaf, 0); ok {
		return result
	}
	v := d.variable[n]
	from := len(d.scratch)
	for i := range d.domains[v] {
		child := d.Is(d.child(n, v, i), leaf)
		d.scratch = append(d.scratch, child)
	}
	result := d.node(v, d.scratch[from:])
	d.scratch = d.scratch[:from]
	d.remember(opIs, n, leaf, 0, result)
	return result
}

// Defined returns where a function has a value.
func (d *Diagrams) Defined(n Node) Node {
	return d.Map(opDefined, n, func(leaf Node) Node {
		if leaf == Undefined {
			return False
		}
		return True
	})
}

// Leaves returns the leaves of a function, each once, in the order of the variables' values.
func (d *Diagrams) Leaves(n Node) []Node {
	if n < 0 {
		return []Node{n}
	}
	if all, ok := d.leaves[n]; ok {
		return all
	}
	var all []Node
	found, seen := map[Node]bool{}, map[Node]bool{}
	var visit func(n Node)
	visit = func(n Node) {
		if n < 0 {
			if !found[n] {
				found[n] = true
				all = append(all, n)
			}
			return
		}
		if seen[n] {
			return
		}
		seen[n] = true
		for i := range d.domains[d.variable[n]] {
			visit(d.children[int(d.first[n])+i])
		}
	}
	visit(n)
	d.leaves[n] = all
	return all
}

// At returns the leaf of a function for values of all variables.
func (d *Diagrams) At(n Node, values []int) Node {
	for n >= 0 {
		n = d.children[int(d.first[n])+values[d.variable[n]]]
	}
	return n
}

// Depends reports on which variables a function depends.
func (d *Diagrams) Depends(n Node) []bool {
	on := make([]bool, len(d.domains))
	seen := map[Node]bool{}
	var visit func(n Node)
	visit = func(n Node) {
		if n < 0 || seen[n] {
			return
		}
		seen[n] = true
		v := d.variable[n]
		on[v] = true
		for i := range d.domains[v] {
			visit(d.children[int(d.first[n])+i])
		}
	}
	visit(n)
	return on
}

// Smallest returns values of the variables for which a condition holds: those with the smallest sum of costs, which each
// value of a variable has. It returns nil if the condition never holds.
func (d *Diagrams) Smallest(condition Node, cost func(variable, value int) int) []int {
	if condition == False {
		return nil
	}
	const never = 1 << 40
	least := map[Node]int{}
	cheapest := make([]int, len(d.domains))
	for v, n := range d.domains {
		for i := 1; i < n; i++ {
			if cost(v, i) < cost(v, cheapest[v]) {
				cheapest[v] = i
			}
		}
	}
	// sums has the cost of the cheapest values of all variables from one on.
	sums := make([]int, len(d.domains)+1)
	for v := len(d.domains) - 1; v >= 0; v-- {
		sums[v] = sums[v+1] + cost(v, cheapest[v])
	}
	from := func(n Node) int32 { return min(d.top(n), int32(len(d.domains))) }
	var of func(n Node) int
	of = func(n Node) int { // of the variables from that of the node on
		switch {
		case n == False:
			return never
		case n < 0:
			return 0
		}
		if known, ok := least[n]; ok {
			return known
		}
		best, v := never, d.variable[n]
		for i := range d.domains[v] {
			c := d.child(n, v, i)
			best = min(best, cost(int(v), i)+sums[v+1]-sums[from(c)]+of(c))
		}
		least[n] = best
		return best
	}
	values := append([]int(nil), cheapest...)
	for n := condition; n >= 0; {
		v, best, next := d.variable[n], never, n
		for i := range d.domains[v] {
			c := d.child(n, v, i)
			if sum := cost(int(v), i) + sums[v+1] - sums[from(c)] + of(c); sum < best {
				best, next, values[v] = sum, c, i
			}
		}
		n = next
	}
	return values
}

// Count returns in how many cases a condition holds.
func (d *Diagrams) Count(condition Node) float64 {
	sizes := make([]float64, len(d.domains)+1)
	sizes[len(d.domains)] = 1
	for v := len(d.domains) - 1; v >= 0; v-- {
		sizes[v] = sizes[v+1] * float64(d.domains[v])
	}
	known := map[Node]float64{}
	var of func(n Node) float64 // the share of all cases
	of = func(n Node) float64 {
		switch {
		case n == False:
			return 0
		case n < 0:
			return 1
		}
		if share, ok := known[n]; ok {
			return share
		}
		share, v := 0.0, d.variable[n]
		for i := range d.domains[v] {
			share += of(d.child(n, v, i))
		}
		share /= float64(d.domains[v])
		known[n] = share
		return share
	}
	return of(condition) * sizes[0]
}

// Digest returns a hash of a condition that does not depend on the numbers of nodes: the same for the same condition on variables
// of the same names and values.
func (d *Diagrams) Digest(condition Node, names func(variable int) string) [sha256.Size]byte {
	known := map[Node][sha256.Size]byte{}
	var of func(n Node) [sha256.Size]byte
	of = func(n Node) [sha256.Size]byte {
		if n < 0 {
			return sha256.Sum256([]byte{byte(n)})
		}
		if digest, ok := known[n]; ok {
			return digest
		}
		v := d.variable[n]
		name := sha256.Sum256([]byte(names(int(v))))
		text := name[:]
		for i := range d.domains[v] {
			child := of(d.child(n, v, i))
			text = append(text, child[:]...)
		}
		digest := sha256.Sum256(text)
		known[n] = digest
		return digest
	}
	return of(condition)
}
