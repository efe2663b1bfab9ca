package authz

import data.authz.question

# What is the same in all models: who may stand where, who has power at all, and what an allow takes.

# ALL-3: the subject holds an active assignment at the location, or a role of its reaches down to it.
_stands_at(_, at) if at.held[at.id]

_stands_at(model, at) if {
	at.id
	some role in at.held
	_roles[model][role].reaches_down
}

# ALL-9: the table says what a person may do to their own account. A new account is nobody's own.
_self_is_allowed(true)
_self_is_allowed(false) if input.facts.user.id != input.facts.subject.id
_self_is_allowed(false) if question.invites_new

# Allowed from a location: power, and every rule of stage 3.
_allowed(model, at, place) if {
	action := _actions[model][input.action.name]
	action.resource == input.resource.type
	_stands_at(model, at)
	_power(model, at, place)
	_self_is_allowed(action.allow_self)
	_broken(model, action.rules, at, place) == set()
	_complete(model, action, at, place)
}

# Allowed from a location, whatever properties are still to come, if nothing of stage 1 is broken.
_possible(model, at, place) if {
	action := _actions[model][input.action.name]
	_power(model, at, place)
	_self_is_allowed(action.allow_self)
	_broken(model, action.rules, at, place) == set()
	_suitable(model, at, place)
}

# Every property has its form, and the rules about properties that are absent are met.
_complete(_, action, _, _) if object.get(action, "properties", null) == null

_complete(model, action, at, place) if {
	not question.malformed(action.properties)
	_meets_required(model, action, at, place)
}

_meets_required(_, action, _, _) if object.get(action, "required_rules", null) == null
_meets_required(model, action, at, place) if _broken(model, action.required_rules, at, place) == set()
