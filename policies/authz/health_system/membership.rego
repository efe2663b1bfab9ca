package authz.health_system

import data.authz.account
import data.authz.question

# Stage 3. Each rule of the table is stated here, positively, so that a fact that is missing leaves it broken. Where a
# rule has several clauses, any of them meets it.

# METADATA
# title: ALL-10, the account is active
met("active_account", _, _) if input.facts.user.status == "active"

# METADATA
# title: SYS-2, with `new` no other rule looks at an account that exists
met(rule, _, _) if {
	rule in {"active_account", "not_a_user_here"}
	question.invites_new
}

# METADATA
# title: SYS-2, the account has no assignment at the entity
met("not_a_user_here", _, place) if not input.facts.user.assignments[place.id]

# METADATA
# title: SYS-2, without `new` nothing is asked of a new account
met(rule, _, _) if {
	rule in {"new_account", "username_well_formed", "username_given"}
	not question.said("new")
}

# METADATA
# title: SYS-2, no account has the id or the username
met("new_account", _, _) if not account.exists

# METADATA
# title: SYS-2, what is given as username is one
met("username_well_formed", _, _) if question.well_formed_username("username")

# METADATA
# title: SYS-2, the username is given
met("username_given", _, _) if question.text("username")

# METADATA
# title: SYS-2, the role is one that the entity offers
met("role_offered", _, place) if _offers(place.kind, question.text("role"))

# METADATA
# title: SYS-4, the user has an assignment at the entity
met("assigned", _, place) if input.facts.user.assignments[place.id]

# METADATA
# title: SYS-7, the user has an assignment at each location
met("assigned_in_each", _, place) if every location in _judged(place) { input.facts.user.assignments[location].role }

# METADATA
# title: SYS-7 and SYS-8, the user has the role at each location
met("held_in_each", _, place) if {
	every location in _judged(place) {
		input.facts.user.assignments[location].role == question.text("role")
	}
}

# METADATA
# title: SYS-7 and SYS-8, the user has some role at each location, where none is named
met("held_in_each", _, place) if {
	not question.text("role")
	every location in _judged(place) {
		input.facts.user.assignments[location].role
	}
}

# METADATA
# title: SYS-7 and SYS-8, the role is higher than what the user has at each location
met("raises_in_each", _, place) if every location in _judged(place) { _rises(location, question.text("role")) }

# METADATA
# title: ALL-7, the role can be granted
met("role_granted", _, _) if _granted

# METADATA
# title: SYS-8, the role can be granted, and each location offers it
met("role_granted_in_each", _, place) if {
	input.action.name == "admin.grant"
	_granted
	every location in _judged(place) {
		_offers(_kind(location, place), question.text("role"))
	}
}

# METADATA
# title: SYS-8, a revoke assigns nothing, so that no location has to offer the role
met("role_granted_in_each", _, _) if {
	input.action.name == "admin.revoke"
	_granted
}

# METADATA
# title: A role that is not named breaks no rule about it; where it is needed, missing_field says so
met(rule, _, _) if {
	rule in {"role_offered", "raises_in_each", "role_granted", "role_granted_in_each"}
	not question.text("role")
}

# METADATA
# title: A grant or revoke that names no role is possible where some role would do (section 8, action search)
suitable(_, _) if not input.action.name in {"admin.grant", "admin.revoke"}

suitable(_, place) if {
	input.action.name == "admin.grant"
	some role, entry in data.authz.health_system.roles
	entry.granted
	_offers(place.kind, role)
	_rises(place.id, role)
}

# From the system, a grant may name any entity.
suitable(at, _) if {
	input.action.name == "admin.grant"
	at.kind == "system"
}

suitable(at, place) if {
	input.action.name == "admin.revoke"
	some location, assignment in input.facts.user.assignments
	data.authz.health_system.roles[assignment.role].granted
	_revocable(location, at, place)
}

_revocable(location, _, place) if location == place.id
_revocable(_, at, _) if at.kind == "system"

_granted if data.authz.health_system.roles[question.text("role")].granted

# The locations that a grant or revoke is about; none where the property cannot be read.
_judged(_) := question.texts("locations")
_judged(place) := [place.id] if question.absent("locations")
_judged(_) := [] if not question.formed("texts?", "locations")

_kind(_, place) := place.kind if not question.texts("locations")
_kind(location, _) := input.facts.locations[location].kind

# A grant raises what the user is there: the same or a lower role is assigned already.
_rises(location, _) if not input.facts.user.assignments[location].role

_rises(location, role) if {
	held := input.facts.user.assignments[location].role
	data.authz.health_system.roles[held].rank < data.authz.health_system.roles[role].rank
}

# An unknown role is neither higher nor lower than another; that it is unknown is role_not_available.
_rises(_, role) if not data.authz.health_system.roles[role]

_offers(kind, role) if kind in data.authz.health_system.roles[role].offered_at
