package authz.health_system

import data.authz.question

# METADATA
# title: Which users can be acted on from a location (section 8)
scope(rules, at, place) := object.union({"location": at.organization}, _assigned(rules, at, place)) if {
	_some_power(at, place)
}

# SYS-1, SYS-2 and SYS-4
_some_power(at, place) if {
	not input.action.name in {"user.view_locations", "admin.grant", "admin.revoke"}
	_administers_entity(at, place)
}

# SYS-7
_some_power(at, place) if {
	input.action.name in {"admin.grant", "admin.revoke"}
	_administers_entity(at, place)
	not _system_wide(at, place)
}

# SYS-6 and SYS-8
_some_power(at, _) if {
	input.action.name in {"user.view", "user.view_locations", "admin.grant", "admin.revoke"}
	_administers_system(at)
}

# The assignment that there has to be; where there have to be several, one of them.
_assigned(rules, at, place) := {"assigned": {"location": at.id}} if {
	input.action.name in {"user.view", "user.edit", "user.reset_password"}
	at.kind == "entity"
} else := {"assigned": {"location": place.id}} if {
	"assigned" in rules
} else := {"assigned": {"location": _judged(place)[0]}} if {
	"assigned_in_each" in rules
} else := {"assigned": {"location": _judged(place)[0], "roles": [question.text("role")]}} if {
	input.action.name == "admin.revoke"
} else := {}
