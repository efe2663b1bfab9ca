package authz

import data.authz.question

# A denial comes from the first stage that fails, and tells nothing of the later ones.

_denial := _denied([_told(_unidentified)], []) if {
	not identified
} else := _denied([_told(_refusal(input.facts.model, _standing, _place))], _switching) if {
	not _empowered
} else := _denied(_told_reasons, _denial_advice) if {
	count(_told_reasons) > 0
} else := _denied([_told({"code": "obligation_unsupported", "rule": "ALL-13"})], []) if {
	not _supported
}

_denied(reasons, advice) := {"allow": false, "reasons": reasons} if {
	count(advice) == 0
} else := {"allow": false, "reasons": reasons, "advice": _told_advice(advice)}

_empowered if _power(input.facts.model, _standing, _place)
_empowered if _using(input.facts.model)

# Whose invitation it is, and that nobody deletes, are for stage 3.
_empowered if input.action.name in {"invitation.accept", "invitation.reject", "user.delete"}

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
_place_from(_) := input.facts.place if _place_is_named
_place_from(at) := at if not _place_is_named

_place_is_named if input.resource.type == "location"
_place_is_named if question.named(object.get(input, ["resource", "properties", "location"], null))

_supported_from(_, _) if object.get(input, ["context", "supported_obligations"], null) == null
_supported_from(at, place) if _supports(_outcome_of(at.model, at, place))
_supported_from(at, place) if not _obliges(at, place)

_obliges(at, place) if _outcome_of(at.model, at, place).obligations

_judged_alike(at) if at.organization == input.facts.organization.id

# SYS-11 is judged at the vendor.
_judged_alike(at) if {
	input.action.name in {"entity.create", "entity.associate", "entity.dissociate"}
	at.model == "vendor"
}

# Stage 3: the broken rules by their names, without those that another suppresses.
_broken := unmet - suppressed if {
	unmet := _unmet(input.facts.model, _action(input.facts.model), _standing, _place)
	suppressed := {other | some rule in unmet; some other in _rules[rule].suppresses}
}

# A set is sorted: by code, then field.
_found := _stated | _malformed

_stated := {[entry.code, object.get(entry, "field", ""), object.get(entry, "rule", _row)] |
	some rule in _broken
	entry := _rules[rule]
}

_malformed := {["missing_field", name, _row] |
	some name, form in _action(input.facts.model).properties
	not question.formed(form, name)
	not _is_stated_missing(name)
}

_is_stated_missing(name) if {
	some [code, field, _] in _stated
	code == "missing_field"
	field == name
}

# Each pair of code and field once, with the model's own rule before an ALL row.
_told_reasons := [reason |
	some [code, field, rule] in _found
	not _outranked(code, field, rule)
	reason := _told(object.union({"code": code, "rule": rule}, {"field": field | field != ""}))
]

# The model's own rule comes before an ALL row, and else the later of two.
_outranked(code, field, rule) if {
	some other in _found
	other[2] != rule
	other[0] == code
	other[1] == field
	_before(other[2], rule)
}

_before(other, rule) if {
	not startswith(other, "ALL-")
	startswith(rule, "ALL-")
}

_before(other, rule) if {
	other > rule
	startswith(other, "ALL-") == startswith(rule, "ALL-")
}

_denial_advice := [{"code": code, "rule": object.get(_rules[rule], "rule", _row)} |
	some rule in _broken
	code := _rules[rule].advice
]

_told(reason) := object.union(reason, {"message": data.authz.messages.reasons[reason.code]})

_told_advice(all) := [object.union(advice, {"message": data.authz.messages.advice[advice.code]}) |
	by_code := {advice.code: advice | some advice in all}
	some advice in by_code
]
