# METADATA
# title: The practice group model (DOMAIN.md section 6)
# description: Sole, group and multi-disciplinary practices; group > practice.
package authz.practice_group

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
	data.authz.practice_group.roles[role].reaches_down
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
	stands(at)
	power(at, place)
	every rule in _action.rules[row] {
		met(rule, at, place)
	}
}

# Every property has its form, and the rules about properties that are not there are met.
_complete(_, _) if not _action.properties

_complete(at, place) if {
	every name, form in _action.properties {
		question.formed(form, name)
	}
	every rule in object.get(_action, ["required_rules", row], []) {
		met(rule, at, place)
	}
}

# METADATA
# title: The rules of stage 3 that are broken, as RULE/code or RULE/code/field
broken(at, place) := unmet | malformed if {
	unmet := {rule |
		some list in ["rules", "required_rules"]
		some rule in _action[list][row]
		not met(rule, at, place)
	}
	malformed := {sprintf("%s/missing_field/%s", [_field_rule(name), name]) |
		some name, form in _action.properties
		not question.formed(form, name)
	}
}

_field_rule("registration_number") := "PRA-4" if _registration == "required"

_field_rule("registration_number") := row if not _registration == "required"

_field_rule(name) := row if name != "registration_number"

# METADATA
# title: What helps against a broken rule
remedy(rule) := data.authz.practice_group.remedies[rule]

remedy("PRA-5/already_assigned") := "reactivate_instead" if not _in_use(input.facts.current.organization)

# METADATA
# title: The row that judges the question
# scope: document
row := "PRA-1" if input.action.name in {"user.list", "user.view", "user.edit"}

row := "PRA-3" if {
	input.action.name == "user.invite"
	question.said("new")
}

row := "PRA-5" if {
	input.action.name == "user.invite"
	not question.said("new")
}

row := "PRA-6" if input.action.name in {"invitation.accept", "invitation.reject"}

row := "PRA-7" if input.action.name == "user.delete"

row := "PRA-8" if input.action.name in {"user.deactivate", "user.reactivate"}

row := "PRA-9" if input.action.name == "location.switch"

row := "PRA-10" if input.action.name == "area.access"

row := "PRA-12" if {
	input.action.name in {"assignment.add", "assignment.edit", "assignment.remove", "access.change"}
}

_action := data.authz.practice_group.actions[input.action.name]
