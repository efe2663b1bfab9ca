# METADATA
# title: The regional model (DOMAIN.md section 4)
# description: Emergency-tracking and public-health networks; region > division > facility.
package authz.regional

import data.authz.question

# METADATA
# title: The model knows the action on this type of resource (ALL-1)
# scope: document
knows if _action.resource == input.resource.type

# METADATA
# title: Someone may stand here (ALL-3)
stands(at) if at.held[at.id]

stands(at) if {
	some role in at.held
	data.authz.regional.roles[role].reaches_down
}

# METADATA
# title: Allowed from a standing (ALL-1)
allowed(at, place) if {
	possible(at, place)
	_complete(at, place)
}

# METADATA
# title: Allowed from a standing, whatever properties are still to come (section 8, action search)
possible(at, place) if {
	_action.resource == input.resource.type
	power(at, place)
	every rule in _action.rules {
		met(rule, at, place)
	}
}

# Every property has its form, and the rules about properties that are not there are met.
_complete(_, _) if not _action.properties

_complete(at, place) if {
	every name, form in _action.properties {
		question.formed(form, name)
	}
	every rule in object.get(_action, "required_rules", []) {
		met(rule, at, place)
	}
}

# METADATA
# title: The rules of stage 3 that are broken, as RULE/code or RULE/code/field
broken(at, place) := {replace(rule, "ROW", row(at, place)) | some rule in ((unmet | malformed) - hidden)} if {
	unmet := {rule |
		some list in ["rules", "required_rules"]
		some rule in _action[list]
		not met(rule, at, place)
	}
	hidden := {rule |
		some cause in unmet
		some rule in data.authz.regional.suppresses[cause]
	}
	malformed := {sprintf("ROW/missing_field/%s", [name]) |
		some name, form in _action.properties
		not question.formed(form, name)
	}
}

# METADATA
# title: What helps against a broken rule
remedy(rule) := data.authz.regional.remedies[rule]

_action := data.authz.regional.actions[input.action.name]
