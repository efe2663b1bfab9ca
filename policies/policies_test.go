package policies_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/util"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/policies"
)

// These tests check the conventions of the Rego tree on its syntax tree.

// parse returns every Rego file, by its path. Callers may add modules to the map, but must not change those in it.
func parse(t *testing.T) map[string]*ast.Module {
	t.Helper()
	modules, err := parsed()
	require.NoError(t, err)
	require.NotEmpty(t, modules)
	return maps.Clone(modules)
}

var parsed = sync.OnceValues(func() (map[string]*ast.Module, error) {
	modules := map[string]*ast.Module{}
	err := fs.WalkDir(policies.Files(), "authz", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || path.Ext(name) != ".rego" {
			return err
		}
		source, err := fs.ReadFile(policies.Files(), name)
		if err != nil {
			return err
		}
		modules[name], err = ast.ParseModuleWithOpts(name, string(source), ast.ParserOptions{
			ProcessAnnotation: true,
			RegoVersion:       ast.RegoV1,
			Capabilities:      bundles.Capabilities(),
		})
		return err
	})
	return modules, err
})

// compile compiles the modules as opening a policy does, and also with the schema of the input. It resolves references.
func compile(modules map[string]*ast.Module, schema any) (*ast.Compiler, error) {
	schemas := ast.NewSchemaSet()
	schemas.Put(ast.SchemaRootRef, schema)
	compiler := ast.NewCompiler().WithCapabilities(bundles.Capabilities()).WithStrict(true).WithSchemas(schemas)
	compiler.Compile(modules) // copies them
	if compiler.Failed() {
		return nil, compiler.Errors
	}
	return compiler, nil
}

// compiled returns the tree, compiled only once.
func compiled(t *testing.T) *ast.Compiler {
	t.Helper()
	compiler, err := compiledOnce()
	require.NoError(t, err)
	return compiler
}

var compiledOnce = sync.OnceValues(func() (*ast.Compiler, error) {
	modules, err := parsed()
	if err != nil {
		return nil, err
	}
	schema, err := fs.ReadFile(policies.Files(), inputSchemaFile)
	if err != nil {
		return nil, err
	}
	var value any
	if err := util.Unmarshal(schema, &value); err != nil {
		return nil, err
	}
	return compile(modules, value)
})

const inputSchemaFile = "schemas/input.json"

func inputSchema(t *testing.T) map[string]any {
	t.Helper()
	return document(t, inputSchemaFile)
}

// document reads a JSON or YAML file.
func document(t *testing.T, name string) map[string]any {
	t.Helper()
	source, err := fs.ReadFile(policies.Files(), name)
	require.NoError(t, err)
	var value map[string]any
	require.NoError(t, util.Unmarshal(source, &value), name)
	return value
}

func isTest(name string) bool { return strings.HasSuffix(name, "_test.rego") }

func isPrivate(name string) bool { return strings.HasPrefix(name, "_") }

func ruleName(rule *ast.Rule) string {
	return string(rule.Head.Ref()[0].Value.(ast.Var))
}

func TestPackageIsThePath(t *testing.T) {
	for name, module := range parse(t) {
		want := "data." + strings.ReplaceAll(path.Dir(name), "/", ".")
		if isTest(name) {
			want += "_test"
		}
		require.Equal(t, want, module.Package.Path.String(), name)
	}
}

func TestTestsHaveUniqueNames(t *testing.T) {
	seen := map[string]string{}
	for name, module := range parse(t) {
		for _, rule := range module.Rules {
			test := ruleName(rule)
			if !strings.HasPrefix(test, "test_") {
				continue
			}
			require.True(t, isTest(name), "%s: %s is no rule of a policy", rule.Location, test)
			require.Empty(t, seen[test], "%s: another test has the name %s: either may fail unseen", rule.Location, test)
			seen[test] = rule.Location.String()
		}
	}
	require.NotEmpty(t, seen)
}

func TestPublicRulesAndPackagesHaveTitles(t *testing.T) {
	titled, public := map[string]bool{}, map[string]string{}
	for name, module := range parse(t) {
		if isTest(name) {
			continue
		}
		public[module.Package.Path.String()] = name
		for _, rule := range module.Rules {
			if !isPrivate(ruleName(rule)) {
				public[module.Package.Path.String()+"."+ruleName(rule)] = rule.Location.String()
			}
		}
		for _, annotation := range module.Annotations {
			if annotation.Title != "" {
				titled[annotation.GetTargetPath().GroundPrefix().String()] = true
			}
		}
	}
	for target, where := range public {
		require.True(t, titled[target], "%s: %s has no # METADATA title", where, target)
	}
}

func TestOneEntrypoint(t *testing.T) {
	var entrypoints []string
	for _, module := range parse(t) {
		for _, annotation := range module.Annotations {
			if annotation.Entrypoint {
				entrypoints = append(entrypoints, annotation.GetTargetPath().String())
			}
		}
	}
	require.Equal(t, []string{"data.authz.decision"}, entrypoints)
}

func TestLinesAreShort(t *testing.T) {
	var long []string
	for _, name := range slices.Sorted(maps.Keys(parse(t))) {
		source, err := fs.ReadFile(policies.Files(), name)
		require.NoError(t, err)
		for i, line := range strings.Split(string(source), "\n") {
			if utf8.RuneCountInString(line) > 120 {
				long = append(long, fmt.Sprintf("%s:%d", name, i+1))
			}
		}
	}
	require.Empty(t, long, "longer than 120 characters")
}

// ruleIDs returns the ids of the rules in DOMAIN.md.
func ruleIDs(t *testing.T) []string {
	t.Helper()
	ids := rulesOf(specification(t))
	require.NotEmpty(t, ids)
	return ids
}

func specification(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("DOMAIN.md")
	require.NoError(t, err)
	return string(text)
}

func TestEveryRuleIsNamedByATest(t *testing.T) {
	var tests []string
	for _, module := range parse(t) {
		for _, rule := range module.Rules {
			tests = append(tests, ruleName(rule))
		}
	}
	for _, id := range ruleIDs(t) {
		prefix := "test_" + strings.ToLower(strings.ReplaceAll(id, "-", "_")) + "_"
		require.True(t, slices.ContainsFunc(tests, func(test string) bool { return strings.HasPrefix(test, prefix) }),
			"DOMAIN.md has the rule %s: write a Rego test %s… below policies/authz", id, prefix)
	}
}

// A policy that compiles under these capabilities uses no clock, network or randomness.
func TestOnlyPureBuiltins(t *testing.T) {
	for _, impure := range []string{`http.send({})`, `time.now_ns()`, `rand.intn("x", 2)`, `opa.runtime()`, `net.lookup_ip_addr("x")`} {
		module := ast.MustParseModuleWithOpts("package authz.impure\n\nx := "+impure, ast.ParserOptions{RegoVersion: ast.RegoV1})
		_, err := compile(map[string]*ast.Module{"impure.rego": module}, inputSchema(t))
		require.ErrorContains(t, err, "undefined function", impure)
	}
	compiled(t)
}
