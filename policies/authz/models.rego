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

_roles["regional"] := data.authz.regional.roles
_roles["health_system"] := data.authz.health_system.roles
_roles["practice_group"] := data.authz.practice_group.roles
_roles["vendor"] := data.authz.vendor.roles

_actions["regional"] := data.authz.regional.actions
_actions["health_system"] := data.authz.health_system.actions
_actions["practice_group"] := data.authz.practice_group.actions
_actions["vendor"] := data.authz.vendor.actions

_rules["regional"] := data.authz.regional.rules
_rules["health_system"] := data.authz.health_system.rules
_rules["practice_group"] := data.authz.practice_group.rules
_rules["vendor"] := data.authz.vendor.rules

# Stage 2, and why the power is missing.
_power("regional", at, place) := regional.power(at, place)
_power("health_system", at, place) := health_system.power(at, place)
_power("practice_group", at, place) := practice_group.power(at, place)
_power("vendor", at, place) := vendor.power(at, place)

_refusal("regional", at, place) := regional.refusal(at, place)
_refusal("health_system", at, place) := health_system.refusal(at, place)
_refusal("practice_group", at, place) := practice_group.refusal(at, place)
_refusal("vendor", at, place) := vendor.refusal(at, place)

_using("regional") := regional.using
_using("health_system") := health_system.using
_using("practice_group") := practice_group.using

# Stage 3: those of the rules of an action that are broken. In some models they depend on the row.
_broken("regional", rules, at, place) := {rule | some rule in rules; not regional.met(rule, at, place)}

_broken("health_system", rules, at, place) := {rule | some rule in names; not health_system.met(rule, at, place)} if {
	names := rules[health_system.row(rules, at, place)]
}

_broken("practice_group", rules, at, place) := {rule | some rule in names; not practice_group.met(rule, at, place)} if {
	names := rules[practice_group.row(rules)]
}

_broken("vendor", rules, at, place) := {rule | some rule in rules; not vendor.met(rule, at, place)}

# METADATA
# title: The id of the row that judges the question, for access reviews
# scope: document
row := regional.row(_standing, _place) if input.facts.model == "regional"
row := health_system.row(_action.rules, _standing, _place) if input.facts.model == "health_system"
row := practice_group.row(_action.rules) if input.facts.model == "practice_group"
row := "SYS-11" if input.facts.model == "vendor"

# What comes with an allow.
default _outcome_of(_, _, _) := {}

_outcome_of("regional", at, place) := regional.outcome(at, place)
_outcome_of("health_system", _, place) := health_system.outcome(place)
_outcome_of("practice_group", _, _) := practice_group.outcome

# The rules of stage 3 that judge an action.
_judging("regional", rules, _, _) := rules
_judging("health_system", rules, at, place) := rules[health_system.row(rules, at, place)]
_judging("practice_group", rules, _, _) := rules[practice_group.row(rules)]

# Where the users are who can be acted on, and what their assignments are.
_assigned_of("regional", rules, at, place) := regional.scope(rules, at, place)
_assigned_of("health_system", rules, at, place) := health_system.scope(rules, at, place)
_assigned_of("practice_group", rules, at, place) := practice_group.scope(rules, at, place)

# Who can do what needs no place to stand.
_users_of("regional") := regional.users
_users_of("health_system") := health_system.users
_users_of("practice_group") := practice_group.users

# An action search may ask of a model whether some property would do.
_suitable(model, _, _) if model != "health_system"
_suitable("health_system", at, place) := health_system.suitable(at, place)
