package input_test

import (
	"sync"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles/input"
)

func TestObjectBecomesTheValueOfItsMembers(t *testing.T) {
	t.Parallel()
	key := ast.StringTerm
	object := input.New(
		input.Member{Key: key("role"), Value: key("nurse")},
		input.Member{Key: key("at"), Object: input.New(input.Member{Key: key("id"), Value: key("ward")})},
		input.Member{Key: key("all"), Object: input.Of(ast.MustParseTerm(`["x"]`))},
		input.Member{Key: key("none"), Object: input.New()},
	)
	require.Equal(t, key("nurse"), object.Member("role").Term())
	require.Equal(t, key("ward"), object.Member("at").Object.Member("id").Value)
	require.Nil(t, object.Member("id"))
	require.Equal(t, 4, object.Len())
	require.False(t, object.IsTerm())
	require.True(t, object.Member("all").Object.IsTerm())

	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			want := ast.MustParseTerm(`{"role": "nurse", "at": {"id": "ward"}, "all": ["x"], "none": {}}`)
			require.Zero(t, want.Value.Compare(object.Term().Value))
		})
	}
	group.Wait()
	require.False(t, object.IsTerm(), "the members are still known")
	require.Nil(t, input.Of(nil).Term())
}
