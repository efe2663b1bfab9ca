package authz.regional

import data.authz.account

# METADATA
# title: What comes with an allow (REG-I6, REG-W1, REG-W2, ALL-12)
outcome(_, _) := {"obligations": _confirm} if {
	input.action.name in {
		"assignment.add", "assignment.remove", "default_location.change",
		"user.edit", "user.reset_password", "user.reactivate",
	}
	count(_confirm) > 0
}

outcome(_, _) := {"obligations": array.concat([account.ending_sessions("ALL-12")], _confirm)} if {
	input.action.name == "user.deactivate"
}

outcome(_, place) := object.union(_confirmation, _moving(place)) if input.action.name == "assignment.edit"

outcome(at, _) := {"obligations": [_warning(cause) | some cause in _causes(at)]} if {
	input.action.name == "user.view_locations"
	some column in columns(at)
	data.authz.regional.matrix["user.view_locations"][column].warn
	count(_causes(at)) > 0
}

# REG-W1
default _confirm := []

_confirm := [{
	"id": "REG-W1/multiple_locations",
	"type": "custom",
	"properties": {"action": "confirm", "cause": "multiple_locations"},
}] if {
	count(input.facts.user.assignments) > 1
	not input.context.confirmed == true
}

default _confirmation := {}

_confirmation := {"obligations": _confirm} if count(_confirm) > 0

default _moving(_) := {}

_moving(place) := {"advice": [account.advice("default_moves", "REG-I6")]} if {
	destination(place) != ""
	input.facts.user.default_location == place.id
}

# REG-W2, in the order of the obligations' ids.
_causes(at) := [cause |
	some cause in ["multiple_locations", "no_role_here"]
	_holds(cause, at)
]

_holds("multiple_locations", _) if count(input.facts.user.assignments) > 1
_holds("no_role_here", at) if not input.facts.user.assignments[at.id]

_warning(cause) := {
	"id": concat("/", ["REG-W2", cause]),
	"type": "custom",
	"properties": {"action": "warn", "cause": cause},
}
