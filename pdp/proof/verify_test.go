package proof_test

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/proof"
	"github.com/wardkeeper/wardkeeper/policies"
)

var terms = proof.Terms{Models: []string{"regional", "health_system", "practice_group"}, Actions: []string{"assignment.add", "assignment.remove", "location.switch", "patient.view", "user.delete", "user.edit", "user.invite", "user.reactivate"},
	Roles: []string{"owner", "public_health", "division_admin", "ed_admin", "ed_normal", "regional_admin", "system_admin", "entity_admin", "user"}}

func TestPropertiesAreReadStrictly(t *testing.T) {
	for text, fault := range map[string]string{
		"properties:\n- property: p\n  never: allowed\n  action: [user.edit]":           "line 4: there is no member action",
		"properties:\n- property: p\n  never: alowed":                                   "line 3: never: got alowed, expected allowed",
		"properties:\n- property: p\n  never: allowed\n  actions: [user.edti]":          "line 4: no action is called user.edti",
		"properties:\n- property: p\n  never: allowed\n  models: [regoinal]":            "line 4: there is no model regoinal",
		"properties:\n- property: p\n  never: allowed\n  subject: {roles: [pubic]}":     "line 4: there is no role pubic",
		"properties:\n- property: p\n  never: allowed\n  subject: {role: [owner]}":      "line 4: there is no member role",
		"properties:\n- property: p\n  never: allowed\n  usr: {with: [owner]}":          "line 4: there is no member usr: did you mean user?",
		"properties:\n- property: p\n  never: allowed\n  user: {wiht: [owner]}":         "line 4: there is no member wiht: did you mean with?",
		"properties:\n- property: p\n  never: allowed\n  user:\n    with: [ownr]":       "line 5: there is no role ownr: did you mean owner?",
		"properties:\n- property: p\n  never: allowed\n  user: {without: [ownr]}":       "line 4: there is no role ownr: did you mean owner?",
		"properties:\n- property: p\n  never: allowed\n  subject: {self: true}":         "line 4: there is no member self",
		"properties:\n- property: p\n  never: allowed\n  user: {self: somebody}":        "line 2: a member has the wrong type",
		"properties:\n- property: p\n  never: allowed\n  user: {}":                      "line 4: user says nothing: it can have roles, with, without, self",
		"properties:\n- property: p\n  never: allowed\n  user: [owner]":                 "line 4: expected an object with some of roles, with, without, self",
		"properties:\n- {property: p, never: allowed}\n- {property: p, never: allowed}": "line 3: the sentence is that of line 2",
		"properties:\n- property: p\n  actions: [user.edit]":                            "line 2: say either never",
		"properties:\n- never: allowed":                                                 "line 2: the property has no sentence",
		"properties:\n- property: p\n  independent_of: another_organization":            "line 2: reasons go with independent_of",
		"properties:\n- property: p\n  never: allowed\n  current_location: here":        "line 4: current_location: got here",
		"properties:\n- property: p\n  never: allowed\n  sets: [role]":                  "line 2: a member has the wrong type",
		"properties: []": "expected 1 to 1000 properties",
		"property: p":    "expected one member, properties",
		"- p":            "expected one member, properties",
	} {
		_, err := proof.DecodeProperties([]byte(text), terms)
		require.ErrorContains(t, err, fault, "%s", text)
	}
	all, err := proof.DecodeProperties([]byte("properties:\n- property: p\n  never: allowed\n  actions: [\"assignment.*\", \"!user.edit\"]"), terms)
	require.NoError(t, err)
	require.Len(t, all, 1)
}

// builtIn returns the built-in policy with a file changed.
func builtIn(t *testing.T, file, from, to string) *pdp.Policy {
	t.Helper()
	files := fstest.MapFS{}
	require.NoError(t, fs.WalkDir(policies.Files(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(policies.Files(), path)
		files[path] = &fstest.MapFile{Data: data}
		return err
	}))
	if file != "" {
		require.Contains(t, string(files[file].Data), from)
		files[file] = &fstest.MapFile{Data: []byte(strings.Replace(string(files[file].Data), from, to, 1))}
	}
	r, err := bundles.Open(t.Context(), bundles.Config{Files: files, Entrypoint: "authz/decision"})
	require.NoError(t, err)
	p, err := pdp.PrepareInterpreted(t.Context(), r)
	require.NoError(t, err)
	return p
}

// verify verifies one action, and returns what was found out by property.
func verify(t *testing.T, p *pdp.Policy, action, properties string) map[string]proof.Finding {
	t.Helper()
	list, err := proof.DecodeProperties([]byte(properties), terms)
	require.NoError(t, err)
	report, err := proof.Verify(t.Context(), proof.Verification{Policy: p, Properties: list, Actions: []string{action}})
	require.NoError(t, err)
	require.NotEmpty(t, report.Bound)
	found := map[string]proof.Finding{}
	for _, f := range report.Findings {
		found[f.Property] = f
	}
	return found
}

const someProperties = `
properties:
- {property: nobody deletes, actions: [user.delete], never: allowed}
- {property: nobody edits, actions: [user.edit], never: allowed}
- {property: removal, models: [regional], actions: [assignment.remove], subject: {roles: [public_health]}, never: allowed}
- {property: about nobody, models: [practice_group], actions: [user.delete], subject: {roles: [public_health]}, never: allowed}
- property: stage 1
  actions: [user.delete]
  current_location: given
  reasons: [subject_inactive, not_at_current_location]
  independent_of: another_organization
- {property: everywhere, actions: [user.delete], reasons: [current_location_required, not_at_current_location, unknown_user], independent_of: another_organization}
`

func TestPropertiesAreProvedOrRefuted(t *testing.T) {
	t.Parallel()
	found := verify(t, builtIn(t, "", "", ""), "user.delete", someProperties)
	require.Equal(t, proof.Proved, found["nobody deletes"].Status)
	require.Equal(t, proof.Proved, found["stage 1"].Status)
	require.Equal(t, proof.Proved, found["A denial has a reason"].Status, "of the action that was asked for")
	require.Equal(t, proof.NotDecided, found["about nobody"].Status, "it says nothing")
	require.NotEmpty(t, found["about nobody"].Why)
	for _, name := range []string{"nobody edits", "removal"} {
		require.NotContains(t, found, name, "what was left out is not proved")
	}
	// Whoever has an assignment elsewhere has to say where they stand.
	f := found["everywhere"]
	require.Equal(t, proof.Refuted, f.Status)
	require.NotNil(t, f.But)
	require.Equal(t, f.Example.Question, f.But.Question)
	require.NotEqual(t, f.Example.Answer, f.But.Answer)
	require.NotEqual(t, string(f.Example.Directory), string(f.But.Directory))
}

// Whoever sees patients elsewhere sees those of every organization: such a person holds another role, wherever that is.
func TestRolesElsewhereCountWhereTheActionIsJudgedByThem(t *testing.T) {
	t.Parallel()
	const properties = `
properties:
- {property: no other role, models: [regional], actions: [patient.view], subject: {roles: [public_health]}, never: allowed}
- {property: no such role, actions: [patient.view], subject: {without: [regional_admin, division_admin, ed_admin, ed_normal]}, never: allowed}
- {property: another role, actions: [patient.view], subject: {without: [division_admin]}, never: allowed}
`
	found := verify(t, builtIn(t, "", "", ""), "patient.view", properties)
	require.Equal(t, proof.Proved, found["no other role"].Status)
	require.Equal(t, proof.Proved, found["no such role"].Status)
	require.Equal(t, proof.Refuted, found["another role"].Status)
	const cell = "public_health:       {offered_at: [division], reaches_down: false, sees_patients: "
	found = verify(t, builtIn(t, "authz/regional/data.yaml", cell+"false", cell+"true"), "patient.view", properties)
	require.Equal(t, proof.Refuted, found["no other role"].Status)
	require.Equal(t, proof.Refuted, found["no such role"].Status)
}

// To an organization, nobody has roles elsewhere; an invitation tells all the same that somebody belongs to nobody.
func TestRolesElsewhereDoNotCountWithinAnOrganization(t *testing.T) {
	t.Parallel()
	found := verify(t, builtIn(t, "", "", ""), "user.invite", `
properties:
- property: of no role
  models: [health_system]
  actions: [user.invite]
  current_location: given
  user: {without: [system_admin, entity_admin, user]}
  reasons: [unknown_user]
  independent_of: another_organization
`)
	require.Equal(t, proof.Refuted, found["of no role"].Status)
}

func TestPropertiesOfWhomAQuestionIsAbout(t *testing.T) {
	t.Parallel()
	const properties = `
properties:
- {property: an owner, models: [practice_group], actions: [user.edit], subject: {without: [owner]}, user: {with: [owner]}, never: allowed}
- {property: no owner, models: [practice_group], actions: [user.edit], subject: {without: [owner]}, user: {without: [owner]}, never: allowed}
- {property: of the region alone, actions: [user.edit], subject: {roles: [division_admin]}, user: {roles: [regional_admin]}, never: allowed}
- {property: of the region, actions: [user.edit], subject: {roles: [division_admin]}, user: {with: [regional_admin]}, never: allowed}
- {property: somebody else, actions: [user.edit], user: {self: false}, never: allowed}
- {property: themselves, actions: [user.edit], user: {self: true}, never: allowed}
- {property: of two roles, actions: [user.edit], subject: {with: [ed_normal]}, never: allowed}
- {property: of one role, actions: [user.edit], subject: {roles: [ed_normal]}, never: allowed}
`
	found := verify(t, builtIn(t, "", "", ""), "user.edit", properties)
	for name, status := range map[string]proof.Status{"an owner": proof.Proved, "no owner": proof.Refuted, "of the region alone": proof.Proved,
		"of the region": proof.Refuted, "somebody else": proof.Refuted, "themselves": proof.Refuted, "of two roles": proof.Refuted, "of one role": proof.Proved} {
		require.Equal(t, status, found[name].Status, name)
	}
	require.Equal(t, "user", found["somebody else"].Example.Question.Resource.ID)
	require.Equal(t, "subject", found["themselves"].Example.Question.Resource.ID)
	found = verify(t, builtIn(t, "authz/practice_group/power.rego", "_acts_on_no_owner(_) if question.invites_new", `_acts_on_no_owner(_) if input.action.name == "user.edit"`),
		"user.edit", properties)
	require.Equal(t, proof.Refuted, found["an owner"].Status)
	require.Equal(t, proof.Proved, found["of the region alone"].Status)
}

// Whoever is a deactivated owner is an owner where somebody is about to reactivate them.
func TestRolesOfWhomAQuestionIsAboutCountWhateverTheirStatus(t *testing.T) {
	t.Parallel()
	const properties = "properties: [{property: p, models: [practice_group], actions: [user.reactivate], subject: {without: [owner]}, user: {with: [owner]}, never: allowed}]"
	require.Equal(t, proof.Proved, verify(t, builtIn(t, "", "", ""), "user.reactivate", properties)["p"].Status)
	const rule = "_acts_on_no_owner(_) if question.invites_new"
	p := builtIn(t, "authz/practice_group/power.rego", rule, rule+"\n\n_acts_on_no_owner(organization) if input.facts.user.assignments[organization].status == \"deactivated\"")
	require.Equal(t, proof.Refuted, verify(t, p, "user.reactivate", properties)["p"].Status)
}

func TestAPropertyThatNoCaseIsAboutSaysWhy(t *testing.T) {
	t.Parallel()
	found := verify(t, builtIn(t, "", "", ""), "patient.view", `
properties:
- {property: standing, actions: [patient.view], current_location: given, never: allowed}
- {property: of nobody, actions: [patient.view], subject: {with: [public_health]}, reasons: [unknown_subject], independent_of: another_organization}
- {property: of another model, models: [practice_group], actions: [patient.view], subject: {roles: [public_health]}, never: allowed}
`)
	require.Equal(t, []string{"no case is about it: a current location is ignored by patient.view"}, found["standing"].Why)
	for _, name := range []string{"of nobody", "of another model"} {
		require.Equal(t, []string{"no case is about it: it says nothing"}, found[name].Why, name)
	}
}

func TestPlantedFaultsAreRefuted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, from, to, action, property string }{
		"an answer that is none": {"authz/authz.rego", `object.union({"allow": true}, _outcome)`, `object.union({"allow": "yes"}, _outcome)`, "user.edit", "Every question has an answer"},
		"rules that contradict":  {"authz/practice_group/outcome.rego", "# METADATA", "outcome := {\"advice\": []} if input.action.name == \"user.edit\"\n\noutcome := {} if input.action.name == \"user.edit\"\n\n# METADATA", "user.edit", "No evaluation ends with an error"},
		"an allow with a reason": {"authz/authz.rego", `object.union({"allow": true}, _outcome)`, `object.union({"allow": true, "reasons": [{"code": "self", "rule": "ALL-9", "message": "x."}]}, _outcome)`, "user.edit", "An allow has no reason"},
		"a denial without":       {"authz/denial.rego", `_denied([_told({"code": "obligation_unsupported", "rule": "ALL-13"})], [])`, `_denied([], [])`, "user.edit", "A denial has a reason"},
		"a cell":                 {"authz/practice_group/power.rego", "power(at, _) if {\n\tinput.action.name in {\"user.list\", \"user.view\"}", "power(_, _) if input.action.name == \"user.edit\"\n\npower(at, _) if {\n\tinput.action.name in {\"user.list\", \"user.view\"}", "user.edit", "nobody edits"},
	} {
		if fewerCases() && name != "a denial without" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := verify(t, builtIn(t, c.file, c.from, c.to), c.action, someProperties)
			f := found[c.property]
			require.Equal(t, proof.Refuted, f.Status, "%v", f.Why)
			require.Contains(t, f.Example.Command(""), "wardkeeper ask subject "+c.action)
		})
	}
}

// manyReasons returns a policy that denies for any of many reasons, and where there is none, for what somebody is in another organization.
func manyReasons(t *testing.T, reasons string) *pdp.Policy {
	t.Helper()
	rules, names := "", []string{}
	for i := range 18 {
		rules += fmt.Sprintf("missing contains {\"code\": \"missing_field\", \"rule\": \"R-%d\", \"message\": \"No.\"} if not input.action.properties.p%d\n", i, i)
		names = append(names, fmt.Sprintf("\"p%d\"", i))
	}
	return policyOf(t, clinics[strings.Index(clinics, "catalogue"):], `catalogue := {"user.view": {"resource": "user", "properties": [`+strings.Join(names, ", ")+`]}}

vocabulary := {"roles": {"region": ["chief", "clerk"], "facility": ["nurse"]}}

`+rules+`
why := missing if count(missing) > 0

why := {{"code": "unknown_user", "rule": "R", "message": "No."}} if {
	count(missing) == 0
	input.facts.user.assigned
}

default allow := false

allow if not why

possible := allow

scope := "anywhere"

decision := {"allow": true} if allow

decision := {"allow": false, "reasons": `+reasons+`} if not allow
`)
}

// Where the answers are too many to be told apart, a denial depends on another organization also if the question is allowed otherwise.
func TestDenialsWithManyReasonsAreHeldAgainstWhatIsAllowed(t *testing.T) {
	t.Parallel()
	f := verify(t, manyReasons(t, "[reason | some reason in why]"), "user.view", "properties: [{property: p, reasons: [unknown_user], independent_of: another_organization}]")["p"]
	require.Equal(t, proof.Refuted, f.Status, "%v", f.Why)
	require.Contains(t, f.Example.Answer, `"decision":true`)
	require.Contains(t, f.But.Answer, "unknown_user")
}

// An answer whose reasons are too many to be told apart is none if they are no list.
func TestManyReasonsAreAList(t *testing.T) {
	t.Parallel()
	for reasons, want := range map[string]proof.Status{"why": proof.Proved, `object.get({"user.view": {reason.rule: reason | some reason in why}}, input.action.name, [])`: proof.Refuted} {
		report, err := proof.Verify(t.Context(), proof.Verification{Policy: manyReasons(t, reasons)})
		require.NoError(t, err)
		i := slices.IndexFunc(report.Findings, func(f proof.Finding) bool { return f.Property == "Every question has an answer" })
		require.Equal(t, want, report.Findings[i].Status, reasons)
	}
}

// The reasons of a denial can be a list or a set.
func TestPropertiesAreAboutReasonsOfASet(t *testing.T) {
	t.Parallel()
	set := policyOf(t, `why := [{"code": "not_permitted", "rule": "R-1", "message": "No."}]`, "why contains {\"code\": \"unknown_user\"} if input.facts.user.assigned\n\nwhy contains {\"code\": \"self\"}")
	f := verify(t, set, "user.view", "properties: [{property: p, reasons: [unknown_user], independent_of: another_organization}]")["p"]
	require.Equal(t, proof.Refuted, f.Status, "%v", f.Why)
}

func TestWorldsThatAreTooLargeAreNotProved(t *testing.T) {
	t.Parallel()
	list, err := proof.DecodeProperties([]byte(someProperties), terms)
	require.NoError(t, err)
	report, err := proof.Verify(t.Context(), proof.Verification{Policy: builtIn(t, "", "", ""), Properties: list, Actions: []string{"user.delete"}, MaxNodes: 700})
	require.NoError(t, err)
	for _, f := range report.Findings {
		require.Equal(t, proof.NotDecided, f.Status, f.Property)
	}
}

func TestVerificationEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := proof.Verify(ctx, proof.Verification{Policy: builtIn(t, "", "", "")})
	require.ErrorIs(t, err, context.Canceled)
}
