package diagram_test

import (
	"math/rand/v2"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/proof/diagram"
)

var domains = []int{2, 3, 4, 2}

// random returns a function with random leaves, and its table.
func random(s *diagram.Store, rng *rand.Rand, leaves []diagram.Node) diagram.Node {
	var of func(v int) diagram.Node
	of = func(v int) diagram.Node {
		if v == len(domains) || rng.IntN(8) == 0 {
			return leaves[rng.IntN(len(leaves))]
		}
		result := diagram.Undefined
		for i := range domains[v] {
			is := make([]diagram.Node, domains[v])
			for j := range is {
				is[j] = diagram.False
			}
			is[i] = diagram.True
			result = s.Ite(s.Variable(v, is), of(v+1), result)
		}
		return result
	}
	return of(0)
}

func eachCase(f func(values []int)) {
	values := make([]int, len(domains))
	var visit func(v int)
	visit = func(v int) {
		if v == len(domains) {
			f(values)
			return
		}
		for values[v] = range domains[v] {
			visit(v + 1)
		}
	}
	visit(0)
}

// TestOperationsHoldCaseByCase compares operations on functions with the same operations on their values, for all cases of random
// functions.
func TestOperationsHoldCaseByCase(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 0))
		s := diagram.NewStore(domains, 100_000)
		conditions := []diagram.Node{diagram.False, diagram.True}
		c, d := random(s, rng, conditions), random(s, rng, conditions)
		texts := []diagram.Node{diagram.Undefined, s.Text("a"), s.Text("b"), s.Text("c")}
		x, y := random(s, rng, texts), random(s, rng, texts)
		list := s.Append(s.Append(s.Make(diagram.List, nil), x, s.And(c, s.Defined(x))), y, s.And(d, s.Defined(y)))
		set := s.Add(s.Add(s.Make(diagram.Set, nil), x, c), y, d)
		object := s.Insert(s.Insert(s.Make(diagram.Object, nil), x, s.Text("first"), c), y, s.Text("second"), d)
		lists, sets, objects, length := s.Concrete(list), s.Concrete(set), s.Concrete(object), s.Length(set)
		equal, member, found, both := s.Equal(x, y), s.Contains(list, x), s.Lookup(object, x), s.Equal(set, s.Add(s.Make(diagram.Set, nil), x, diagram.True))
		merged := s.Concrete(s.Merge(object, s.Insert(s.Make(diagram.Object, nil), x, s.Text("third"), diagram.True), false))
		least, count := 1<<30, 0
		eachCase(func(values []int) {
			at := func(n diagram.Node) *ast.Term { return s.TermOf(s.At(n, values)) }
			holds := func(n diagram.Node) bool { return s.At(n, values) == diagram.True }
			a, b, in, also := at(x), at(y), holds(c), holds(d)
			elements, members := []*ast.Term{}, ast.NewObject()
			if in && a != nil {
				elements = append(elements, a)
				members.Insert(a, ast.StringTerm("first"))
			}
			if also && b != nil {
				elements = append(elements, b)
				members.Insert(b, ast.StringTerm("second"))
			}
			require.Equal(t, in && also, holds(s.And(c, d)))
			require.Equal(t, in || also, holds(s.Or(c, d)))
			require.Equal(t, in && !also, holds(s.Except(c, d)))
			require.Equal(t, ast.ArrayTerm(elements...).String(), at(lists).String())
			require.Equal(t, ast.SetTerm(elements...).String(), at(sets).String())
			require.Equal(t, ast.NewTerm(members).String(), at(objects).String())
			require.Equal(t, ast.InternedTerm(ast.NewSet(elements...).Len()).String(), at(length).String())
			require.Equal(t, a != nil && b != nil && a.Equal(b), holds(equal))
			isMember := false
			for _, e := range elements {
				isMember = isMember || a != nil && e.Equal(a)
			}
			require.Equal(t, isMember, holds(member))
			only := ast.NewSet()
			var value *ast.Term
			if a != nil {
				only.Add(a)
				value = members.Get(a)
			}
			require.Equal(t, value, at(found))
			require.Equal(t, only.Compare(ast.NewSet(elements...)) == 0, holds(both))
			if a != nil {
				members.Insert(a, ast.StringTerm("third"))
			}
			require.Equal(t, ast.NewTerm(members).String(), at(merged).String())
			if in {
				count++
				sum := 0
				for _, v := range values {
					sum += v * v
				}
				least = min(least, sum)
			}
		})
		require.InDelta(t, count, s.Count(c), 0.001)
		smallest := s.Smallest(c, func(_, value int) int { return value * value })
		if c == diagram.False {
			require.Nil(t, smallest)
			continue
		}
		require.Equal(t, diagram.True, s.At(c, smallest))
		sum := 0
		for _, v := range smallest {
			sum += v * v
		}
		require.Equal(t, least, sum)
	}
}

func TestTooManyNodesAreAnError(t *testing.T) {
	work := func(limit int) (err error) {
		defer diagram.Guard(&err)
		s := diagram.NewStore(domains, limit)
		random(s, rand.New(rand.NewPCG(3, 0)), []diagram.Node{s.Text("a"), s.Text("b"), s.Text("c")})
		return nil
	}
	require.NoError(t, work(1000))
	require.ErrorIs(t, work(2), diagram.ErrTooLarge)
}
