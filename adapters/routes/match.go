package routes

import "strings"

// tree finds the first route that matches a request. Each node stands for the segments that lead to it.
type tree struct {
	literals  map[string]*tree
	parameter *tree
	ends      []*route // routes whose template ends here, in the file's order
	rests     []*route // routes whose template continues with a rest, in the file's order
	first     int      // the lowest index of a route in this node or below
}

// insert adds a route. Routes must be inserted in the file's order.
func (n *tree) insert(r *route) {
	for _, s := range r.template {
		if s.kind == restSegment {
			n.rests = append(n.rests, r)
			return
		}
		n = n.child(s, r.index)
	}
	n.ends = append(n.ends, r)
}

func (n *tree) child(s segment, index int) *tree {
	if s.kind == parameterSegment {
		if n.parameter == nil {
			n.parameter = &tree{first: index}
		}
		return n.parameter
	}
	if n.literals == nil {
		n.literals = map[string]*tree{}
	}
	child := n.literals[s.text]
	if child == nil {
		child = &tree{first: index}
		n.literals[s.text] = child
	}
	return child
}

// find returns the first route that matches: best, or one before it. rest is the remaining path; more is false if nothing
// remains, not even a slash.
func (n *tree) find(rest string, more bool, host, method string, best *route) *route {
	if best != nil && best.index < n.first {
		return best
	}
	if !more {
		return earliest(n.ends, host, method, best)
	}
	best = earliest(n.rests, host, method, best)
	part, rest, more := strings.Cut(rest, "/")
	if child := n.literals[part]; child != nil {
		best = child.find(rest, more, host, method, best)
	}
	if n.parameter != nil && part != "" {
		best = n.parameter.find(rest, more, host, method, best)
	}
	return best
}

func earliest(candidates []*route, host, method string, best *route) *route {
	for _, r := range candidates {
		if best != nil && r.index > best.index {
			return best
		}
		if r.takes(host, method) {
			return r
		}
	}
	return best
}

// covering calls visit for each route whose template matches every path that t matches.
func (n *tree) covering(t template, visit func(*route)) {
	if len(t) == 0 {
		for _, r := range n.ends {
			visit(r)
		}
		return
	}
	for _, r := range n.rests {
		visit(r)
	}
	if t[0].kind == literalSegment {
		if child := n.literals[t[0].text]; child != nil {
			child.covering(t[1:], visit)
		}
	}
	if n.parameter != nil && (t[0].kind == parameterSegment || t[0].kind == literalSegment && t[0].text != "") {
		n.parameter.covering(t[1:], visit)
	}
}
