package authz

import data.authz.question

# What is the same in all models: who may stand where, which rules judge an action, and which of them are broken.

# ALL-3: the subject holds an active assignment at the location, or a role of its reaches down to it.
_stands_at(_, at) if at.held[at.id]

_stands_at(model, at) if {
	at.id
	some role in at.held
	_role(model, role).reaches_down
}

# ALL-1: the model knows the action on this type of resource.
_knows(model) if _action(model).resource == input.resource.type

# Allowed from a location: power, and every rule of stage 3.
_allowed(model, at, place) if {
	action := _action(model)
	action.resource == input.resource.type
	_stands_at(model, at)
	_power(model, at, place)
	_meets(model, action.rules, at, place)
	_complete(model, action, at, place)
}

# Allowed from a location, whatever properties are still to come.
_possible(model, at, place) if {
	action := _action(model)
	action.resource == input.resource.type
	_stands_at(model, at)
	_power(model, at, place)
	_meets(model, action.rules, at, place)
	_suitable(model, at, place)
}

# Every property has its form, and the rules about properties that are absent are met.
_complete(_, action, _, _) if not action.properties

_complete(model, action, at, place) if {
	not question.malformed(action.properties)
	_meets_required(model, action, at, place)
}

_meets_required(_, action, _, _) if not action.required_rules
_meets_required(model, action, at, place) if _meets(model, action.required_rules, at, place)
