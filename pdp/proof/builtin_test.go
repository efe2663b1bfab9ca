package proof_test

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/proof"
	"github.com/wardkeeper/wardkeeper/policies"
)

// gaps are the lines of the built-in policy that the small worlds leave something open of, and why.
var gaps = map[string]string{
	// The input is made by the server, which puts only the records of those whom the question names there; the rules do not rely on it.
	"authz/authz.rego: input.facts.subject.id == input.subject.id: it always holds":    "the facts are the subject's",
	"authz/identity.rego: input.facts.subject.id == input.subject.id: it always holds": "the facts are the subject's",
	"authz/authz.rego: input.facts.user.id == input.resource.id: it always holds":      "as far as it is asked: nobody is found by username there",
	"authz/vendor/vendor.rego: place.id == input.resource.id: it always holds":         "the place is the resource",
	// The worlds have no such thing.
	"authz/account/account.rego: addressee := input.facts.user.id if not input.facts.user.username: it never holds":    "everybody has a username",
	"authz/denial.rego: not _supported: it always holds":                                                               "the last of the causes is left",
	"authz/denial.rego: at.model == \"vendor\": it never holds":                                                        "there is one vendor, so nobody stands elsewhere at it",
	"authz/models.rego: _refusal(\"vendor\", at, place) := vendor.refusal(at, place): it never holds":                  "every role of the vendor has the power",
	"authz/vendor/vendor.rego: refusal(_, _) := {\"code\": \"vendor_only\", \"rule\": \"SYS-11\"}: no case reaches it": "every role of the vendor has the power",
	"authz/identity.rego: not _known_user: it always holds":                                                            "the last of the causes is left",
	"authz/denial.rego: some [code, field, rule] in _found: it always holds":                                           "reasons are well formed",
	"authz/denial.rego: some [same_code, same_field, other] in _found: it always holds":                                "reasons are well formed",
	"authz/denial.rego: not _outranked(code, field, rule): it always holds":                                            "no case breaks two rules with one code and field",
	"authz/denial.rego: same_field == field: it never holds":                                                           "no case breaks two rules with one code and field",
	"authz/denial.rego: _rank(other) > _rank(rule): no case reaches it":                                                "no case breaks two rules with one code and field",
	"authz/denial.rego: _rank(rule) := [startswith(rule, \"ALL-\") == false, rule]: no case reaches it":                "no case breaks two rules with one code and field",
}

// The built-in policy has its properties. Whoever adds a line that no case reaches, or a case that reaches such a line, says so here.
func TestTheBuiltInPolicy(t *testing.T) {
	t.Parallel()
	p := builtIn(t, "", "", "")
	terms := proof.Terms{Models: []string{"regional", "health_system", "practice_group", "vendor"}, Actions: p.Actions()}
	for _, roles := range p.Vocabulary().Roles {
		terms.Roles = append(terms.Roles, roles...)
	}
	properties, err := proof.DecodeProperties(policies.Properties(), terms)
	require.NoError(t, err)
	v := proof.Verification{Policy: p, Properties: properties}
	if fewerCases() {
		v.Actions = []string{"entity.associate"}
	}
	report, err := proof.Verify(t.Context(), v)
	require.NoError(t, err)
	for _, f := range report.Findings {
		require.NotEqual(t, proof.Refuted, f.Status, f.Property)
	}
	if fewerCases() {
		require.Empty(t, report.Gaps, "other actions may reach the lines that this one does not")
		return
	}
	for _, f := range report.Findings {
		require.Equal(t, proof.Proved, f.Status, "%s: %v", f.Property, f.Why)
	}
	found := map[string]bool{}
	for _, g := range report.Gaps {
		text, err := fs.ReadFile(policies.Files(), g.File)
		require.NoError(t, err)
		found[g.File+": "+strings.TrimSpace(strings.Split(string(text), "\n")[g.Line-1])+": "+g.Why] = true
	}
	for gap := range found {
		require.Contains(t, gaps, gap)
	}
	for gap := range gaps {
		require.Contains(t, found, gap)
	}
}

// An invitation to a practice group can be denied for so many reasons at once that the answers cannot be told apart one by one. A
// change of one reason, or of what comes with an allow, is found all the same, and why something was denied that is allowed: an approval
// stands for both answers.
func TestChangesOfAnswersWithManyReasons(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file, from, to, outcome string
		kinds                   []proof.Kind
	}{
		"another reason": {"authz/practice_group/data.yaml", "{code: level_not_available}", "{code: unknown_location}",
			"denied: level_not_available (PRA-3); perhaps others → denied: for some reason", []proof.Kind{proof.Explained}},
		"another obligation": {"authz/practice_group/outcome.rego", `account.notification("PRA-3", "onboarding", "email", question.text("username")),`, "",
			"allowed: must notification (PRA-3/onboarding); must notification (PRA-3/welcome); advice temporary_password (PRA-3) → " +
				"allowed: must notification (PRA-3/welcome); advice temporary_password (PRA-3)", []proof.Kind{proof.Obliged, proof.Explained}},
		"a reason less": {"authz/practice_group/data.yaml", "PRA-3: [new_account, username_well_formed, usernames_agree, role_offered, level_known,", "PRA-3: [new_account, username_well_formed, usernames_agree, role_offered,",
			"denied: level_not_available (PRA-3); perhaps others → allowed: must notification (PRA-3/onboarding); must notification (PRA-3/welcome); " +
				"advice temporary_password (PRA-3)", []proof.Kind{proof.Granted, proof.Explained}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report := compare(t, builtIn(t, "", "", ""), builtIn(t, c.file, c.from, c.to), "user.invite")
			require.Equal(t, []string{"user.invite in practice_group"}, report.Coarse)
			var outcomes []string
			for _, d := range report.Changes {
				require.Contains(t, c.kinds, d.Kind)
				for _, o := range d.Outcomes {
					outcomes = append(outcomes, o.Was+" → "+o.Is)
				}
			}
			require.Contains(t, outcomes, c.outcome)
		})
	}
}
