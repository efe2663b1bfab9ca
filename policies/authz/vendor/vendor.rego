# METADATA
# title: The vendor model (DOMAIN.md SYS-11)
package authz.vendor

import data.authz.question

# METADATA
# title: The model knows the action on this type of resource (ALL-1)
# scope: document
knows if _action.resource == input.resource.type

# METADATA
# title: Someone may stand here (ALL-3)
stands(at) if at.held[at.id]

# METADATA
# title: SYS-11, the vendor's staff alone
power(at, _) if {
	input.action.name in {"entity.create", "entity.associate", "entity.dissociate"}
	data.authz.vendor.roles[at.held[at.id]].creates_entities
}

# METADATA
# title: Why the power is missing
refusal(_, _) := {"code": "vendor_only", "rule": "SYS-11"}

# METADATA
# title: Allowed from a standing, whatever properties are still to come (section 8, action search)
possible(at, place) if {
	_action.resource == input.resource.type
	power(at, place)
	every rule in _action.rules {
		met(rule)
	}
}

# METADATA
# title: Allowed from a standing (ALL-1)
allowed(at, place) if {
	possible(at, place)
	every name, form in object.get(_action, "properties", {}) {
		question.formed(form, name)
	}
}

# METADATA
# title: The rules of stage 3 that are broken, as RULE/code or RULE/code/field
broken(_, _) := unmet | malformed if {
	unmet := {rule |
		some rule in _action.rules
		not met(rule)
	}
	malformed := {sprintf("SYS-11/missing_field/%s", [name]) |
		some name, form in _action.properties
		not question.formed(form, name)
	}
}

# METADATA
# title: A rule of stage 3 is met
met(rule) if {
	rule == "SYS-11/existing_location"
	input.facts.place.id == input.resource.id
	not input.facts.place.kind
}

met(rule) if {
	rule == "SYS-11/unknown_location"
	input.action.name == "entity.associate"
	input.facts.place.kind == "entity"
	_system.kind == "system"
}

met(rule) if {
	rule == "SYS-11/unknown_location"
	input.action.name == "entity.associate"
	input.facts.place.kind == "entity"
	not question.text("system")
}

met(rule) if {
	rule == "SYS-11/unknown_location"
	input.action.name == "entity.dissociate"
	input.facts.place.kind == "entity"
}

met(rule) if {
	rule == "SYS-11/already_assigned"
	input.facts.place.organization == input.facts.place.id
}

met(rule) if {
	rule == "SYS-11/already_assigned"
	not _is_entity
}

met(rule) if {
	rule == "SYS-11/not_assigned"
	input.facts.place.organization != input.facts.place.id
}

met(rule) if {
	rule == "SYS-11/not_assigned"
	not _is_entity
}

met(rule) if {
	rule == "SYS-11/plan_required"
	_system.plan == "paid"
}

met(rule) if {
	rule == "SYS-11/plan_required"
	not _system.kind == "system"
}

_is_entity if input.facts.place.kind == "entity"

_system := input.facts.locations[question.text("system")]

_action := data.authz.vendor.actions[input.action.name]
