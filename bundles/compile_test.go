package bundles

import (
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/stretchr/testify/require"
)

// A constant in the head of a function or of an else branch is compared in its body, where OPA's index finds it.
func TestConstantsInHeadsAreIndexed(t *testing.T) {
	source := "package app\n\nmet(\"a\", _) if input.x\n\nmet(\"b\", 1)\n\n" +
		"named(\"a\") := 1 if input.x\nelse := 2\n\ndefault named(_) := 3\n\nplain := 4\n"
	module := ast.MustParseModuleWithOpts(source, ast.ParserOptions{RegoVersion: ast.RegoV1})
	before := module.String()
	changed := indexable(module)
	require.Equal(t, before, module.String(), "the module itself stays")
	compiler := ast.NewCompiler().WithStrict(true)
	compiler.Compile(map[string]*ast.Module{"app.rego": changed})
	require.False(t, compiler.Failed(), "%v", compiler.Errors)
	for _, c := range []struct {
		function string
		args     []*ast.Term
		found    int
	}{
		{"met", []*ast.Term{ast.StringTerm("a"), ast.IntNumberTerm(7)}, 1},
		{"met", []*ast.Term{ast.StringTerm("b"), ast.IntNumberTerm(1)}, 1},
		{"met", []*ast.Term{ast.StringTerm("b"), ast.IntNumberTerm(2)}, 0},
		{"named", []*ast.Term{ast.StringTerm("a")}, 1},
		{"named", []*ast.Term{ast.StringTerm("b")}, 0},
	} {
		found, err := compiler.RuleIndex(ast.MustParseRef("data.app." + c.function)).Lookup(arguments(c.args))
		require.NoError(t, err)
		require.Len(t, found.Rules, c.found, "%s%v", c.function, c.args)
	}
}

// arguments are the arguments of a function that an index looks up; every input is defined.
type arguments []*ast.Term

func (a arguments) Resolve(ref ast.Ref) (ast.Value, error) {
	if !ref[0].Equal(ast.FunctionArgRootDocument) {
		return ast.Boolean(true), nil
	}
	i, _ := ref[1].Value.(ast.Number).Int()
	return a[i].Value, nil
}
