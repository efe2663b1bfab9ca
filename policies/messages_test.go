package policies_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// codesOf reads the codes of DOMAIN.md section 7, the contract with applications, by the list of messages that has their
// sentences.
func codesOf(t *testing.T) map[string][]string {
	t.Helper()
	_, section, found := strings.Cut(specification(t), "\n## 7. Codes\n")
	require.True(t, found, "DOMAIN.md has no section 7. Codes")
	section, _, _ = strings.Cut(section, "\n## ")
	listed := func(start, end string) []string {
		_, text, found := strings.Cut(section, start)
		require.True(t, found, "DOMAIN.md section 7 has no list %q", start)
		text, _, _ = strings.Cut(text, end)
		var codes []string
		for _, code := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(text, -1) {
			codes = append(codes, code[1])
		}
		return codes
	}
	return map[string][]string{
		"reasons": listed("Reasons:", "\n\n"), "advice": listed("Advice:", "\n\n"), "notifications": listed("(topics", ")"),
	}
}

func TestEveryCodeHasASentence(t *testing.T) {
	messages := document(t, "authz/data.yaml")["messages"].(map[string]any)
	want := codesOf(t)
	require.ElementsMatch(t, slices.Collect(maps.Keys(want)), slices.Collect(maps.Keys(messages)))
	for list, codes := range want {
		sentences := messages[list].(map[string]any)
		require.ElementsMatch(t, codes, slices.Sorted(maps.Keys(sentences)),
			"the %s of policies/DOMAIN.md section 7 (expected) and those of policies/authz/data.yaml (actual) differ: edit both", list)
		for code, sentence := range sentences {
			text, _ := sentence.(string)
			require.Regexp(t, `^[A-Z][^.]*\.$`, text, "policies/authz/data.yaml, %s %s: write one plain sentence", list, code)
		}
	}
}

func TestTablesNameRulesOfTheSpecification(t *testing.T) {
	ids := ruleIDs(t)
	for _, model := range []string{"regional", "health_system", "practice_group", "vendor"} {
		tables := document(t, "authz/"+model+"/data.yaml")
		matrix, _ := tables["matrix"].(map[string]any)
		for table, entries := range map[string]map[string]any{"rules": tables["rules"].(map[string]any), "matrix": matrix} {
			for name, entry := range entries {
				if id, ok := entry.(map[string]any)["rule"]; ok {
					require.Contains(t, ids, id, "authz/%s/data.yaml, %s, %s: policies/DOMAIN.md has no such rule: add a row to its table", model, table, name)
				}
			}
		}
		for name, entry := range tables["actions"].(map[string]any) {
			if rows, ok := entry.(map[string]any)["rules"].(map[string]any); ok {
				for id := range rows {
					require.Contains(t, ids, id, "authz/%s/data.yaml, actions, %s: policies/DOMAIN.md has no such rule: add a row to its table", model, name)
				}
			}
		}
	}
}
