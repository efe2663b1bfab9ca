package diagram

// Fresh returns a store over the same variables, with the same limit, that has nothing but the conditions that are given.
func (s *Store) Fresh(conditions []Node) (fresh *Store, copies []Node) {
	fresh = NewStore(s.domains, s.limit)
	known := map[Node]Node{}
	var of func(n Node) Node
	of = func(n Node) Node {
		if n < 0 { // True and False are the same leaves everywhere
			return n
		}
		if copied, ok := known[n]; ok {
			return copied
		}
		v := s.variable[n]
		children := make([]Node, s.domains[v])
		for i := range children {
			children[i] = of(s.child(n, v, i))
		}
		copied := fresh.node(v, children)
		known[n] = copied
		return copied
	}
	for _, c := range conditions {
		copies = append(copies, of(c))
	}
	return fresh, copies
}
