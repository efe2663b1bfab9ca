package policies_test

import (
	"slices"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/stretchr/testify/require"
)

// TestInlineActionsAreThoseOfTheTables checks the sets of action names that rules write inline, for OPA's index, against
// the tables: the actions that need no current location, and those of SYS-11.
func TestInlineActionsAreThoseOfTheTables(t *testing.T) {
	marked := map[string][]string{"needs_no_current_location": {}, "crosses_organizations": {}}
	for _, model := range []string{"regional", "health_system", "practice_group", "vendor"} {
		actions := document(t, "authz/"+model+"/data.yaml")["actions"].(map[string]any)
		for name, value := range actions {
			entry := value.(map[string]any)
			for mark := range marked {
				if entry[mark] == true {
					marked[mark] = append(marked[mark], name)
				}
			}
		}
	}
	for key, names := range marked {
		slices.Sort(names)
		marked[key] = slices.Compact(names)
		require.NotEmpty(t, names, key)
	}
	// Every action that needs no current location has a place of its own, except patient.view.
	placed := slices.DeleteFunc(slices.Clone(marked["needs_no_current_location"]), func(name string) bool { return name == "patient.view" })
	found := 0
	for file, module := range parse(t) {
		if isTest(file) || module.Package.Path.String() != "data.authz" {
			continue
		}
		for _, set := range inlineActions(module) {
			switch {
			case slices.Contains(set, "location.switch"):
				require.Contains(t, [][]string{marked["needs_no_current_location"], placed}, set, file)
			case slices.Contains(set, "entity.create"):
				require.Equal(t, marked["crosses_organizations"], set, file)
			default:
				continue
			}
			found++
		}
	}
	require.GreaterOrEqual(t, found, 5)
}

// inlineActions finds the sets in `input.action.name in {…}`, sorted.
func inlineActions(module *ast.Module) [][]string {
	var sets [][]string
	ast.WalkExprs(module, func(expr *ast.Expr) bool {
		operands := expr.Operands()
		if !expr.IsCall() || len(operands) < 2 || operands[0].String() != "input.action.name" {
			return false
		}
		set, ok := operands[1].Value.(ast.Set)
		if !ok {
			return false
		}
		var names []string
		set.Foreach(func(term *ast.Term) {
			if name, ok := term.Value.(ast.String); ok {
				names = append(names, string(name))
			}
		})
		slices.Sort(names)
		sets = append(sets, names)
		return false
	})
	return sets
}
