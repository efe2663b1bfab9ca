package authz

import data.authz.health_system
import data.authz.practice_group
import data.authz.regional
import data.authz.vendor

# Each model answers the same questions; a new model adds a line to each.

_stands_at("regional", at) if regional.stands(at)

_stands_at("health_system", at) if health_system.stands(at)

_stands_at("practice_group", at) if practice_group.stands(at)

_stands_at("vendor", at) if vendor.stands(at)

_allowed("regional", at, place) if regional.allowed(at, place)

_allowed("health_system", at, place) if health_system.allowed(at, place)

_allowed("practice_group", at, place) if practice_group.allowed(at, place)

_allowed("vendor", at, place) if vendor.allowed(at, place)

_possible("regional", at, place) if regional.possible(at, place)

_possible("health_system", at, place) if health_system.possible(at, place)

_possible("practice_group", at, place) if practice_group.possible(at, place)

_possible("vendor", at, place) if vendor.possible(at, place)

_power("regional", at, place) if regional.power(at, place)

_power("health_system", at, place) if health_system.power(at, place)

_power("practice_group", at, place) if practice_group.power(at, place)

_power("vendor", at, place) if vendor.power(at, place)

_using("regional") if regional.using

_using("health_system") if health_system.using

_using("practice_group") if practice_group.using

_refusal("regional", at, place) := regional.refusal(at, place)

_refusal("health_system", at, place) := health_system.refusal(at, place)

_refusal("practice_group", at, place) := practice_group.refusal(at, place)

_refusal("vendor", at, place) := vendor.refusal(at, place)

_broken("regional", at, place) := regional.broken(at, place)

_broken("health_system", at, place) := health_system.broken(at, place)

_broken("practice_group", at, place) := practice_group.broken(at, place)

_broken("vendor", at, place) := vendor.broken(at, place)

_remedy("regional", rule) := regional.remedy(rule)

_remedy("practice_group", rule) := practice_group.remedy(rule)

_outcome_of("regional", at, place) := regional.outcome(at, place)

_outcome_of("health_system", _, place) := health_system.outcome(place)

_outcome_of("practice_group", _, _) := practice_group.outcome

_scope_of("regional", at) := regional.scope(at)

_scope_of("health_system", at) := health_system.scope(at)

_scope_of("practice_group", at) := practice_group.scope(at)
