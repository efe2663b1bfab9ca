package diagram

// Exists returns where a condition holds for some values of the variables that are marked.
func (s *Store) Exists(n Node, marked []bool) Node {
	name := make([]byte, len(marked))
	for i, m := range marked {
		if m {
			name[i] = 1
		}
	}
	return s.exists(s.Operation("exists "+string(name)), n, marked)
}

func (s *Store) exists(op uint32, n Node, marked []bool) Node {
	if n < 0 {
		return n
	}
	if result, ok := s.recall(op, n, 0, 0); ok {
		return result
	}
	v := s.variable[n]
	children := make([]Node, s.domains[v])
	for i := range children {
		children[i] = s.exists(op, s.child(n, v, i), marked)
	}
	var result Node
	if marked[v] {
		result = False
		for _, c := range children {
			result = s.Or(result, c)
		}
	} else {
		result = s.node(v, children)
	}
	s.remember(op, n, 0, 0, result)
	return result
}
