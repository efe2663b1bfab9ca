package ask

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestQuestion(t *testing.T) {
	q, err := Options{
		SubjectType: "user", Location: "ghi", CurrentLocation: `me"tro`,
		ActionProperties: []string{
			"role=ed_admin", `locations=["a","b"]`, "new=true", "name.given=Ann", "name.family=Lee <x>", "count=12345678901234567890",
			`registration_number="0042"`, "none=null", "empty=", "half={", "equals=a=b",
		},
		ResourceProperties: []string{"floor=3"},
		Context:            []string{"confirmed=true"},
	}.Question("alice", "assignment.add", "jane")
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

	q, err = Options{SubjectType: "service", SubjectProperties: []string{"team=a"}, ResourceType: "account"}.Question("s1", "user.list", "a:b/c")
	require.NoError(t, err)
	require.JSONEq(t, `{"subject": {"type": "service", "id": "s1", "properties": {"team": "a"}},
		"action": {"name": "user.list"}, "resource": {"type": "account", "id": "a:b/c"}}`, string(encode(q)))
}

func TestInvalidProperties(t *testing.T) {
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{ActionProperties: []string{"role"}}, `--set "role": write it as KEY=VALUE`},
		{Options{ActionProperties: []string{"=x"}}, `--set "=x": a name is missing before the equals sign or next to a dot`},
		{Options{ActionProperties: []string{"a..b=x"}}, `--set "a..b=x": a name is missing before the equals sign or next to a dot`},
		{Options{Context: []string{"a=1", "a=2"}}, `--context "a=2": a is given twice`},
		{Options{ActionProperties: []string{"a=1", "a.b=2"}}, `--set "a.b=2": a is given both as a value and as an object`},
		{Options{ActionProperties: []string{"a.b=1", "a=2"}}, `--set "a=2": a is given twice`},
		{Options{Location: "x", ResourceProperties: []string{"location=y"}}, `--resource-set "location=\"x\"": location is given twice`},
	} {
		_, err := c.o.Question("alice", "user.view", "jane")
		require.EqualError(t, err, c.want)
	}
	_, err := Options{}.Question("alice", "user.view", "")
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
