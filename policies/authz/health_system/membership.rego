package authz.health_system

import data.authz.question

# METADATA
# title: A rule of stage 3 is met
# description: Each is stated positively, so that a fact that is missing leaves its rule broken.
met("ALL-10/user_inactive", _, _) if input.facts.user.status == "active"

# With `new` no rule but SYS-2's existing_user looks at an account that exists.
met("ALL-10/user_inactive", _, _) if _invites_new

met("SYS-2/already_assigned", _, _) if question.said("new")

met("SYS-2/already_assigned", _, place) if not input.facts.user.assignments[place.id]

met("SYS-2/existing_user", _, _) if not question.said("new")

met("SYS-2/existing_user", _, _) if {
	not input.facts.user
	not input.facts.namesake
}

met("SYS-2/role_not_available", _, place) if _offers(place.kind, question.text("role"))

met("SYS-2/role_not_available", _, _) if not question.text("role")

met("SYS-2/missing_field/username", _, _) if question.text("username")

met("SYS-2/missing_field/username", _, _) if not question.said("new")

met("SYS-4/not_assigned", _, place) if input.facts.user.assignments[place.id]

met("SYS-7/not_assigned", _, place) if {
	input.action.name == "admin.grant"
	every location in _judged(place) {
		input.facts.user.assignments[location].role
	}
}

met("SYS-7/not_assigned", _, place) if {
	input.action.name == "admin.revoke"
	every location in _judged(place) {
		input.facts.user.assignments[location].role == question.text("role")
	}
}

met("SYS-7/not_assigned", _, place) if {
	input.action.name == "admin.revoke"
	not question.text("role")
	every location in _judged(place) {
		input.facts.user.assignments[location].role
	}
}

met("SYS-7/already_assigned", _, place) if {
	every location in _judged(place) {
		_rises(location, question.text("role"))
	}
}

met("SYS-7/already_assigned", _, _) if not question.text("role")

met("ALL-7/role_not_available", _, _) if data.authz.health_system.roles[question.text("role")].granted

met("ALL-7/role_not_available", _, _) if not question.text("role")

met("SYS-8/not_assigned", _, place) if {
	question.text("role")
	every location in _judged(place) {
		input.facts.user.assignments[location].role == question.text("role")
	}
}

met("SYS-8/not_assigned", _, place) if {
	not question.text("role")
	every location in _judged(place) {
		input.facts.user.assignments[location].role
	}
}

met("SYS-8/already_assigned", _, place) if {
	every location in _judged(place) {
		_rises(location, question.text("role"))
	}
}

met("SYS-8/already_assigned", _, _) if not question.text("role")

met("SYS-8/role_not_available", _, place) if {
	input.action.name == "admin.grant"
	data.authz.health_system.roles[question.text("role")].granted
	every location in _judged(place) {
		_offers(_kind(location, place), question.text("role"))
	}
}

# Nothing is assigned by a revoke, so that no kind has to offer it.
met("SYS-8/role_not_available", _, _) if {
	input.action.name == "admin.revoke"
	data.authz.health_system.roles[question.text("role")].granted
}

met("SYS-8/role_not_available", _, _) if not question.text("role")

# The locations that a grant or revoke is about; none where nobody can tell.
_judged(_) := question.texts("locations")

_judged(place) := [place.id] if question.absent("locations")

_judged(_) := [] if not question.formed("texts?", "locations")

_kind(_, place) := place.kind if not question.texts("locations")

_kind(location, _) := input.facts.locations[location].kind if question.texts("locations")

# A grant raises what the user is there: the same or a lower role is assigned already.
_rises(location, _) if not input.facts.user.assignments[location].role

_rises(location, role) if {
	data.authz.health_system.roles[input.facts.user.assignments[location].role].rank < data.authz.health_system.roles[role].rank
}

# A role that there is not is higher and lower than none.
_rises(_, role) if not data.authz.health_system.roles[role]

_offers(kind, role) if kind in data.authz.health_system.roles[role].offered_at
