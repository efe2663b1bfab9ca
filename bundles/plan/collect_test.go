package plan

import (
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/stretchr/testify/require"
)

// An array that was read is a value: what two locals append to it is each's own. The planner writes no such program yet.
func TestAppendToAnArrayThatWasRead(t *testing.T) {
	e := &evaluation{}
	elems := append(make([]*ast.Term, 0, 4), ast.StringTerm("a"))
	l := []*ast.Term{{Value: &list{elems: elems}}, nil}
	made := operand{from: array, index: 0}
	read := made.load(e, l)
	l[1] = read
	for i, more := range []string{"b", "c"} {
		require.Equal(t, next, stepAppend(constantOf(ast.StringTerm(more)), i)(e, l))
	}
	other := operand{from: array, index: 1}
	require.Equal(t, []string{`["a"]`, `["a", "b"]`, `["a", "c"]`}, []string{read.String(), made.load(e, l).String(), other.load(e, l).String()})
}
