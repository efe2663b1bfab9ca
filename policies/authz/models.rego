package authz

import data.authz.health_system
import data.authz.practice_group
import data.authz.regional
import data.authz.vendor

# Each model answers the same questions; a new model adds a line to each.

_stands_at(model, at) if {
	model == "regional"
	regional.stands(at)
}

_stands_at(model, at) if {
	model == "health_system"
	health_system.stands(at)
}

_stands_at(model, at) if {
	model == "practice_group"
	practice_group.stands(at)
}

_stands_at(model, at) if {
	model == "vendor"
	vendor.stands(at)
}

_allowed(model, at, place) if {
	model == "regional"
	regional.allowed(at, place)
}

_allowed(model, at, place) if {
	model == "health_system"
	health_system.allowed(at, place)
}

_allowed(model, at, place) if {
	model == "practice_group"
	practice_group.allowed(at, place)
}

_allowed(model, at, place) if {
	model == "vendor"
	vendor.allowed(at, place)
}

_possible(model, at, place) if {
	model == "regional"
	regional.possible(at, place)
}

_possible(model, at, place) if {
	model == "health_system"
	health_system.possible(at, place)
}

_possible(model, at, place) if {
	model == "practice_group"
	practice_group.possible(at, place)
}

_possible(model, at, place) if {
	model == "vendor"
	vendor.possible(at, place)
}

_power(model, at, place) if {
	model == "regional"
	regional.power(at, place)
}

_power(model, at, place) if {
	model == "health_system"
	health_system.power(at, place)
}

_power(model, at, place) if {
	model == "practice_group"
	practice_group.power(at, place)
}

_power(model, at, place) if {
	model == "vendor"
	vendor.power(at, place)
}

_using(model) if {
	model == "regional"
	regional.using
}

_using(model) if {
	model == "health_system"
	health_system.using
}

_using(model) if {
	model == "practice_group"
	practice_group.using
}

_refusal(model, at, place) := regional.refusal(at, place) if model == "regional"

_refusal(model, at, place) := health_system.refusal(at, place) if model == "health_system"

_refusal(model, at, place) := practice_group.refusal(at, place) if model == "practice_group"

_refusal(model, at, place) := vendor.refusal(at, place) if model == "vendor"

_broken(model, at, place) := regional.broken(at, place) if model == "regional"

_broken(model, at, place) := health_system.broken(at, place) if model == "health_system"

_broken(model, at, place) := practice_group.broken(at, place) if model == "practice_group"

_broken(model, at, place) := vendor.broken(at, place) if model == "vendor"

_remedy(model, rule) := regional.remedy(rule) if model == "regional"

_remedy(model, rule) := practice_group.remedy(rule) if model == "practice_group"

_outcome_of(model, at, place) := regional.outcome(at, place) if model == "regional"

_outcome_of(model, _, place) := health_system.outcome(place) if model == "health_system"

_outcome_of(model, _, _) := practice_group.outcome if model == "practice_group"

_scope_of(model, at) := regional.scope(at) if model == "regional"

_scope_of(model, at) := health_system.scope(at) if model == "health_system"

_scope_of(model, at) := practice_group.scope(at) if model == "practice_group"
