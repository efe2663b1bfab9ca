package proof_test

import (
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/proof"
)

// clinics is a small policy of the regional model: a chief may view users where they stand.
const clinics = `package authz

catalogue := {"user.view": {"resource": "user"}}

vocabulary := {"roles": {"region": ["chief", "clerk"], "facility": ["nurse"]}}

at := input.facts.current.id

role := input.facts.subject.held[at]

default allow := false

allow if {
	input.action.name == "user.view"
	role == "chief"
	input.facts.subject.status == "active"
	input.facts.user.status == "active"
}

possible := allow

scope := "anywhere"

why := [{"code": "not_permitted", "rule": "R-1", "message": "No."}]

must := []

decision := {"allow": true, "obligations": must} if allow

decision := {"allow": false, "reasons": why} if not allow
`

// policyOf returns a policy with a text replaced.
func policyOf(t *testing.T, from, to string) *pdp.Policy {
	t.Helper()
	require.Contains(t, clinics, from)
	files := fstest.MapFS{"authz.rego": {Data: []byte(strings.Replace(clinics, from, to, 1))}}
	r, err := bundles.Open(t.Context(), bundles.Config{Files: files, Entrypoint: "authz/decision"})
	require.NoError(t, err)
	p, err := pdp.PrepareInterpreted(t.Context(), r)
	require.NoError(t, err)
	return p
}

func compare(t *testing.T, was, is *pdp.Policy, actions ...string) *proof.Differences {
	t.Helper()
	report, err := proof.Compare(t.Context(), proof.Comparison{Was: was, Is: is, Actions: actions})
	require.NoError(t, err)
	require.NotEmpty(t, report.Bound)
	return report
}

func TestChangesAreSaidInSentences(t *testing.T) {
	t.Parallel()
	was := policyOf(t, "", "")
	for name, c := range map[string]struct {
		from, to string
		kind     proof.Kind
		sentence string
		outcome  proof.Outcome
	}{
		"a role more": {`role == "chief"`, `role in {"chief", "clerk"}`, proof.Granted,
			"user.view in regional: standing at a region, holding clerk at the region, about somebody else or themselves", proof.Outcome{Was: "denied: not_permitted (R-1)", Is: "allowed"}},
		"another kind of location": {`role == "chief"`, `role in {"chief", "nurse"}`, proof.Granted,
			"user.view in regional: holding nurse at the facility, about somebody else or themselves", proof.Outcome{Was: "denied: not_permitted (R-1)", Is: "allowed"}},
		"a role that reaches down": {`role == "chief"`, `"chief" in {held | some held in input.facts.current.held}`, proof.Granted,
			"user.view in regional: standing at a division or a facility, holding chief at the region, about somebody else or themselves", proof.Outcome{Was: "denied: not_permitted (R-1)", Is: "allowed"}},
		"a condition more": {`role == "chief"`, "role == \"chief\"\n\tinput.subject.id != input.resource.id", proof.Revoked,
			"user.view in regional: standing at a region, holding chief at the region, about themselves, named by id", proof.Outcome{Was: "allowed", Is: "denied: not_permitted (R-1)"}},
		"a condition on where the user is": {`input.facts.user.status == "active"`, "input.facts.user.status == \"active\"\n\tinput.facts.user.within[at]", proof.Revoked,
			"user.view in regional: standing at a region, holding chief at the region, about somebody else, the user is not assigned in the organization", proof.Outcome{Was: "allowed", Is: "denied: not_permitted (R-1)"}},
		"whoever is assigned nowhere near": {"allow if {", "allow if {\n\tinput.action.name == \"user.view\"\n\trole == \"nurse\"\n\tinput.facts.subject.status == \"active\"\n\tinput.facts.user.status == \"active\"\n\tinput.facts.user.within.region\n\tnot input.facts.user.within[at]\n}\n\nallow if {", proof.Granted,
			"user.view in regional: holding nurse at the facility, the user is assigned elsewhere in the organization alone", proof.Outcome{Was: "denied: not_permitted (R-1)", Is: "allowed"}},
		"a condition on the application": {"allow if {", "supported if not input.context.supported_obligations\n\nsupported if \"custom\" in input.context.supported_obligations\n\nallow if {\n\tsupported", proof.Revoked,
			"user.view in regional: standing at a region, holding chief at the region, about somebody else or themselves, if the application does not support every obligation", proof.Outcome{Was: "allowed", Is: "denied: not_permitted (R-1)"}},
		"a role more for some applications": {"allow if {", "allow if {\n\tinput.action.name == \"user.view\"\n\trole == \"clerk\"\n\tinput.facts.subject.status == \"active\"\n\tinput.facts.user.status == \"active\"\n\tsupported\n}\n\nsupported if not input.context.supported_obligations\n\nsupported if \"custom\" in input.context.supported_obligations\n\nallow if {", proof.Granted,
			"user.view in regional: standing at a region, holding clerk at the region, about somebody else or themselves, if the application supports every obligation, and in some cases if it does not", proof.Outcome{Was: "denied: not_permitted (R-1)", Is: "allowed"}},
		"an obligation": {`must := []`, `must := [{"id": "log", "type": "notification", "properties": {"to": "chief", "body": "viewed"}}]`, proof.Obliged,
			"user.view in regional: standing at a region, holding chief at the region, about somebody else or themselves", proof.Outcome{Was: "allowed", Is: "allowed: must notification (log)"}},
		"an obligation that is malformed": {`must := []`, `must := [{"id": "log", "type": "notification"}]`, proof.Revoked,
			"user.view in regional: standing at a region, holding chief at the region, about somebody else or themselves", proof.Outcome{Was: "allowed", Is: "an error, which denies: an obligation of type notification lacks the property to"}},
		"no answer": {`if not allow`, `if input.subject.id == "nobody"`, proof.Explained,
			"user.view in vendor: the subject's account is active or deactivated, the user's account is active or deactivated", proof.Outcome{Was: "denied: not_permitted (R-1)", Is: "no answer, which denies"}},
		"rules that contradict": {"must := []", "must := []\n\nmust := [1] if input.facts.current.kind == \"region\"", proof.Revoked,
			"user.view in regional: standing at a region, holding chief at the region, about somebody else or themselves", proof.Outcome{Was: "allowed", Is: "no answer, which denies"}},
		"a sentence of a reason": {`"No."`, `"Never."`, proof.Explained, "user.view in vendor: asked by a user, an unknown user or what is no user, the subject's account is active or deactivated, the user's account is active or deactivated",
			proof.Outcome{Was: `denied: not_permitted (R-1), message "No."`, Is: `denied: not_permitted (R-1), message "Never."`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			is := policyOf(t, c.from, c.to)
			report := compare(t, was, is)
			require.Empty(t, report.NotExplored)
			var found *proof.Difference
			var sentences []string
			for i := range report.Changes {
				d := &report.Changes[i]
				sentences = append(sentences, d.Sentence)
				require.Equal(t, c.kind, d.Kind, d.Sentence)
				if d.Sentence == c.sentence {
					found = d
				}
			}
			require.NotNil(t, found, "%v", strings.Join(sentences, "\n"))
			require.Equal(t, name != "a condition on the application", found.Exact)
			if !found.Exact {
				require.Contains(t, found.DependsOn, "what obligations the application supports")
			}
			require.Len(t, found.Outcomes, 1)
			c.outcome.Cases = found.Cases
			require.Equal(t, c.outcome, found.Outcomes[0])
			require.True(t, reflect.DeepEqual(report, compare(t, was, is)), "twice the same, with the same ids")
		})
	}
}

// TestWhatCannotBeExploredIsListed makes policies of which the exploration leaves something out, each in its own way.
func TestWhatCannotBeExploredIsListed(t *testing.T) {
	t.Parallel()
	was := policyOf(t, "", "")
	for name, c := range map[string]struct {
		is       *pdp.Policy
		maxNodes int
		says     string
	}{
		"a built-in function":       {is: policyOf(t, `role == "chief"`, `walk(input.facts.subject, [_, "chief"])`), says: "the built-in function walk cannot be explored"},
		"a text that is computed":   {is: policyOf(t, `role == "chief"`, `crypto.md5(input.action.properties.word) != "x"`), says: "user.view in regional: not every text is explored: crypto.md5 of set word"},
		"a world that is too large": {maxNodes: 10, is: policyOf(t, `role == "chief"`, `role == "clerk"`), says: "user.view in regional, where the current location is a region (region), where the place is a division (north), about oneself: the diagram has too many nodes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report, err := proof.Compare(t.Context(), proof.Comparison{Was: was, Is: c.is, MaxNodes: c.maxNodes, Actions: []string{"user.view"}})
			require.NoError(t, err)
			require.Contains(t, strings.Join(report.NotExplored, "\n"), c.says)
		})
	}
	report := compare(t, was, policyOf(t, `role == "chief"`, `role == "clerk"`), "user.edit")
	require.Equal(t, []string{"user.edit"}, report.Actions)
	require.Empty(t, report.NotExplored, "that it was restricted is said by itself")
	require.Empty(t, report.Changes)
}

func TestAChangeIsApprovedByItsCases(t *testing.T) {
	t.Parallel()
	was, clerks := policyOf(t, "", ""), policyOf(t, `role == "chief"`, `role in {"chief", "clerk"}`)
	report := compare(t, was, clerks)
	require.Len(t, report.Changes, 1)
	c := report.Changes[0]
	text := "approved:\n- id: " + c.ID + "\n  change: \"" + c.Sentence + "\"\n  reason: Clerks answer the phone.\n"
	approvals, err := proof.DecodeApprovals([]byte(text))
	require.NoError(t, err)
	require.Equal(t, 1, report.Unapproved())
	require.Empty(t, report.Approve(approvals))
	require.Zero(t, report.Unapproved())
	require.Equal(t, "Clerks answer the phone.", report.Changes[0].Approved)

	// The same words for other cases, another answer, and another sentence for the same cases are not what was approved.
	for name, is := range map[string]*pdp.Policy{
		"fewer cases":     policyOf(t, `role == "chief"`, "role in {\"chief\", \"clerk\"}\n\tsettled\n}\n\nsettled if role == \"chief\"\n\nsettled if {\n\tinput.facts.subject.default_location == \"region\""),
		"another outcome": policyOf(t, "role == \"chief\"", "role in {\"chief\", \"clerk\"}"),
	} {
		before := was
		if name == "another outcome" {
			before = policyOf(t, `"R-1"`, `"R-2"`)
		}
		other := compare(t, before, is)
		require.Len(t, other.Approve(approvals), 1, name)
		require.Positive(t, other.Unapproved(), name)
	}
	approvals[0].Change = "user.view in regional: nothing to see here"
	report = compare(t, was, clerks)
	ignored := report.Approve(approvals)
	require.Len(t, ignored, 1)
	require.Contains(t, ignored[0], "the change is")
	require.Equal(t, 1, report.Unapproved())
}

func TestApprovalsAreReadStrictly(t *testing.T) {
	t.Parallel()
	const id = "52b14137e5bb764b57ac28802923377d"
	for text, fault := range map[string]string{
		"approved:\n- id: " + id + "\n  change: c":                             "approval 1: give id, change and reason",
		"approved:\n- {id: 52b1, change: c, reason: r}":                        "approval 1: id: expected the 32 hexadecimal digits",
		"approved:\n- {id: " + id + ", change: c, reason: r, until: tomorrow}": "line 2: there is no member until: it can have id, change, reason",
		"aproved: []": "line 1: there is no member aproved: did you mean approved? it can have approved",
		"approved:\n- {id: " + id + ", change: c, reason: r}\n- {id: " + id + ", change: c, reason: r}": "comes twice",
		"approved: true": "line 1: approved: expected a list",
		"approved:\n- {id: " + id + ", change: c, reason: [r]}": "line 2: reason: expected a text",
		"approved: []\n---\napproved: []":                       "expected one document",
		strings.Repeat("#", proof.MaxApprovedSize+1):            "more than",
	} {
		_, err := proof.DecodeApprovals([]byte(text))
		require.ErrorContains(t, err, fault, "%.80s", text)
	}
	none, err := proof.DecodeApprovals(nil)
	require.NoError(t, err)
	require.Empty(t, none)
}

// Answers whose codes and ids are the same are told apart by what else they say, in words.
func TestAnswersOfTheSameCodesAreSaidInWhole(t *testing.T) {
	t.Parallel()
	must := func(to string) *pdp.Policy {
		return policyOf(t, `must := []`, `must := [{"id": "log", "type": "notification", "properties": {"to": "`+to+`", "body": "viewed"}}]`)
	}
	report := compare(t, must("chief"), must("clerk"), "user.view")
	require.Len(t, report.Changes, 1)
	require.Equal(t, `allowed: must notification (log), properties body "viewed", properties to "chief"`, report.Changes[0].Outcomes[0].Was)
	require.Equal(t, `allowed: must notification (log), properties body "viewed", properties to "clerk"`, report.Changes[0].Outcomes[0].Is)
}
