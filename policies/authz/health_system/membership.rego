package authz.health_system

import data.authz.account
import data.authz.question

# METADATA
# title: A rule of stage 3 is met
# description: Each is stated positively, so that a fact that is missing leaves its rule broken.
met(rule, _, _) if {
	rule == "ALL-10/user_inactive"
	input.facts.user.status == "active"
}

# With `new` no rule but SYS-2's existing_user looks at an account that exists.
met(rule, _, _) if {
	rule == "ALL-10/user_inactive"
	_invites_new
}

met(rule, _, _) if {
	rule == "SYS-2/already_assigned"
	question.said("new")
}

met(rule, _, place) if {
	rule == "SYS-2/already_assigned"
	not input.facts.user.assignments[place.id]
}

met(rule, _, _) if {
	rule == "SYS-2/existing_user"
	not question.said("new")
}

met(rule, _, _) if {
	rule == "SYS-2/existing_user"
	not account.exists
}

met(rule, _, _) if {
	rule == "SYS-2/field_not_allowed/username"
	question.username("username")
}

met(rule, _, _) if {
	rule == "SYS-2/field_not_allowed/username"
	not question.text("username")
}

met(rule, _, _) if {
	rule == "SYS-2/field_not_allowed/username"
	not question.said("new")
}

met(rule, _, place) if {
	rule == "SYS-2/role_not_available"
	_offers(place.kind, question.text("role"))
}

met(rule, _, _) if {
	rule == "SYS-2/role_not_available"
	not question.text("role")
}

met(rule, _, _) if {
	rule == "SYS-2/missing_field/username"
	question.text("username")
}

met(rule, _, _) if {
	rule == "SYS-2/missing_field/username"
	not question.said("new")
}

met(rule, _, place) if {
	rule == "SYS-4/not_assigned"
	input.facts.user.assignments[place.id]
}

met(rule, _, place) if {
	rule == "SYS-7/not_assigned"
	input.action.name == "admin.grant"
	every location in _judged(place) {
		input.facts.user.assignments[location].role
	}
}

met(rule, _, place) if {
	rule == "SYS-7/not_assigned"
	input.action.name == "admin.revoke"
	every location in _judged(place) {
		input.facts.user.assignments[location].role == question.text("role")
	}
}

met(rule, _, place) if {
	rule == "SYS-7/not_assigned"
	input.action.name == "admin.revoke"
	not question.text("role")
	every location in _judged(place) {
		input.facts.user.assignments[location].role
	}
}

met(rule, _, place) if {
	rule == "SYS-7/already_assigned"
	every location in _judged(place) {
		_rises(location, question.text("role"))
	}
}

met(rule, _, _) if {
	rule == "SYS-7/already_assigned"
	not question.text("role")
}

met(rule, _, _) if {
	rule == "ALL-7/role_not_available"
	data.authz.health_system.roles[question.text("role")].granted
}

met(rule, _, _) if {
	rule == "ALL-7/role_not_available"
	not question.text("role")
}

met(rule, _, place) if {
	rule == "SYS-8/not_assigned"
	question.text("role")
	every location in _judged(place) {
		input.facts.user.assignments[location].role == question.text("role")
	}
}

met(rule, _, place) if {
	rule == "SYS-8/not_assigned"
	not question.text("role")
	every location in _judged(place) {
		input.facts.user.assignments[location]
	}
}

met(rule, _, place) if {
	rule == "SYS-8/already_assigned"
	every location in _judged(place) {
		_rises(location, question.text("role"))
	}
}

met(rule, _, _) if {
	rule == "SYS-8/already_assigned"
	not question.text("role")
}

met(rule, _, place) if {
	rule == "SYS-8/role_not_available"
	input.action.name == "admin.grant"
	data.authz.health_system.roles[question.text("role")].granted
	every location in _judged(place) {
		_offers(_kind(location, place), question.text("role"))
	}
}

# Nothing is assigned by a revoke, so that no kind has to offer it.
met(rule, _, _) if {
	rule == "SYS-8/role_not_available"
	input.action.name == "admin.revoke"
	data.authz.health_system.roles[question.text("role")].granted
}

met(rule, _, _) if {
	rule == "SYS-8/role_not_available"
	not question.text("role")
}

# The locations that a grant or revoke is about; none where nobody can tell.
_judged(_) := question.texts("locations")

_judged(place) := [place.id] if question.absent("locations")

_judged(_) := [] if not question.formed("texts?", "locations")

_kind(_, place) := place.kind if not question.texts("locations")

_kind(location, _) := input.facts.locations[location].kind if question.texts("locations")

# A grant raises what the user is there: the same or a lower role is assigned already.
_rises(location, _) if not input.facts.user.assignments[location].role

_rises(location, role) if {
	held := input.facts.user.assignments[location].role
	data.authz.health_system.roles[held].rank < data.authz.health_system.roles[role].rank
}

# A role that there is not is higher and lower than none.
_rises(_, role) if not data.authz.health_system.roles[role]

_offers(kind, role) if kind in data.authz.health_system.roles[role].offered_at
