package diagram

import (
	"encoding/json"
	"slices"
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"
)

// each replaces every leaf of a function by another function.
func (s *Store) each(n Node, f func(leaf Node) Node) Node {
	all := s.Leaves(n)
	if len(all) == 1 && all[0] != Undefined {
		return f(all[0])
	}
	result := Undefined
	for _, leaf := range all {
		if leaf != Undefined {
			result = s.Ite(s.Is(n, leaf), f(leaf), result)
		}
	}
	return result
}

// allTerms reports whether no leaf is a collection that depends on variables.
func (s *Store) allTerms(n Node) bool {
	return !slices.ContainsFunc(s.Leaves(n), func(leaf Node) bool { return leaf != Undefined && s.TermOf(leaf) == nil })
}

// Equal returns where two functions have the same value. Where one has none, they do not.
func (s *Store) Equal(a, b Node) Node {
	if b < a {
		a, b = b, a
	}
	if a == b {
		return s.Defined(a)
	}
	if s.allTerms(a) && s.allTerms(b) {
		return s.Join(s.Operation("equal"), a, b, s.equalLeaves)
	}
	op := s.Operation("equal collections")
	if result, ok := s.recall(op, a, b, 1); ok {
		return result
	}
	result := s.each(a, func(x Node) Node {
		return s.each(b, func(y Node) Node { return s.equalLeaves(x, y) })
	})
	s.remember(op, a, b, 1, result)
	return result
}

func (s *Store) equalLeaves(a, b Node) Node {
	switch {
	case a == Undefined || b == Undefined:
		return False
	case a == b:
		return True
	}
	if s.TermOf(a) != nil && s.TermOf(b) != nil {
		s.differ(a, b)
		return False
	}
	x, y := s.Collection(a), s.Collection(b)
	if x == nil || y == nil || x.Kind != y.Kind {
		return False
	}
	if x.Kind == List {
		return s.Equal(s.Concrete(a), s.Concrete(b))
	}
	result := True
	for _, e := range x.Entries {
		other, member := False, Undefined
		if i, found := s.find(y.Entries, e.Key); found {
			other, member = y.Entries[i].When, y.Entries[i].Value
		}
		if x.Kind == Object {
			result = s.And(result, s.Ite(e.When, s.Equal(e.Value, member), s.Not(other)))
		} else {
			result = s.And(result, s.Ite(e.When, other, s.Not(other)))
		}
	}
	for _, e := range y.Entries {
		if _, found := s.find(x.Entries, e.Key); !found {
			result = s.Except(result, e.When)
		}
	}
	return result
}

// differ tells of texts, also in collections of the same length.
func (s *Store) differ(a, b Node) {
	x, y := s.TermOf(a), s.TermOf(b)
	if _, ok := x.Value.(ast.String); ok {
		if _, ok := y.Value.(ast.String); ok {
			s.Differ(a, b)
		}
		return
	}
	c, d := s.Collection(a), s.Collection(b)
	if c == nil || d == nil || c.Kind != d.Kind || len(c.Entries) != len(d.Entries) {
		return
	}
	for i := range c.Entries {
		if v, w := c.Entries[i].Value, d.Entries[i].Value; v != w {
			s.differ(v, w)
		}
	}
}

// Lookup returns the member of a collection with a key, and undefined where there is none.
func (s *Store) Lookup(of, key Node) Node {
	op := s.Operation("lookup")
	if result, ok := s.recall(op, of, key, 1); ok {
		return result
	}
	if !s.allTerms(key) {
		key = s.Concrete(key)
	}
	result := s.each(of, func(leaf Node) Node { return s.lookup(leaf, key) })
	s.remember(op, of, key, 1, result)
	return result
}

func (s *Store) lookup(of, key Node) Node {
	c := s.Collection(of)
	if c == nil {
		return Undefined
	}
	if c.Kind == List {
		if s.TermOf(of) == nil {
			return s.Lookup(s.Concrete(of), key)
		}
		return s.each(key, func(k Node) Node {
			if i, ok := index(s.TermOf(k)); ok && i < len(c.Entries) {
				return c.Entries[i].Value
			}
			return Undefined
		})
	}
	return s.each(key, func(k Node) Node {
		if k == Undefined {
			return Undefined
		}
		i, found := s.find(c.Entries, k)
		s.tell(k, c, i, found)
		switch {
		case !found:
			s.Missing(of, k)
			return Undefined
		case c.Kind == Set:
			return s.Ite(c.Entries[i].When, k, Undefined)
		}
		return c.Entries[i].Value
	})
}

// tell tells of a text that was looked up that it differs from the other keys.
func (s *Store) tell(key Node, c *Collection, at int, found bool) {
	if _, ok := s.TermOf(key).Value.(ast.String); !ok {
		return
	}
	for i, e := range c.Entries {
		if found && i == at {
			continue
		}
		if _, ok := s.TermOf(e.Key).Value.(ast.String); ok {
			s.Differ(key, e.Key)
		}
	}
}

func index(t *ast.Term) (int, bool) {
	if t == nil {
		return 0, false
	}
	n, ok := t.Value.(ast.Number)
	if !ok {
		return 0, false
	}
	i, err := strconv.Atoi(string(n))
	return i, err == nil && i >= 0
}

// Contains returns where a value is among the elements of a list or set, or the members of an object.
func (s *Store) Contains(of, element Node) Node {
	op := s.Operation("contains")
	if result, ok := s.recall(op, of, element, 1); ok {
		return result
	}
	result := s.each(of, func(leaf Node) Node {
		c := s.Collection(leaf)
		if c == nil {
			return False
		}
		found := False
		for _, e := range c.Entries {
			v := e.Value
			if c.Kind == Set {
				v = e.Key
			}
			found = s.Or(found, s.And(e.When, s.Equal(v, element)))
		}
		return found
	})
	s.remember(op, of, element, 1, result)
	return result
}

// Length returns the number of elements of a collection; undefined for other values.
func (s *Store) Length(of Node) Node {
	return s.each(of, func(leaf Node) Node {
		c := s.Collection(leaf)
		if c == nil {
			return Undefined
		}
		sum := s.Int(0)
		for _, e := range c.Entries {
			sum = s.Ite(e.When, s.Increased(sum), sum)
		}
		return sum
	})
}

// Increased returns an integer and one.
func (s *Store) Increased(n Node) Node {
	return s.Map(s.Operation("increase"), n, func(leaf Node) Node {
		i, _ := index(s.TermOf(leaf))
		return s.Int(i + 1)
	})
}

// Int returns the leaf of an integer.
func (s *Store) Int(i int) Node { return s.Term(ast.NumberTerm(json.Number(strconv.Itoa(i)))) }

// Append appends a value to a list under a condition. Elsewhere the list stays as it is.
func (s *Store) Append(list, v, when Node) Node {
	return s.change(List, list, when, func(c *Collection) []Entry {
		return append(slices.Clone(c.Entries), Entry{Undefined, when, v})
	})
}

// Add adds a value to a set under a condition.
func (s *Store) Add(set, v, when Node) Node {
	v = s.Concrete(v)
	return s.change(Set, set, when, func(c *Collection) []Entry {
		entries := slices.Clone(c.Entries)
		for _, leaf := range s.Leaves(v) {
			if leaf == Undefined {
				continue
			}
			here := s.And(when, s.Is(v, leaf))
			if i, found := s.find(entries, leaf); found {
				entries[i].When = s.Or(entries[i].When, here)
			} else if here != False {
				entries = slices.Insert(entries, i, Entry{leaf, here, leaf})
			}
		}
		return entries
	})
}

// Insert sets a member of an object under a condition.
func (s *Store) Insert(object, key, v, when Node) Node {
	key = s.Concrete(key)
	return s.change(Object, object, when, func(c *Collection) []Entry {
		entries := slices.Clone(c.Entries)
		for _, leaf := range s.Leaves(key) {
			if leaf == Undefined {
				continue
			}
			here := s.And(when, s.Is(key, leaf))
			if here == False {
				continue
			}
			i, found := s.find(entries, leaf)
			if !found {
				entries = slices.Insert(entries, i, Entry{leaf, False, Undefined})
			}
			entries[i].Value = s.Ite(here, v, entries[i].Value)
		}
		return entries
	})
}

// change changes the collections that a function has. The entries are to be changed under the condition alone, so that the
// others stay as they are.
func (s *Store) change(kind Kind, n, when Node, f func(c *Collection) []Entry) Node {
	if when == False {
		return n
	}
	return s.each(n, func(leaf Node) Node {
		c := s.Collection(leaf)
		if c == nil || c.Kind != kind || s.And(when, s.Is(n, leaf)) == False {
			return leaf
		}
		return s.Make(c.Kind, f(c))
	})
}

// Merge joins two objects, and objects in them. Where both have a member that is not an object, the second wins, or the first if
// first is set.
func (s *Store) Merge(a, b Node, first bool) Node {
	op := s.Operation("merge")
	if first {
		op = s.Operation("merge, the first wins")
	}
	if result, ok := s.recall(op, a, b, 1); ok {
		return result
	}
	result := s.merge(a, b, first)
	s.remember(op, a, b, 1, result)
	return result
}

func (s *Store) merge(a, b Node, first bool) Node {
	return s.each(a, func(x Node) Node {
		return s.each(b, func(y Node) Node {
			c, d := s.Collection(x), s.Collection(y)
			if c == nil || d == nil || c.Kind != Object || d.Kind != Object {
				if first {
					return x
				}
				return y
			}
			entries := slices.Clone(c.Entries)
			for _, e := range d.Entries {
				i, found := s.find(entries, e.Key)
				if !found {
					entries = slices.Insert(entries, i, e)
					continue
				}
				old := entries[i].Value
				both := s.Merge(old, e.Value, first)
				entries[i].Value = s.Ite(s.Defined(old), s.Ite(e.When, both, old), e.Value)
			}
			return s.Make(Object, entries)
		})
	})
}

// Sets combines two sets element by element. It is undefined where one is no set.
func (s *Store) Sets(a, b Node, combine func(a, b Node) Node) Node {
	return s.each(a, func(x Node) Node {
		return s.each(b, func(y Node) Node {
			c, d := s.Collection(x), s.Collection(y)
			if c == nil || d == nil || c.Kind != Set || d.Kind != Set {
				return Undefined
			}
			keys := make([]Node, 0, len(c.Entries)+len(d.Entries))
			for _, e := range slices.Concat(c.Entries, d.Entries) {
				keys = append(keys, e.Key)
			}
			slices.SortFunc(keys, func(a, b Node) int {
				return ast.Compare(s.TermOf(a).Value, s.TermOf(b).Value)
			})
			keys = slices.Compact(keys)
			when := func(of *Collection, key Node) Node {
				if i, found := s.find(of.Entries, key); found {
					return of.Entries[i].When
				}
				return False
			}
			entries := make([]Entry, len(keys))
			for i, k := range keys {
				entries[i] = Entry{k, combine(when(c, k), when(d, k)), k}
			}
			return s.Make(Set, entries)
		})
	})
}

// Keys returns the keys of an object as a set; undefined for other values.
func (s *Store) Keys(of Node) Node {
	return s.each(of, func(leaf Node) Node {
		c := s.Collection(leaf)
		if c == nil || c.Kind != Object {
			return Undefined
		}
		entries := make([]Entry, len(c.Entries))
		for i, e := range c.Entries {
			entries[i] = Entry{e.Key, e.When, e.Key}
		}
		return s.Make(Set, entries)
	})
}

// IsKind returns where a function has a collection of a kind.
func (s *Store) IsKind(n Node, kind Kind) Node {
	return s.Map(s.Operation("kind "+strconv.Itoa(int(kind))), n, func(leaf Node) Node {
		if c := s.Collection(leaf); c != nil && c.Kind == kind {
			return True
		}
		return False
	})
}
