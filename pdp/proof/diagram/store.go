package diagram

import (
	"encoding/binary"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Store has diagrams whose leaves are values of Rego: terms, and collections with elements that depend on variables.
type Store struct {
	*Diagrams
	values      []value // by the index of the leaf
	byHash      map[int][]Node
	collections map[string]Node
	operations  map[string]uint32
	concrete    map[Node]Node // of collections
	// Differ is told of two texts that were found to differ, one of which may stand for others.
	Differ func(a, b Node)
	// Opaque is told the name of a built-in function whose result depends on a text in another way than by equality.
	Opaque func(function string, texts []Node)
	// Missing is told of a text that an object was found not to have as a key.
	Missing func(object, key Node)
}

type value struct {
	term       *ast.Term
	collection *Collection // if term is nil
}

// Kind is the kind of a collection.
type Kind uint8

// The kinds of collections.
const (
	List Kind = iota
	Set
	Object
)

// Collection is a collection whose elements depend on variables. It does not change.
type Collection struct {
	Kind    Kind
	Entries []Entry // of a set or an object sorted by Key
}

// Entry is an element of a collection.
type Entry struct {
	Key   Node // a leaf: the element of a set, or the key of an object
	When  Node // the condition under which it is in the collection
	Value Node // the element of a list, or the member of an object
}

// NewStore returns a store over variables with the numbers of values that are given.
func NewStore(domains []int, limit int) *Store {
	s := &Store{Diagrams: New(domains, limit), byHash: map[int][]Node{}, collections: map[string]Node{}, operations: map[string]uint32{},
		concrete: map[Node]Node{}, Differ: func(Node, Node) {}, Opaque: func(string, []Node) {}, Missing: func(Node, Node) {}}
	s.values = append(s.values, value{})
	s.Term(ast.BooleanTerm(true))
	return s
}

// Term returns the leaf of a term; Undefined for nil.
func (s *Store) Term(t *ast.Term) Node {
	if t == nil {
		return Undefined
	}
	h := t.Hash()
	for _, n := range s.byHash[h] {
		if known := s.values[n.Index()].term; ast.ValueEqual(known.Value, t.Value) {
			return n
		}
	}
	n := s.newLeaf()
	s.values = append(s.values, value{term: t})
	s.byHash[h] = append(s.byHash[h], n)
	return n
}

// newLeaf returns a leaf that is not in use. There may be about as many as nodes.
func (s *Store) newLeaf() Node {
	if len(s.values) >= s.limit+100 {
		panic(ErrTooLarge)
	}
	return Leaf(len(s.values))
}

// Text returns the leaf of a text.
func (s *Store) Text(text string) Node { return s.Term(ast.StringTerm(text)) }

// TermOf returns the term of a leaf; nil if it is undefined or a collection whose elements depend on variables.
func (s *Store) TermOf(leaf Node) *ast.Term { return s.values[leaf.Index()].term }

// Collection returns a leaf that is a collection with its entries; nil if it is none. Terms are collections too.
func (s *Store) Collection(leaf Node) *Collection {
	v := &s.values[leaf.Index()]
	if v.collection == nil && v.term != nil {
		v = &value{collection: s.collectionOf(v.term)}
		s.values[leaf.Index()].collection = v.collection
	}
	return v.collection
}

func (s *Store) collectionOf(t *ast.Term) *Collection {
	var c Collection
	switch v := t.Value.(type) {
	case *ast.Array:
		c.Kind = List
		for i := range v.Len() {
			c.Entries = append(c.Entries, Entry{Undefined, True, s.Term(v.Elem(i))})
		}
	case ast.Set:
		c.Kind = Set
		for _, e := range v.Slice() {
			n := s.Term(e)
			c.Entries = append(c.Entries, Entry{n, True, n})
		}
	case ast.Object:
		c.Kind = Object
		v.Foreach(func(k, member *ast.Term) { c.Entries = append(c.Entries, Entry{s.Term(k), True, s.Term(member)}) })
	default:
		return nil
	}
	return &c
}

// Make returns the leaf of a collection. Of a set or an object the entries are sorted by key, each once.
func (s *Store) Make(kind Kind, entries []Entry) Node {
	kept := make([]Entry, 0, len(entries))
	known := true
	for _, e := range entries {
		if kind == Object {
			e.When = s.Defined(e.Value)
		}
		if e.When == False {
			continue
		}
		known = known && e.When == True && e.Value < 0 && s.TermOf(e.Value) != nil
		kept = append(kept, e)
	}
	if known {
		return s.Term(s.termOf(kind, kept))
	}
	key := make([]byte, 1, 1+12*len(kept))
	key[0] = byte(kind)
	for _, e := range kept {
		key = binary.LittleEndian.AppendUint32(key, uint32(e.Key))
		key = binary.LittleEndian.AppendUint32(key, uint32(e.When))
		key = binary.LittleEndian.AppendUint32(key, uint32(e.Value))
	}
	if n, ok := s.collections[string(key)]; ok {
		return n
	}
	n := s.newLeaf()
	s.values = append(s.values, value{collection: &Collection{kind, kept}})
	s.collections[string(key)] = n
	return n
}

func (s *Store) termOf(kind Kind, entries []Entry) *ast.Term {
	terms := make([]*ast.Term, len(entries))
	for i, e := range entries {
		terms[i] = s.TermOf(e.Value)
	}
	switch kind {
	case List:
		return ast.ArrayTerm(terms...)
	case Set:
		return ast.SetTerm(terms...)
	}
	items := make([][2]*ast.Term, len(entries))
	for i, e := range entries {
		items[i] = [2]*ast.Term{s.TermOf(e.Key), terms[i]}
	}
	return ast.ObjectTerm(items...)
}

// find returns the place of a key among entries, and whether it is there.
func (s *Store) find(entries []Entry, key Node) (int, bool) {
	t := s.TermOf(key)
	return slices.BinarySearchFunc(entries, t, func(e Entry, t *ast.Term) int { return ast.Compare(s.TermOf(e.Key).Value, t.Value) })
}

// Operation returns the number that stands for an operation, for [Diagrams.Map] and [Diagrams.Join].
func (s *Store) Operation(name string) uint32 {
	op, ok := s.operations[name]
	if !ok {
		op = firstOperation + uint32(len(s.operations))
		s.operations[name] = op
	}
	return op
}

// Concrete returns a function with the same values whose leaves are terms: a collection becomes one for each choice of its
// elements.
func (s *Store) Concrete(n Node) Node {
	result := n
	for _, leaf := range s.Leaves(n) {
		if leaf != Undefined && s.TermOf(leaf) == nil {
			result = s.Ite(s.Is(n, leaf), s.concreteOf(leaf), result)
		}
	}
	return result
}

func (s *Store) concreteOf(leaf Node) Node {
	if n, ok := s.concrete[leaf]; ok {
		return n
	}
	c := s.values[leaf.Index()].collection
	result := s.Term(s.termOf(c.Kind, nil))
	for _, e := range c.Entries {
		var with Node
		switch c.Kind {
		case List:
			with = s.Join(s.Operation("append"), result, s.Concrete(e.Value), func(list, element Node) Node {
				if element == Undefined {
					return list
				}
				return s.Term(Appended(s.TermOf(list).Value.(*ast.Array), s.TermOf(element)))
			})
		case Set:
			with = s.Map(s.Operation("add "+s.TermOf(e.Key).String()), result, func(set Node) Node {
				return s.Term(ast.NewTerm(s.TermOf(set).Value.(ast.Set).Union(ast.NewSet(s.TermOf(e.Key)))))
			})
		case Object:
			with = s.Join(s.Operation("insert "+s.TermOf(e.Key).String()), result, s.Concrete(e.Value), func(object, member Node) Node {
				if member == Undefined {
					return object
				}
				return s.Term(ast.NewTerm(inserted(s.TermOf(object).Value.(ast.Object), s.TermOf(e.Key), s.TermOf(member))))
			})
		}
		result = s.Ite(e.When, with, result)
	}
	s.concrete[leaf] = result
	return result
}

func inserted(o ast.Object, key, member *ast.Term) ast.Object {
	items := make([][2]*ast.Term, 0, o.Len()+1)
	o.Foreach(func(k, v *ast.Term) {
		if !k.Equal(key) {
			items = append(items, [2]*ast.Term{k, v})
		}
	})
	return ast.NewObject(append(items, [2]*ast.Term{key, member})...)
}

// Appended returns an array with another element. OPA's Append lets arrays share memory, and a later one replaces the last element of
// an earlier one.
func Appended(list *ast.Array, element *ast.Term) *ast.Term {
	elements := make([]*ast.Term, 0, list.Len()+1)
	list.Foreach(func(t *ast.Term) { elements = append(elements, t) })
	return ast.ArrayTerm(append(elements, element)...)
}
