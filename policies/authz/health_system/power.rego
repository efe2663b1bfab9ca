package authz.health_system

import data.authz.question

# Stage 2: who may do this here.

# METADATA
# title: SYS-1, users of an entity by its administrator
power(at, place) if {
	input.action.name == "user.list"
	_administers_entity(at, place)
}

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
	_about_another
	_entity_in_plan(at, place)
}

# METADATA
# title: SYS-3 and SYS-4, removing from the entity where the subject stands
power(at, place) if {
	input.action.name == "assignment.remove"
	_administers_entity(at, place)
	input.facts.user.id != input.facts.subject.id
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
	input.facts.user.id != input.facts.subject.id
}

# METADATA
# title: SYS-8, granting and revoking system-wide
power(at, _) if {
	input.action.name in {"admin.grant", "admin.revoke"}
	_administers_system(at)
	input.facts.user.id != input.facts.subject.id
	_named_are_own(at)
}

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

_entity_in_plan(at, _) if {
	every location, _ in input.facts.user.assignments {
		location == at.organization
	}
}

# An invitation of a new account looks at no account that exists.
_about_another if question.said("new")

_about_another if input.facts.user.id != input.facts.subject.id

# METADATA
# title: Who can be invited (SYS-2)
# description: An account of the system, or one with no assignment anywhere.
# scope: document
invitable if count(input.facts.user.assignments) > 0

invitable if input.facts.user.assigned == false
