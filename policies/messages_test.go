package policies_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The codes of DOMAIN.md section 7: a stable contract.
const (
	reasonCodes = `already_assigned area_required current_location_required default_location delete_not_allowed
		existing_location existing_user field_not_allowed level_not_available location_edit_not_permitted missing_field
		no_patient_access not_assigned not_assigned_here not_at_current_location not_invited not_permitted
		nothing_to_change obligation_unsupported only_location other_location other_organization owner_required
		password_not_allowed plan_required role_not_available self subject_inactive system_admin_required
		unknown_action unknown_location unknown_subject unknown_user user_active user_inactive
		username_mismatch vendor_only`
	adviceCodes = `access_ended access_retained change_default_first deactivate_instead default_moves
		invite_existing reactivate_instead switch_location temporary_password`
	topics = `access_granted invitation onboarding welcome`
)

func TestEveryCodeHasItsSentenceAndNoOther(t *testing.T) {
	messages := document(t, "authz/data.yaml")["messages"].(map[string]any)
	want := map[string]string{"reasons": reasonCodes, "advice": adviceCodes, "notifications": topics}
	require.ElementsMatch(t, slices.Collect(maps.Keys(want)), slices.Collect(maps.Keys(messages)))
	for list, codes := range want {
		sentences := messages[list].(map[string]any)
		require.Equal(t, strings.Fields(codes), slices.Sorted(maps.Keys(sentences)), list)
		for code, sentence := range sentences {
			text, _ := sentence.(string)
			require.Regexp(t, `^[A-Z][^.]*\.$`, text, "%s %s: one plain sentence", list, code)
		}
	}
}

// Every rule id and code that the tables of the models name is one of the specification.
func TestTablesNameKnownRulesAndCodes(t *testing.T) {
	ids := append(ruleIDs(), "ROW")
	codes := strings.Fields(reasonCodes)
	found := 0
	var check func(file string, value any)
	check = func(file string, value any) {
		switch value := value.(type) {
		case map[string]any:
			for key, below := range value {
				check(file, key)
				check(file, below)
			}
		case []any:
			for _, below := range value {
				check(file, below)
			}
		case string:
			parts := strings.Split(value, "/")
			if len(parts) == 1 || strings.Contains(value, " ") {
				return
			}
			require.Contains(t, ids, parts[0], "%s: %s", file, value)
			require.Contains(t, codes, parts[1], "%s: %s", file, value)
			found++
		}
	}
	for _, model := range []string{"regional", "health_system", "practice_group", "vendor"} {
		file := "authz/" + model + "/data.yaml"
		check(file, document(t, file))
	}
	require.NotZero(t, found)
}
