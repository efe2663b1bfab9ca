package pdp_test

import (
	"maps"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// fill gives the action the properties that it needs, mostly with values that could be allowed.
func (a *questionGenerator) fill(d *outline, r *pdp.Request) {
	switch d.action {
	case "assignment.add":
		d.properties["role"] = a.role(d)
		if group := d.user.at(d.organization.ID); d.organization.Model == "practice_group" && group != nil && a.chance(70) {
			d.properties["role"] = group.Role
		}
	case "assignment.edit":
		a.edit(d)
	case "admin.grant", "admin.revoke":
		a.administration(d)
	case "user.invite":
		if d.organization.Model == "practice_group" {
			a.groupInvitation(d, r)
		} else {
			a.entityInvitation(d, r)
		}
	case "access.change":
		a.accessChange(d)
	case "area.access":
		d.properties["area"] = pick(a.Rand, append(areaNames, "nonsense")...)
	case "entity.associate":
		d.properties["system"] = pick(a.Rand, "s0", "s0", "s1", "s2", "nonsense", "e0")
	}
}

// role returns a role, mostly one that the place offers.
func (a *questionGenerator) role(d *outline) string {
	switch n := a.IntN(100); {
	case n < 3:
		return pick(a.Rand, "regional_admin", "user", "owner", "nonsense", "system_admin")
	case n < 25:
		return pick(a.Rand, offered[pick(a.Rand, d.inside...).Kind]...)
	}
	return pick(a.Rand, offered[d.place.Kind]...)
}

func (a *questionGenerator) edit(d *outline) {
	held := d.user.at(d.place.ID)
	if a.chance(75) {
		d.properties["new_role"] = a.role(d)
	}
	if held != nil && a.chance(15) {
		d.properties["new_role"] = held.Role
	}
	if d.organization.Model == "practice_group" || a.chance(40) {
		return
	}
	to := pick(a.Rand, d.inside...)
	for range 8 {
		if held == nil || to.Kind == d.place.Kind && d.user.at(to.ID) == nil {
			break
		}
		to = pick(a.Rand, d.inside...)
	}
	d.properties["new_location"] = to.ID
	if a.chance(12) {
		d.properties["new_location"] = pick(a.Rand, "nonsense", d.place.ID, pick(a.Rand, a.w.Locations...).ID)
	}
}

func (a *questionGenerator) administration(d *outline) {
	d.properties["role"] = pick(a.Rand, "entity_admin", "entity_admin", "entity_admin", "system_admin")
	if held := d.user.at(d.place.ID); held != nil && d.action == "admin.revoke" && a.chance(40) {
		d.properties["role"] = held.Role
	}
	if a.chance(5) {
		d.properties["role"] = pick(a.Rand, "user", "nonsense", "owner")
	}
	if d.current.Kind == "system" && a.chance(40) || a.chance(8) {
		locations := []any{}
		for range a.IntN(4) {
			locations = append(locations, pick(a.Rand, d.inside...).ID)
		}
		if a.chance(8) {
			locations = append(locations, pick(a.Rand, "nonsense", pick(a.Rand, a.w.Locations...).ID))
		}
		d.properties["locations"] = locations
	}
}

// invitee chooses whether to invite a new user, and the username.
func (a *questionGenerator) invitee(d *outline, r *pdp.Request) (username string, isNew bool) {
	username = d.user.Username
	isNew = a.chance(40)
	if isNew {
		d.properties["new"] = true
		if a.chance(85) {
			r.Resource.ID = "new@example.org"
			username = pick(a.Rand, "new@example.org", "New@Example.org", "new@example.org", "new@example.org", "u03", "name05@example.org")
		}
	} else if a.chance(10) {
		d.properties["new"] = false
	}
	if a.chance(20) {
		username = strings.ToUpper(username)
	}
	return username, isNew
}

func (a *questionGenerator) entityInvitation(d *outline, r *pdp.Request) {
	username, isNew := a.invitee(d, r)
	if isNew || a.chance(10) {
		d.properties["username"] = username
	}
	if a.chance(60) {
		d.properties["role"] = pick(a.Rand, "user", "user", "user", "entity_admin", "entity_admin", "system_admin", "owner")
	}
}

func (a *questionGenerator) groupInvitation(d *outline, r *pdp.Request) {
	username, isNew := a.invitee(d, r)
	role := pick(a.Rand, "owner", "practitioner", "practitioner", "administrator", "administrator", "administrator")
	var locations []any
	for _, l := range d.inside {
		if l.Kind == "practice" && a.chance(60) || a.chance(1) {
			locations = append(locations, l.ID)
		}
	}
	if a.chance(4) {
		locations = append(locations, pick(a.Rand, "nonsense", pick(a.Rand, a.w.Locations...).ID))
	}
	maps.Copy(d.properties, map[string]any{
		"username":              username,
		"username_confirmation": username,
		"role":                  role,
		"profession":            "nurse",
		"level":                 pick(a.Rand, levelNames...),
		"locations":             append([]any{}, locations...),
	})
	if a.chance(6) {
		d.properties["username_confirmation"] = pick(a.Rand, strings.ToLower(username), "other@example.org")
	}
	if a.chance(4) {
		d.properties[pick(a.Rand, "role", "level", "username")] = "nonsense"
	}
	if a.chance(40) {
		d.properties["areas"] = a.areas()
	}
	if (role == "practitioner") != a.chance(8) {
		d.properties["registration_number"] = "R7"
	}
	if isNew != a.chance(4) {
		d.properties["password_supplied"] = true
	}
	if isNew != a.chance(4) {
		name := map[string]any{"given": "Di", "family": "Hu", "title": pick[any](a.Rand, "Dr", nil, "")}
		if a.chance(6) {
			name[pick(a.Rand, "given", "family", "title")] = pick[any](a.Rand, nil, "", true)
		}
		d.properties["name"] = name
	}
}

func (a *questionGenerator) accessChange(d *outline) {
	recorded := map[string]any{}
	level := "limited"
	if held := d.user.at(d.organization.ID); held != nil && held.Access != nil {
		for area, on := range held.Access.Areas {
			recorded[area] = on
		}
		if held.Access.Level != "" {
			level = held.Access.Level
		}
	}
	if a.chance(60) {
		d.properties["level"] = pick(a.Rand, append(levelNames, level, "nonsense")...)
	}
	if a.chance(60) {
		d.properties["areas"] = a.areas()
		if a.chance(25) {
			d.properties["areas"] = recorded
		}
	}
}

func (a *questionGenerator) areas() map[string]any {
	areas := map[string]any{}
	for _, area := range subset(a.Rand, 20, areaNames) {
		if area != "users" || a.chance(40) {
			areas[area] = a.chance(50)
		}
	}
	if a.chance(8) {
		areas["nonsense"] = true
	}
	if a.chance(4) {
		areas["calendars"] = pick[any](a.Rand, "yes", nil)
	}
	return areas
}
