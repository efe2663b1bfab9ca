package policies_test

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles/release"
	"github.com/wardkeeper/wardkeeper/policies"
)

// refs calls visit for each reference of a module that begins with one of the names.
func refs(module *ast.Module, visit func(ref ast.Ref, where string), heads ...string) {
	ast.WalkRefs(module, func(ref ast.Ref) bool {
		if head, ok := ref[0].Value.(ast.Var); ok && slices.Contains(heads, string(head)) {
			visit(ref, fmt.Sprintf("%s: %s", ref[0].Location, ref))
		}
		return false
	})
}

func TestNobodyReadsAnotherPackagesPrivateRules(t *testing.T) {
	for _, module := range compiled(t).Modules {
		home := module.Package.Path
		refs(module, func(ref ast.Ref, where string) {
			for i, term := range ref[1:] {
				name, ok := term.Value.(ast.String)
				if ok && isPrivate(string(name)) {
					require.True(t, ref[:i+1].Equal(home), "%s is private to its package", where)
				}
			}
		}, "data")
	}
}

// baseData returns the data of the tables, at the paths of their files.
func baseData(t *testing.T) map[string]any {
	t.Helper()
	base := map[string]any{}
	err := fs.WalkDir(policies.Files(), ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || path.Base(name) != "data.yaml" {
			return err
		}
		at := base
		for _, step := range strings.Split(path.Dir(name), "/") {
			next, ok := at[step].(map[string]any)
			if !ok {
				next = map[string]any{}
				at[step] = next
			}
			at = next
		}
		for key, value := range document(t, name) {
			require.NotContains(t, at, key, "%s: another file has it too", name)
			at[key] = value
		}
		return nil
	})
	require.NoError(t, err)
	return base
}

// inTables reports whether steps lead anywhere from a value of the tables; a step that is not a string may be any key.
func inTables(value any, steps ast.Ref) bool {
	if len(steps) == 0 {
		return true
	}
	switch value := value.(type) {
	case map[string]any:
		if key, ok := steps[0].Value.(ast.String); ok {
			next, found := value[string(key)]
			return found && inTables(next, steps[1:])
		}
		for _, next := range value {
			if inTables(next, steps[1:]) {
				return true
			}
		}
	case []any:
		for _, next := range value {
			if inTables(next, steps[1:]) {
				return true
			}
		}
	}
	return false
}

func unresolved(t *testing.T, compiler *ast.Compiler) []string {
	t.Helper()
	base := baseData(t)
	var all []string
	for _, module := range compiler.Modules {
		refs(module, func(ref ast.Ref, where string) {
			if len(compiler.GetRulesForVirtualDocument(ref.GroundPrefix())) == 0 &&
				len(compiler.GetRulesWithPrefix(ref.GroundPrefix())) == 0 && !inTables(base, ref[1:]) {
				all = append(all, where)
			}
		}, "data")
	}
	return all
}

func TestEveryDataReferenceResolves(t *testing.T) {
	require.Empty(t, unresolved(t, compiled(t)))
}

func TestUnresolvedDataReferencesAreFound(t *testing.T) {
	bodies := []string{
		`data.authz.regional.matricks["REG-5"].region`,
		`data.authz.regional.matrix["REG-5"].regoin`,
		`data.authz.regional.roles[x].sees_patient`,
		`data.authz.reginal.knows`,
		`data.authz.messages.reasons.selff`,
	}
	compiler, err := compile(inserted(t, bodies...), inputSchema(t))
	require.NoError(t, err)
	found := unresolved(t, compiler)
	require.Len(t, found, len(bodies))
	for i := range bodies {
		at := fmt.Sprintf("%s:%d: ", insertedFile, insertedLine(i))
		require.True(t, slices.ContainsFunc(found, func(where string) bool { return strings.HasPrefix(where, at) }), "%s: %v", bodies[i], found)
	}
}

const insertedFile = "authz/inserted/inserted.rego"

// insertedLine returns the line of a body in the inserted file.
func insertedLine(body int) int { return 3 + body }

// inserted returns the tree with one more file, which has a rule for each body.
func inserted(t *testing.T, bodies ...string) map[string]*ast.Module {
	t.Helper()
	modules := parse(t)
	source := "package authz.inserted\n\n"
	for _, body := range bodies {
		source += "found contains value if value := " + strings.ReplaceAll(body, "[x]", "[_]") + "\n"
	}
	module, err := ast.ParseModuleWithOpts(insertedFile, source, ast.ParserOptions{RegoVersion: ast.RegoV1})
	require.NoError(t, err)
	modules[insertedFile] = module
	return modules
}

// misspelt lists the references of the policy to facts that the schema does not know.
func misspelt(modules map[string]*ast.Module, schema any) []string {
	var all []string
	for name, module := range modules {
		if isTest(name) {
			continue
		}
		for _, ref := range release.UnknownFacts(module, schema) {
			all = append(all, fmt.Sprintf("%s: %s", ref[0].Location, ref))
		}
	}
	return all
}

func TestEveryFactIsInTheSchema(t *testing.T) {
	require.Empty(t, misspelt(parse(t), inputSchema(t)))
}

func TestMisspeltFactsAreFound(t *testing.T) {
	for _, body := range []string{
		`input.facts.user.default_locaton`,
		`input.facts.user.assignments[x].rolle`,
		`input.facts.user.assignments[x].access.area`,
		`input.facts.locations[x].knd`,
		`input.facts.standings[x].helld`,
		`input.fact.user`,
	} {
		require.Len(t, misspelt(inserted(t, body), inputSchema(t)), 1, body)
	}
	for _, body := range []string{
		`input.facts.user.assignments[x].access.areas.users`,
		`input.facts.locations[x].path.anything`,
		`input.action.properties.anything[x].below`,
		`input.context.anything`,
	} {
		require.Empty(t, misspelt(inserted(t, body), inputSchema(t)), body)
	}
}

// OPA's own check with the schema finds a misspelled fact, here and in `opa check --schema`.
func TestMisspeltFactFailsTheSchemaCheck(t *testing.T) {
	const file = "authz/regional/membership.rego"
	source, err := fs.ReadFile(policies.Files(), file)
	require.NoError(t, err)
	require.Contains(t, string(source), "input.facts.user.default_location")
	wrong := strings.Replace(string(source), "input.facts.user.default_location", "input.facts.user.default_locaton", 1)
	modules := parse(t)
	modules[file], err = ast.ParseModuleWithOpts(file, wrong, ast.ParserOptions{RegoVersion: ast.RegoV1})
	require.NoError(t, err)
	_, err = compile(modules, inputSchema(t))
	require.ErrorContains(t, err, "default_locaton")
}
