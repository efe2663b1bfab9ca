package pdp_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// messages returns the codes for which the policy has a sentence, by list.
var messages = sync.OnceValue(func() map[string]map[string]string {
	var tables struct{ Messages map[string]map[string]string }
	readTables("authz/data.yaml", &tables)
	return tables.Messages
})

// The codes that the generated questions lead to, if the policy has them. A new code needs no line here: the golden
// decisions have a case for each code.
var (
	reasonCodes = strings.Fields(`already_assigned area_required current_location_required default_location delete_not_allowed
		existing_location existing_user field_not_allowed level_not_available location_edit_not_permitted missing_field
		no_patient_access not_assigned not_assigned_here not_at_current_location not_invited not_permitted
		nothing_to_change obligation_unsupported only_location other_location other_organization owner_required
		password_not_allowed plan_required role_not_available self subject_inactive system_admin_required
		unknown_action unknown_location unknown_subject unknown_user user_active user_inactive
		username_mismatch vendor_only`)
	adviceCodes = strings.Fields(`access_ended access_retained change_default_first deactivate_instead default_moves
		invite_existing reactivate_instead switch_location temporary_password`)
	ruleIDs = regexp.MustCompile(`^(ALL|REG|SYS|PRA)-[A-Z]?\d+$`)
)

// forEachQuestion runs a check on questions about generated worlds, in parallel with other tests. A failure names the
// seeds.
func forEachQuestion(t *testing.T, worlds, questions int, check func(t require.TestingT, e *pdp.Engine, w *world, r pdp.Request)) {
	t.Helper()
	t.Parallel()
	engine, source := administration(t)
	if fewerQuestions() {
		worlds = (worlds + 9) / 10
		questions = (questions + 4) / 5
	}
	for seed := range uint64(worlds) {
		w := generate(seed)
		source.set(w.directory(t))
		generator := newQuestionGenerator(w, seed)
		for i := range questions {
			r := generator.question()
			at := &failureLocator{T: t, where: fmt.Sprintf("world %d, question %d: %s", seed, i, show(r))}
			check(at, engine, w, r)
		}
	}
}

// failureLocator adds the location to each failure.
type failureLocator struct {
	*testing.T
	where string
}

func (l *failureLocator) Errorf(format string, args ...any) {
	l.Helper()
	l.T.Errorf("%s\n%s", l.where, fmt.Sprintf(format, args...))
}

// A decision allows if and only if it has no reasons, and all its parts are well-formed and in order.
func TestDecisionsAreWellFormed(t *testing.T) {
	seen := map[string]int{}
	forEachQuestion(t, 40, 500, func(t require.TestingT, e *pdp.Engine, _ *world, r pdp.Request) {
		d := decide(t, e, r)
		require.NotEmpty(t, d.Revision)
		require.Equal(t, d.Allow, len(d.Reasons) == 0, "%s", show(d))
		require.Nil(t, d.Context)
		checkReasons(t, d)
		checkAdvice(t, d)
		checkObligations(t, d)

		allows, err := e.Allows(context.Background(), r)
		require.NoError(t, err)
		require.Equal(t, d.Allow, allows, "the rule allow differs from %s", show(d))

		if d.Allow {
			seen["allow "+r.Action.Name]++
		}
		for _, entry := range slices.Concat(d.Reasons, d.Advice) {
			seen[entry.(map[string]any)["code"].(string)]++
		}
		for _, o := range d.Obligations {
			seen[o.Type]++
		}
	})
	if fewerQuestions() {
		return
	}
	// Together, the questions must lead to every code and every allowed action.
	for list, codes := range map[string][]string{"reasons": reasonCodes, "advice": adviceCodes} {
		for _, code := range codes {
			if messages()[list][code] != "" {
				assert.NotZero(t, seen[code], "no question led to %s", code)
			}
		}
	}
	for _, obligation := range []string{"custom", "notification", "session_termination"} {
		assert.NotZero(t, seen[obligation], "no question led to %s", obligation)
	}
	for _, action := range allActions() {
		if action == "user.delete" {
			assert.Zero(t, seen["allow "+action])
			continue
		}
		assert.NotZero(t, seen["allow "+action], "no %s was allowed", action)
	}
}

func checkReasons(t require.TestingT, d pdp.Decision) {
	var pairs []string
	for _, reason := range d.Reasons {
		members := checkEntry(t, reason, messages()["reasons"], "field", "area")
		// The default denial would mean a gap in the rules.
		require.False(t, members["code"] == "not_permitted" && members["rule"] == "ALL-1", "%s", show(d))
		field, _ := members["field"].(string)
		pairs = append(pairs, members["code"].(string)+"\x00"+field)
	}
	require.True(t, slices.IsSorted(pairs), "%s", show(d))
	require.Len(t, slices.Compact(slices.Clone(pairs)), len(pairs), "%s", show(d))
}

func checkAdvice(t require.TestingT, d pdp.Decision) {
	var codes []string
	for _, advice := range d.Advice {
		members := checkEntry(t, advice, messages()["advice"], "locations")
		if locations, given := members["locations"]; given {
			require.NotEmpty(t, locations)
			require.IsType(t, []any{}, locations)
		}
		codes = append(codes, members["code"].(string))
	}
	require.True(t, slices.IsSorted(codes), "%s", show(d))
	require.Len(t, slices.Compact(slices.Clone(codes)), len(codes), "%s", show(d))
}

// checkEntry checks one reason or advice: code, rule and message are strings, and it has no other members except those
// listed.
func checkEntry(t require.TestingT, entry any, sentences map[string]string, more ...string) map[string]any {
	members, ok := entry.(map[string]any)
	require.True(t, ok, "%s", show(entry))
	require.Contains(t, sentences, members["code"])
	require.Regexp(t, ruleIDs, members["rule"])
	require.Regexp(t, `^[A-Z].*\.$`, members["message"])
	for name, value := range members {
		if name == "code" || name == "rule" || name == "message" {
			continue
		}
		require.Contains(t, more, name)
		require.NotEmpty(t, value)
	}
	return members
}

func checkObligations(t require.TestingT, d pdp.Decision) {
	var ids []string
	if !d.Allow {
		require.Empty(t, d.Obligations)
	}
	for _, o := range d.Obligations {
		ids = append(ids, o.ID)
		rule, what, _ := strings.Cut(o.ID, "/")
		require.Regexp(t, ruleIDs, rule)
		p := o.Properties
		switch o.Type {
		case "notification":
			require.ElementsMatch(t, []string{"to", "topic", "body", "channel"}, sortedKeys(p), "%s", show(o))
			require.Contains(t, messages()["notifications"], p["topic"])
			require.Equal(t, what, p["topic"])
			require.Contains(t, []any{"email", "in_app"}, p["channel"])
			require.Regexp(t, `^[A-Z].*\.$`, p["body"])
			require.NotEmpty(t, p["to"])
		case "session_termination":
			require.ElementsMatch(t, []string{"subject", "organization"}, sortedKeys(p), "%s", show(o))
			require.Equal(t, "session_termination", what)
			require.NotEmpty(t, p["subject"])
			require.NotEmpty(t, p["organization"])
		case "custom":
			require.ElementsMatch(t, []string{"action", "cause"}, sortedKeys(p), "%s", show(o))
			require.Equal(t, what, p["cause"])
			require.Contains(t, []any{"confirm", "warn"}, p["action"])
		default:
			require.Fail(t, "unexpected type", "%s", show(o))
		}
	}
	require.True(t, slices.IsSorted(ids), "%s", show(d))
	require.Len(t, slices.Compact(slices.Clone(ids)), len(ids), "%s", show(d))
}
