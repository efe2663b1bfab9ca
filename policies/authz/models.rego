package authz

import data.authz.health_system
import data.authz.practice_group
import data.authz.regional
import data.authz.vendor

# What each model says for itself: its tables, its power and its rules. A new model adds a line to each.
#
# Throughout, `at` is the location that the subject works from, with the roles `held` at and above it, and `place` the
# location that the question is about. `at` is input.facts.current for the question itself, and one of
# input.facts.standings when ALL-11 looks for a location from which the question would be allowed.

_action(model) := data.authz.regional.actions[input.action.name] if model == "regional"
_action(model) := data.authz.health_system.actions[input.action.name] if model == "health_system"
_action(model) := data.authz.practice_group.actions[input.action.name] if model == "practice_group"
_action(model) := data.authz.vendor.actions[input.action.name] if model == "vendor"

_rules := data.authz.regional.rules if input.facts.model == "regional"
_rules := data.authz.health_system.rules if input.facts.model == "health_system"
_rules := data.authz.practice_group.rules if input.facts.model == "practice_group"
_rules := data.authz.vendor.rules if input.facts.model == "vendor"

_role(model, role) := data.authz.regional.roles[role] if model == "regional"
_role(model, role) := data.authz.health_system.roles[role] if model == "health_system"
_role(model, role) := data.authz.practice_group.roles[role] if model == "practice_group"

_power(model, at, place) := regional.power(at, place) if model == "regional"
_power(model, at, place) := health_system.power(at, place) if model == "health_system"
_power(model, at, place) := practice_group.power(at, place) if model == "practice_group"
_power(model, at, place) := vendor.power(at, place) if model == "vendor"

# The rules of stage 3 that have to be met. In some models they depend on the row that judges the action.
_meets(model, rules, at, place) if {
	model == "regional"
	every rule in rules { regional.met(rule, at, place) }
}

_meets(model, rules, at, place) if {
	model == "health_system"
	every rule in rules[health_system.row(at, place)] { health_system.met(rule, at, place) }
}

_meets(model, rules, at, place) if {
	model == "practice_group"
	every rule in rules[practice_group.row] { practice_group.met(rule, at, place) }
}

_meets(model, rules, at, place) if {
	model == "vendor"
	every rule in rules { vendor.met(rule, at, place) }
}

# The names of the rules that are broken, for a denial.
_unmet(model, action, at, place) := {rule |
	some list in ["rules", "required_rules"]
	some rule in action[list]
	not regional.met(rule, at, place)
} if {
	model == "regional"
}

_unmet(model, action, at, place) := {rule |
	some list in ["rules", "required_rules"]
	some rule in action[list][_row]
	not health_system.met(rule, at, place)
} if {
	model == "health_system"
}

_unmet(model, action, at, place) := {rule |
	some list in ["rules", "required_rules"]
	some rule in action[list][_row]
	not practice_group.met(rule, at, place)
} if {
	model == "practice_group"
}

_unmet(model, action, at, place) := {rule |
	some list in ["rules", "required_rules"]
	some rule in action[list]
	not vendor.met(rule, at, place)
} if {
	model == "vendor"
}

_using(model) := regional.using if model == "regional"
_using(model) := health_system.using if model == "health_system"
_using(model) := practice_group.using if model == "practice_group"

_refusal(model, at, place) := regional.refusal(at, place) if model == "regional"
_refusal(model, at, place) := health_system.refusal(at, place) if model == "health_system"
_refusal(model, at, place) := practice_group.refusal(at, place) if model == "practice_group"
_refusal(model, at, place) := vendor.refusal(at, place) if model == "vendor"

_row := regional.row(_standing, _place) if input.facts.model == "regional"
_row := health_system.row(_standing, _place) if input.facts.model == "health_system"
_row := practice_group.row if input.facts.model == "practice_group"
_row := "SYS-11" if input.facts.model == "vendor"

_outcome_of(model, at, place) := regional.outcome(at, place) if model == "regional"
_outcome_of(model, _, place) := health_system.outcome(place) if model == "health_system"
_outcome_of(model, _, _) := practice_group.outcome if model == "practice_group"

_scope_of(model, at) := regional.scope(at) if model == "regional"
_scope_of(model, at) := health_system.scope(at) if model == "health_system"
_scope_of(model, at) := practice_group.scope(at) if model == "practice_group"

# An action search may ask of a model whether some property would do.
_suitable(model, _, _) if model != "health_system"
_suitable(model, at, place) := health_system.suitable(at, place) if model == "health_system"
