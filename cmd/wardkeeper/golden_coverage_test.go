package main

import (
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// goldenRules are the rules that the models' tables name, by the folders that may have a file about them.
var goldenRules = map[string]string{
	"all": "ALL-1 ALL-2 ALL-3 ALL-4 ALL-5 ALL-6 ALL-7 ALL-8 ALL-9 ALL-10 ALL-11 ALL-12 ALL-13",
	"regional": "REG-1 REG-2 REG-3 REG-4 REG-5 REG-6 REG-7 REG-8 REG-9 REG-10 REG-11 " +
		"REG-I1 REG-I2 REG-I3 REG-I4 REG-I5 REG-I6 REG-I7 REG-W1 REG-W2 REG-20 REG-21 REG-22",
	"health_system":  "SYS-1 SYS-2 SYS-3 SYS-4 SYS-5 SYS-6 SYS-7 SYS-8 SYS-10 SYS-11",
	"practice_group": "PRA-1 PRA-2 PRA-3 PRA-4 PRA-5 PRA-6 PRA-7 PRA-8 PRA-9 PRA-10 PRA-11 PRA-12",
	"vendor":         "SYS-11",
}

// The codes are a contract with whoever reads them: a new one, or one that no longer comes up, is to be noticed.
const (
	goldenReasons = "already_assigned area_required current_location_required default_location delete_not_allowed " +
		"existing_location existing_user field_not_allowed level_not_available location_edit_not_permitted missing_field " +
		"no_patient_access not_assigned not_assigned_here not_at_current_location not_invited not_permitted " +
		"nothing_to_change obligation_unsupported only_location other_location other_organization owner_required " +
		"password_not_allowed plan_required role_not_available self subject_inactive system_admin_required " +
		"unknown_action unknown_location unknown_subject unknown_user user_active user_inactive " +
		"username_mismatch vendor_only"
	goldenAdvice = "access_ended access_retained change_default_first deactivate_instead default_moves " +
		"invite_existing reactivate_instead switch_location temporary_password"
	goldenObligations = "custom/confirm custom/warn notification/access_granted notification/invitation " +
		"notification/onboarding notification/welcome session_termination"
)

func TestGoldenNames(t *testing.T) {
	for _, at := range goldenPaths(t) {
		file := readGolden(t, at)
		folder, name := path.Split(at)
		require.Equal(t, ".yaml", path.Ext(name), at)
		rules, known := goldenRules[path.Clean(folder)]
		require.True(t, known, "%s: there is no such model", at)
		require.Contains(t, strings.Fields(rules), file.Rule, "%s: goldenRules does not name its rule", at)
		base := strings.TrimSuffix(name, ".yaml")
		require.True(t, base == file.Rule || strings.HasPrefix(base, file.Rule+"-"), "%s is about %s", at, file.Rule)
		names := map[string]bool{}
		for _, c := range file.Cases {
			require.NotEmpty(t, c.Name, at)
			require.False(t, names[c.Name], "%s has %q twice", at, c.Name)
			names[c.Name] = true
		}
	}
}

func TestGoldenCoversEveryRule(t *testing.T) {
	covered := map[string]bool{}
	cases := 0
	for _, at := range goldenPaths(t) {
		file := readGolden(t, at)
		covered[file.Rule] = covered[file.Rule] || len(file.Cases) > 0
		cases += len(file.Cases)
	}
	for _, rules := range goldenRules {
		for _, rule := range strings.Fields(rules) {
			require.True(t, covered[rule], "no golden decision is about %s", rule)
		}
	}
	require.GreaterOrEqual(t, cases, 150)
}

func TestGoldenCoversEveryCode(t *testing.T) {
	reasons, obligations, advice := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, at := range goldenPaths(t) {
		for _, c := range readGolden(t, at).Cases {
			for _, reason := range c.Reasons {
				reasons[memberText(reason, "code")] = true
			}
			for _, one := range c.Advice {
				advice[memberText(one, "code")] = true
			}
			for _, obligation := range c.Obligations {
				properties := obligation.(map[string]any)["properties"]
				parts := []string{memberText(obligation, "type"), memberText(properties, "action"), memberText(properties, "topic")}
				parts = slices.DeleteFunc(parts, func(part string) bool { return part == "" })
				obligations[strings.Join(parts, "/")] = true
			}
		}
	}
	require.Equal(t, strings.Fields(goldenReasons), slices.Sorted(maps.Keys(reasons)))
	require.Equal(t, strings.Fields(goldenAdvice), slices.Sorted(maps.Keys(advice)))
	require.Equal(t, strings.Fields(goldenObligations), slices.Sorted(maps.Keys(obligations)))
}

// memberText is a member of an object of the answer, "" where there is none.
func memberText(object any, name string) string {
	members, _ := object.(map[string]any)
	value, _ := members[name].(string)
	return value
}
