package authz

import data.authz.health_system
import data.authz.question

# A denial comes from the first stage that fails, and tells nothing of the later ones.

_denial := _denied([_told(_unidentified)], []) if {
	not identified
} else := _denied([_told(_refused)], _switching) if {
	not _empowered
} else := _denied(_told_reasons, _denial_advice) if {
	count(_told_reasons) > 0
} else := _denied([_told({"code": "obligation_unsupported", "rule": "ALL-13"})], []) if {
	not _supported
}

_denied(reasons, advice) := {"allow": false, "reasons": reasons} if {
	count(advice) == 0
} else := {"allow": false, "reasons": reasons, "advice": _told_advice(advice)}

_empowered if {
	_power(input.facts.model, _standing, _place)
	_self_is_allowed(_action.allow_self)
}

# Whose invitation it is, and that nobody deletes, are for stage 3.
_empowered if input.action.name in {"invitation.accept", "invitation.reject", "user.delete"}

# Stage 2: the first cause in its order.
_refused := {"code": "plan_required", "rule": "SYS-10"} if {
	input.facts.model == "health_system"
	health_system.outside_plan(_standing, _place)
} else := {"code": "self", "rule": "ALL-9"} if {
	not _self_is_allowed(_action.allow_self)
} else := _refusal(input.facts.model, _standing, _place)

# Where the subject stands; the actions that need no standing are judged from nowhere.
default _standing := {}

_standing := input.facts.current

default _place := {}

_place := input.facts.place

_switching := [{"code": "switch_location", "rule": "ALL-11", "locations": _elsewhere} | count(_elsewhere) > 0]

# ALL-11: the locations from which the very same question would be allowed.
_elsewhere := [id |
	some id in array.slice(_candidates, 0, 20)
	at := input.facts.standings[id]
	_judged_alike(at)
	place := _place_from(at)
	_allowed(at.model, at, place)
	_supported_from(at, place)
]

# An object is iterated in the order of its keys.
_candidates := [id |
	some id, at in input.facts.standings
	_stands_at(at.model, at)
]

# A place that the question names is the same from everywhere; otherwise it is where the subject stands.
_place_from(at) := input.facts.place if {
	_place_is_named
} else := at

_place_is_named if input.resource.type == "location"
_place_is_named if question.named(input.resource.properties.location)

_supported_from(_, _) if not _names_obligations
_supported_from(at, place) if _supports(_outcome_of(at.model, at, place))

_judged_alike(at) if at.organization == input.facts.organization.id

# SYS-11 is judged at the vendor.
_judged_alike(at) if {
	input.action.name in {"entity.create", "entity.associate", "entity.dissociate"}
	at.model == "vendor"
}

# Stage 3: the broken rules by their names, without those that another suppresses.
_reported := broken - suppressed if {
	broken := {rule |
		some list in ["rules", "required_rules"]
		some rule in _broken(input.facts.model, _action[list], _standing, _place)
	}
	suppressed := {other | some rule in broken; some other in _entries[rule].suppresses}
}

_entries := _rules[input.facts.model]

# A set is sorted: by code, then field.
_found := _stated | _malformed

_stated := {[entry.code, object.get(entry, "field", ""), object.get(entry, "rule", row)] |
	some rule in _reported
	entry := _entries[rule]
}

_malformed := {["missing_field", name, row] |
	some name, form in _action.properties
	not question.formed(form, name)
	not name in {field | some ["missing_field", field, _] in _stated}
}

# Each pair of code and field once.
_told_reasons := [reason |
	some [code, field, rule] in _found
	not _outranked(code, field, rule)
	reason := _told(object.union({"code": code, "rule": rule}, {"field": field | field != ""}))
]

# The model's own rule comes before an ALL row, and else the later of two.
_outranked(code, field, rule) if {
	some [same_code, same_field, other] in _found
	other != rule
	same_code == code
	same_field == field
	_rank(other) > _rank(rule)
}

_rank(rule) := [startswith(rule, "ALL-") == false, rule]

_denial_advice := [{"code": code, "rule": object.get(_entries[rule], "rule", row)} |
	some rule in _reported
	code := _entries[rule].advice
]

_told(reason) := object.union(reason, {"message": data.authz.messages.reasons[reason.code]})

_told_advice(all) := [object.union(advice, {"message": data.authz.messages.advice[advice.code]}) |
	by_code := {advice.code: advice | some advice in all}
	some advice in by_code
]
