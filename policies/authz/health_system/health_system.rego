# METADATA
# title: The health system model (DOMAIN.md section 5)
# description: Hospital groups with an account per hospital; system > entity, or one standalone entity.
package authz.health_system

import data.authz.question

# METADATA
# title: The model knows the action on this type of resource (ALL-1)
# scope: document
knows if _action.resource == input.resource.type

# METADATA
# title: Someone may stand here (ALL-3)
stands(at) if at.held[at.id]

stands(at) if {
	some role in at.held
	data.authz.health_system.roles[role].reaches_down
}

# METADATA
# title: Allowed from a standing (ALL-1)
allowed(at, place) if {
	possible(at, place)
	_complete(at, place)
}

# METADATA
# title: Allowed from a standing, whatever properties are still to come (section 8, action search)
possible(at, place) if {
	_action.resource == input.resource.type
	stands(at)
	power(at, place)
	_suitable(at, place)
	every rule in _action.rules[row(at, place)] {
		met(rule, at, place)
	}
}

# A grant or revoke that names no role yet needs one that would do.
_suitable(_, _) if not input.action.name in {"admin.grant", "admin.revoke"}

_suitable(_, _) if question.text("role")

_suitable(_, place) if {
	input.action.name == "admin.grant"
	some role, entry in data.authz.health_system.roles
	entry.granted
	_offers(place.kind, role)
	_rises(place.id, role)
}

# From the system, a grant may name any entity.
_suitable(at, _) if {
	input.action.name == "admin.grant"
	at.kind == "system"
}

_suitable(at, place) if {
	input.action.name == "admin.revoke"
	some location, assignment in input.facts.user.assignments
	data.authz.health_system.roles[assignment.role].granted
	_revocable(location, at, place)
}

_revocable(location, at, place) if {
	at.kind != "system"
	location == place.id
}

_revocable(_, at, _) if at.kind == "system"

# Every property has its form, and the rules about properties that are not there are met.
_complete(_, _) if not _action.properties

_complete(at, place) if {
	every name, form in _action.properties {
		question.formed(form, name)
	}
	every rule in object.get(_action, ["required_rules", row(at, place)], []) {
		met(rule, at, place)
	}
}

# METADATA
# title: The rules of stage 3 that are broken, as RULE/code or RULE/code/field
broken(at, place) := unmet | malformed if {
	unmet := {rule |
		some list in ["rules", "required_rules"]
		some rule in _action[list][row(at, place)]
		not met(rule, at, place)
	}
	malformed := {sprintf("%s/missing_field/%s", [row(at, place), name]) |
		some name, form in _action.properties
		not question.formed(form, name)
	}
}

# METADATA
# title: The row that judges the question
row(at, _) := "SYS-1" if {
	input.action.name in {"user.list", "user.view"}
	at.kind == "entity"
}

row(at, _) := "SYS-6" if {
	input.action.name in {"user.list", "user.view"}
	at.kind == "system"
}

row(_, _) := "SYS-1" if input.action.name in {"user.edit", "user.reset_password"}

row(_, _) := "SYS-2" if input.action.name == "user.invite"

row(_, _) := "SYS-4" if input.action.name == "assignment.remove"

row(_, _) := "SYS-5" if input.action.name == "location.switch"

row(_, _) := "SYS-6" if input.action.name == "user.view_locations"

row(at, place) := "SYS-8" if {
	input.action.name in {"admin.grant", "admin.revoke"}
	_system_wide(at, place)
}

row(at, place) := "SYS-7" if {
	input.action.name in {"admin.grant", "admin.revoke"}
	not _system_wide(at, place)
}

row(_, _) := "SYS-11" if input.action.name in {"entity.create", "entity.associate", "entity.dissociate"}

# What SYS-8 judges: anything from the system, several entities, all of them, or the system's own role.
_system_wide(at, _) if at.kind == "system"

_system_wide(_, _) if question.texts("locations")

_system_wide(_, _) if data.authz.health_system.roles[question.text("role")].system_features

_system_wide(_, place) if place.kind == "system"

_action := data.authz.health_system.actions[input.action.name]
