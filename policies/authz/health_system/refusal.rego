package authz.health_system

import data.authz.question

# METADATA
# title: Why the power is missing, the first cause in the order of stage 2
refusal(at, place) := {"code": "plan_required", "rule": "SYS-10"} if {
	_outside_plan(at, place)
} else := {"code": "self", "rule": "ALL-9"} if {
	_self_is_refused
} else := _refusal_by_row(row(at, place), at, place)

_outside_plan(at, _) if {
	at.kind == "system"
	not _system_in_plan(at)
}

_outside_plan(at, place) if {
	input.action.name == "user.invite"
	not _entity_in_plan(at, place)
}

_outside_plan(_, _) if {
	input.action.name == "location.switch"
	input.facts.place.kind == "system"
	not data.authz.health_system.plans[input.facts.place.plan].system_features
}

_self_is_refused if {
	not data.authz.health_system.actions[input.action.name].allow_self
	input.facts.user.id == input.facts.subject.id
	not _invites_new
}

_invites_new if {
	input.action.name == "user.invite"
	question.said("new")
}

# The missing role, then the place, then the user.
_refusal_by_row(rule, at, place) := {"code": "not_permitted", "rule": rule} if {
	rule in {"SYS-1", "SYS-2", "SYS-4", "SYS-7"}
	not _administers(at)
} else := {"code": "other_location", "rule": _place_rule(rule)} if {
	rule in {"SYS-1", "SYS-2", "SYS-4", "SYS-7"}
	not _administers_entity(at, place)
} else := {"code": "not_assigned_here", "rule": rule} if {
	rule == "SYS-1"
} else := {"code": "system_admin_required", "rule": rule} if {
	rule == "SYS-5"
	input.facts.place.kind == "system"
	input.facts.subject.held[input.facts.place.id]
} else := {"code": "not_assigned", "rule": rule} if {
	rule == "SYS-5"
} else := {"code": "system_admin_required", "rule": rule} if {
	rule == "SYS-6"
} else := {"code": "other_location", "rule": rule} if {
	rule == "SYS-8"
	some role in at.held
	data.authz.health_system.roles[role].system_features
} else := {"code": "system_admin_required", "rule": rule} if {
	rule == "SYS-8"
} else := {"code": "vendor_only", "rule": rule} if {
	rule == "SYS-11"
}

# One entity at a time is SYS-3's.
_place_rule(rule) := "SYS-3" if rule in {"SYS-2", "SYS-4"}

_place_rule(rule) := rule if rule in {"SYS-1", "SYS-7"}
