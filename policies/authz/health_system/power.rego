# METADATA
# title: The health system model (policies/DOMAIN.md section 5)
# description: |
#   Hospital groups with an account per hospital; system > entity, or one standalone entity. What `at` and `place` are
#   is said in models.rego.
package authz.health_system

import data.authz.question

# METADATA
# title: SYS-1, listing the users of an entity by its administrator
power(at, place) if {
	input.action.name == "user.list"
	_administers_entity(at, place)
}

# METADATA
# title: SYS-1, users of an entity by its administrator
power(at, place) if {
	input.action.name in {"user.view", "user.edit", "user.reset_password"}
	_administers_entity(at, place)
	input.facts.user.assignments[at.id]
}

# METADATA
# title: SYS-2 and SYS-3, inviting to the entity where the subject stands
power(at, place) if {
	input.action.name == "user.invite"
	_administers_entity(at, place)
	_entity_in_plan(at, place)
}

# METADATA
# title: SYS-3 and SYS-4, removing from the entity where the subject stands
power(at, place) if {
	input.action.name == "assignment.remove"
	_administers_entity(at, place)
}

# METADATA
# title: SYS-6, users of all entities by a system administrator
power(at, _) if {
	input.action.name in {"user.list", "user.view", "user.view_locations"}
	_administers_system(at)
}

# METADATA
# title: SYS-7, granting and revoking at one entity
power(at, place) if {
	input.action.name in {"admin.grant", "admin.revoke"}
	not _system_wide(at, place)
	_administers_entity(at, place)
}

# METADATA
# title: SYS-8, granting and revoking system-wide
power(at, _) if {
	input.action.name in {"admin.grant", "admin.revoke"}
	_administers_system(at)
	_named_are_own(at)
}

# METADATA
# title: Why the power is missing, the first cause in the order of stage 2
refusal(at, place) := _refusal_by_row(rule, at, place) if {
	rule := row(data.authz.health_system.actions[input.action.name].rules, at, place)
}

_refusal_by_row(rule, at, place) := {"code": "not_permitted", "rule": rule} if {
	rule in {"SYS-1", "SYS-2", "SYS-4", "SYS-7"}
	not _administers(at)
} else := {"code": "other_location", "rule": object.get(_place_rules, rule, rule)} if {
	rule in {"SYS-1", "SYS-2", "SYS-4", "SYS-7"}
	not _administers_entity(at, place)
} else := {"code": "not_assigned_here", "rule": rule} if {
	rule == "SYS-1"
} else := {"code": "system_admin_required", "rule": rule} if {
	rule == "SYS-5"
	input.facts.subject.held[input.facts.place.id]
} else := {"code": "not_assigned", "rule": rule} if {
	rule == "SYS-5"
} else := {"code": "other_location", "rule": rule} if {
	rule == "SYS-8"
	some role in at.held
	data.authz.health_system.roles[role].system_features
} else := {"code": "system_admin_required", "rule": rule} if {
	rule in {"SYS-6", "SYS-8"}
} else := {"code": "vendor_only", "rule": rule}

# One entity at a time is SYS-3's.
_place_rules := {"SYS-2": "SYS-3", "SYS-4": "SYS-3"}

# METADATA
# title: The id of the row that judges, which is the only one that has rules for the action or else one of two
row(rules, _, _) := only if {
	count(rules) == 1
	some only, _ in rules
}

row(_, at, _) := {"entity": "SYS-1", "system": "SYS-6"}[at.kind] if input.action.name in {"user.list", "user.view"}

row(_, at, place) := "SYS-8" if {
	input.action.name in {"admin.grant", "admin.revoke"}
	_system_wide(at, place)
}

row(_, at, place) := "SYS-7" if {
	input.action.name in {"admin.grant", "admin.revoke"}
	not _system_wide(at, place)
}

# What SYS-8 judges: anything from the system, several entities, all of them, or the system's own role.
_system_wide(at, _) if at.kind == "system"
_system_wide(_, _) if question.texts("locations")
_system_wide(_, _) if data.authz.health_system.roles[question.text("role")].system_features
_system_wide(_, place) if place.kind == "system"

# ALL-4 holds for each location named.
_named_are_own(_) if not question.texts("locations")

_named_are_own(at) if {
	every location in question.texts("locations") {
		input.facts.locations[location].organization == at.organization
	}
}

# The subject stands at an entity as its administrator, and the question is about that entity.
_administers_entity(at, place) if {
	at.kind == "entity"
	place.id == at.id
	_administers(at)
}

_administers(at) if {
	some role in at.held
	data.authz.health_system.roles[role].administers
}

# The subject stands at the system, on a plan that has system features, with the role that has them.
_administers_system(at) if {
	at.kind == "system"
	_system_in_plan(at)
	data.authz.health_system.roles[at.held[at.id]].system_features
}

# SYS-10
_system_in_plan(at) if data.authz.health_system.plans[at.plan].system_features

# SYS-10: where the plan has no system features, an account has one entity.
_entity_in_plan(at, _) if _system_in_plan(at)
_entity_in_plan(_, _) if question.said("new")
_entity_in_plan(_, place) if place.kind == "system"
_entity_in_plan(_, place) if input.facts.user.assignments[place.id]
_entity_in_plan(at, _) if every location, _ in input.facts.user.assignments { location == at.organization }

# METADATA
# title: SYS-10, nobody stands at a system whose plan has no system features
outside_plan(at, _) if {
	at.kind == "system"
	not _system_in_plan(at)
}

# METADATA
# title: SYS-10, nor does an account get a second entity
outside_plan(at, place) if {
	input.action.name == "user.invite"
	not _entity_in_plan(at, place)
}

# METADATA
# title: SYS-10, nor does anybody switch to the system
outside_plan(_, _) if {
	input.action.name == "location.switch"
	input.facts.place.kind == "system"
	not data.authz.health_system.plans[input.facts.place.plan].system_features
}

# METADATA
# title: Who can be invited (SYS-2)
# description: An account of the system, or one with no assignment anywhere.
# scope: document
invitable if count(input.facts.user.assignments) > 0
invitable if input.facts.user.assigned == false
