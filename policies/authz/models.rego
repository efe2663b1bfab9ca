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

_action("regional") := data.authz.regional.actions[input.action.name]
_action("health_system") := data.authz.health_system.actions[input.action.name]
_action("practice_group") := data.authz.practice_group.actions[input.action.name]
_action("vendor") := data.authz.vendor.actions[input.action.name]

_rules := data.authz.regional.rules if input.facts.model == "regional"
_rules := data.authz.health_system.rules if input.facts.model == "health_system"
_rules := data.authz.practice_group.rules if input.facts.model == "practice_group"
_rules := data.authz.vendor.rules if input.facts.model == "vendor"

_role("regional", role) := data.authz.regional.roles[role]
_role("health_system", role) := data.authz.health_system.roles[role]
_role("practice_group", role) := data.authz.practice_group.roles[role]

_power("regional", at, place) := regional.power(at, place)
_power("health_system", at, place) := health_system.power(at, place)
_power("practice_group", at, place) := practice_group.power(at, place)
_power("vendor", at, place) := vendor.power(at, place)

# The rules of stage 3 that have to be met. In some models they depend on the row that judges the action.
_meets("regional", rules, at, place) if every rule in rules { regional.met(rule, at, place) }

_meets("health_system", rules, at, place) if {
	every rule in rules[health_system.row(at, place)] { health_system.met(rule, at, place) }
}

_meets("practice_group", rules, at, place) if {
	every rule in rules[practice_group.row] { practice_group.met(rule, at, place) }
}

_meets("vendor", rules, at, place) if every rule in rules { vendor.met(rule, at, place) }

# The names of the rules that are broken, for a denial.
_unmet("regional", action, at, place) := {rule |
	some list in ["rules", "required_rules"]
	some rule in action[list]
	not regional.met(rule, at, place)
}

_unmet("health_system", action, at, place) := {rule |
	some list in ["rules", "required_rules"]
	some rule in action[list][_row]
	not health_system.met(rule, at, place)
}

_unmet("practice_group", action, at, place) := {rule |
	some list in ["rules", "required_rules"]
	some rule in action[list][_row]
	not practice_group.met(rule, at, place)
}

_unmet("vendor", action, at, place) := {rule |
	some list in ["rules", "required_rules"]
	some rule in action[list]
	not vendor.met(rule, at, place)
}

_using("regional") := regional.using
_using("health_system") := health_system.using
_using("practice_group") := practice_group.using

_refusal("regional", at, place) := regional.refusal(at, place)
_refusal("health_system", at, place) := health_system.refusal(at, place)
_refusal("practice_group", at, place) := practice_group.refusal(at, place)
_refusal("vendor", at, place) := vendor.refusal(at, place)

_row := regional.row(_standing, _place) if input.facts.model == "regional"
_row := health_system.row(_standing, _place) if input.facts.model == "health_system"
_row := practice_group.row if input.facts.model == "practice_group"
_row := "SYS-11" if input.facts.model == "vendor"

_outcome_of("regional", at, place) := regional.outcome(at, place)
_outcome_of("health_system", _, place) := health_system.outcome(place)
_outcome_of("practice_group", _, _) := practice_group.outcome

_scope_of("regional", at) := regional.scope(at)
_scope_of("health_system", at) := health_system.scope(at)
_scope_of("practice_group", at) := practice_group.scope(at)

# An action search may ask of a model whether some property would do.
_suitable(model, _, _) if model != "health_system"
_suitable("health_system", at, place) := health_system.suitable(at, place)
