package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestQuestion(t *testing.T) {
	q, err := wording{
		subjectType: "user", at: "ghi", from: `me"tro`,
		actionSet: []string{
			"role=ed_admin", `locations=["a","b"]`, "new=true", "name.given=Ann", "name.family=Lee <x>", "count=12345678901234567890",
			`registration_number="0042"`, "none=null", "empty=", "half={", "equals=a=b",
		},
		resourceSet: []string{"floor=3"},
		context:     []string{"confirmed=true"},
	}.question("alice", "assignment.add", "jane")
	require.NoError(t, err)
	require.JSONEq(t, `{
		"subject": {"type": "user", "id": "alice"},
		"action": {"name": "assignment.add", "properties": {
			"role": "ed_admin", "locations": ["a", "b"], "new": true, "name": {"given": "Ann", "family": "Lee <x>"},
			"count": 12345678901234567890, "registration_number": "0042", "none": null, "empty": "", "half": "{", "equals": "a=b"}},
		"resource": {"type": "user", "id": "jane", "properties": {"floor": 3, "location": "ghi"}},
		"context": {"confirmed": true, "current_location": "me\"tro"}
	}`, string(encode(q)))
	require.Contains(t, string(encode(q)), "12345678901234567890", "no number is rounded")

	q, err = wording{subjectType: "service", subjectSet: []string{"team=a"}, resourceType: "account"}.question("s1", "user.list", "a:b/c")
	require.NoError(t, err)
	require.JSONEq(t, `{"subject": {"type": "service", "id": "s1", "properties": {"team": "a"}},
		"action": {"name": "user.list"}, "resource": {"type": "account", "id": "a:b/c"}}`, string(encode(q)))
}

func TestQuestionFaults(t *testing.T) {
	for _, c := range []struct {
		w    wording
		want string
	}{
		{wording{actionSet: []string{"role"}}, `--set "role": write it as KEY=VALUE`},
		{wording{actionSet: []string{"=x"}}, `--set "=x": a name is missing before the equals sign or beside a dot`},
		{wording{actionSet: []string{"a..b=x"}}, `--set "a..b=x": a name is missing before the equals sign or beside a dot`},
		{wording{context: []string{"a=1", "a=2"}}, `--context "a=2": a is given twice`},
		{wording{actionSet: []string{"a=1", "a.b=2"}}, `--set "a.b=2": a is given as a value and as an object`},
		{wording{actionSet: []string{"a.b=1", "a=2"}}, `--set "a=2": a is given twice`},
		{wording{at: "x", resourceSet: []string{"location=y"}}, `--resource-set "location=\"x\"": location is given twice`},
	} {
		_, err := c.w.question("alice", "user.view", "jane")
		require.EqualError(t, err, c.want)
	}
	_, err := wording{}.question("alice", "user.view", "")
	require.Error(t, err)
}

func TestResourceType(t *testing.T) {
	for action, want := range map[string]string{
		"user.list": "location", "location.switch": "location", "incident.view": "location", "summary.view": "location",
		"area.access": "location", "entity.create": "location", "patient.view": "patient", "user.view": "user",
		"invitation.accept": "user", "can_read": "user",
	} {
		require.Equal(t, want, resourceType(action), action)
	}
}
