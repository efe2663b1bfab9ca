package attack

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
)

// Each action that changes something has an effect, changes nothing that the policy reads, or is said to be left out.
func TestEffectsOfAllActionsAreKnown(t *testing.T) {
	t.Parallel()
	for _, action := range builtIn(t).Actions() {
		_, known := Apply(authzen.Evaluation{Action: authzen.Action{Name: action}, Context: map[string]any{"current_location": "metro"}}, facts.UserRecord{},
			func(string) *facts.Location {
				return facts.NewLocation(facts.LocationRecord{ID: "metro", Kind: "region", Model: "regional"}, nil, 1)
			})
		require.Equal(t, !builtIn(t).ReadOnly(action), known || unmodeled[action] != "", action)
	}
	_, known := Apply(authzen.Evaluation{Action: authzen.Action{Name: "user.promote"}, Context: map[string]any{"current_location": "metro"}}, facts.UserRecord{}, func(string) *facts.Location { return nil })
	require.False(t, known)
}

// What each action makes of a record, as policies/DOMAIN.md says.
func TestEffects(t *testing.T) {
	t.Parallel()
	d, err := directory.Parse([]byte("locations: ["+strings.Join([]string{
		"{id: metro, kind: region, model: regional}", "{id: north, kind: division, parent: metro}", "{id: abc, kind: facility, parent: north}", "{id: ghi, kind: facility, parent: north}",
		"{id: sisters, kind: system, model: health_system, plan: paid}", "{id: mercy, kind: entity, parent: sisters}", "{id: grace, kind: entity, parent: sisters}",
		"{id: smile, kind: group, model: practice_group}", "{id: east, kind: practice, parent: smile}", "{id: west, kind: practice, parent: smile}",
	}, ", ")+"]\nusers: []"), *builtIn(t).Vocabulary())
	require.NoError(t, err)
	locate := func(id string) *facts.Location { l, _ := d.Location(t.Context(), id); return l }
	for _, c := range []struct {
		was, action, at string
		properties      map[string]any
		is              string
	}{
		{"abc:ed_normal default=abc", "assignment.add", "ghi", map[string]any{"role": "ed_admin"}, "abc:ed_normal ghi:ed_admin default=abc"},
		{"abc:ed_normal ghi:ed_admin default=abc", "assignment.remove", "ghi", nil, "abc:ed_normal default=abc"},
		{"abc:ed_normal ghi:ed_admin default=abc", "assignment.remove", "abc", nil, "ghi:ed_admin default=abc"},
		{"abc:ed_normal default=abc", "assignment.remove", "ghi", nil, "abc:ed_normal default=abc"},
		{"abc:ed_normal default=abc", "assignment.edit", "abc", map[string]any{"new_role": "ed_admin"}, "abc:ed_admin default=abc"},
		{"abc:ed_normal default=abc", "assignment.edit", "abc", map[string]any{"new_location": "ghi"}, "ghi:ed_normal default=ghi"},
		{"abc:ed_normal north:public_health default=north", "assignment.edit", "abc", map[string]any{"new_location": "metro", "new_role": "regional_admin"}, "metro:regional_admin north:public_health default=north"},
		{"abc:ed_normal ghi:ed_admin default=abc", "default_location.change", "ghi", nil, "abc:ed_normal ghi:ed_admin default=ghi"},
		{"abc:ed_normal default=abc", "user.deactivate", "metro", nil, "abc:ed_normal default=abc deactivated"},
		{"abc:ed_normal default=abc deactivated", "user.reactivate", "metro", nil, "abc:ed_normal default=abc"},
		{"abc:ed_normal default=abc", "user.edit", "metro", nil, "abc:ed_normal default=abc"},
		{"", "user.invite", "mercy", map[string]any{"new": true, "username": "n"}, "mercy:user n"},
		{"grace:user", "user.invite", "mercy", map[string]any{"role": "entity_admin"}, "grace:user mercy:entity_admin"},
		{"mercy:user", "admin.grant", "mercy", map[string]any{"role": "entity_admin"}, "mercy:entity_admin"},
		{"mercy:user", "admin.grant", "sisters", map[string]any{"role": "entity_admin", "locations": []any{"mercy", "grace"}}, "grace:entity_admin mercy:entity_admin"},
		{"mercy:entity_admin", "admin.revoke", "mercy", map[string]any{"role": "entity_admin"}, "mercy:user"},
		{"mercy:user sisters:system_admin", "admin.revoke", "sisters", map[string]any{"role": "system_admin"}, "mercy:user"},
		{"mercy:user sisters:system_admin", "admin.revoke", "sisters", map[string]any{"role": "entity_admin"}, "mercy:user sisters:system_admin"},
		{"", "user.invite", "smile", map[string]any{"new": true, "username": "n", "role": "owner", "level": "full", "locations": []any{"east"}}, "east:owner smile:owner[full] n"},
		{"", "user.invite", "east", map[string]any{"role": "owner", "level": "full", "areas": map[string]any{"users": true}, "locations": []any{}}, "smile:owner(invited)[full users=true]"},
		{"smile:owner(invited)", "invitation.accept", "smile", nil, "smile:owner"},
		{"east:owner smile:owner(invited) mercy:user", "invitation.reject", "smile", nil, "mercy:user"},
		{"east:owner smile:owner", "user.deactivate", "east", nil, "east:owner smile:owner(deactivated)"},
		{"east:owner smile:owner(deactivated)", "user.reactivate", "smile", nil, "east:owner smile:owner"},
		{"east:owner smile:owner", "assignment.edit", "smile", map[string]any{"new_role": "practitioner"}, "east:practitioner smile:practitioner"},
		{"east:owner smile:owner west:owner", "assignment.remove", "east", nil, "smile:owner west:owner"},
		{"east:owner smile:owner west:owner", "assignment.remove", "smile", nil, ""},
		{"east:owner smile:owner", "user.delete", "east", nil, ""},
		{"smile:owner[full]", "access.change", "smile", map[string]any{"areas": map[string]any{"users": true}}, "smile:owner[full users=true]"},
		{"smile:owner[full users=true]", "access.change", "east", map[string]any{"level": "limited"}, "smile:owner[limited users=true]"},
	} {
		q := authzen.Evaluation{Action: authzen.Action{Name: c.action, Properties: c.properties}, Context: map[string]any{"current_location": c.at}}
		was := parseRecord(c.was)
		after, ok := Apply(q, was, locate)
		require.True(t, ok, c.action)
		require.Equal(t, c.is, formatRecord(&after), "%s at %s of %s", c.action, c.at, c.was)
		require.Equal(t, c.was, formatRecord(&was), "the record before is left as it was")
	}
}

// parseRecord reads assignments, ROLE at LOCATION with a status and an access, the default location and the status.
func parseRecord(text string) facts.UserRecord {
	var rec facts.UserRecord
	for part := range strings.FieldsSeq(strings.ReplaceAll(text, " users=true]", "+]")) {
		location, role, isAssignment := strings.Cut(part, ":")
		switch home, isDefault := strings.CutPrefix(part, "default="); {
		case isDefault:
			rec.DefaultLocation = home
		case isAssignment:
			a := facts.AssignmentRecord{Location: location, Role: role}
			if name, level, has := strings.Cut(role, "["); has {
				a.Role, a.Access = name, &facts.Access{Level: strings.TrimRight(level, "+]")}
				if strings.HasSuffix(level, "+]") {
					a.Access.Areas = map[string]bool{"users": true}
				}
			}
			if name, status, has := strings.Cut(a.Role, "("); has {
				a.Role, a.Status = name, strings.TrimSuffix(status, ")")
			}
			rec.Assignments = append(rec.Assignments, a)
		default:
			rec.Status = part
		}
	}
	return rec
}

func formatRecord(rec *facts.UserRecord) string {
	var parts []string
	for _, a := range rec.Assignments {
		part := a.Location + ":" + a.Role
		if statusOf(&a) != facts.StatusActive {
			part += "(" + a.Status + ")"
		}
		if a.Access != nil {
			part += "[" + a.Access.Level
			for area, on := range a.Access.Areas {
				part += fmt.Sprintf(" %s=%t", area, on)
			}
			part += "]"
		}
		parts = append(parts, part)
	}
	if rec.DefaultLocation != "" {
		parts = append(parts, "default="+rec.DefaultLocation)
	}
	if rec.Username != "" {
		parts = append(parts, rec.Username)
	}
	if rec.Status == facts.StatusDeactivated {
		parts = append(parts, rec.Status)
	}
	return strings.Join(parts, " ")
}
