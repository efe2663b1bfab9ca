package authz.regional

import data.authz.question

# METADATA
# title: A membership rule is met (4.3)
# description: Each is stated positively, so that a fact that is missing leaves its rule broken.
met(rule, _, _) if {
	rule == "ALL-10/user_inactive"
	input.facts.user.status == "active"
}

met(rule, _, _) if {
	rule == "ALL-10/user_active"
	input.facts.user.status == "deactivated"
}

met(rule, _, place) if {
	rule == "ALL-8/not_assigned"
	input.facts.user.assignments[place.id]
}

met(rule, _, place) if {
	rule == "REG-I1/already_assigned"
	input.action.name == "assignment.add"
	not input.facts.user.assignments[place.id]
}

met(rule, _, place) if {
	rule == "REG-I1/already_assigned"
	input.action.name == "assignment.edit"
	location := destination(place)
	not input.facts.user.assignments[location]
}

met(rule, _, _) if {
	rule == "REG-I2/only_location"
	count(input.facts.user.assignments) > 1
}

met(rule, _, place) if {
	rule == "REG-I3/default_location"
	input.facts.user.default_location != place.id
}

met(rule, _, place) if {
	rule == "REG-I4/not_assigned"
	input.facts.user.assignments[place.id].status == "active"
}

met(rule, _, place) if {
	rule == "REG-I5/role_not_available"
	input.action.name == "assignment.add"
	place.kind in data.authz.regional.roles[question.text("role")].offered_at
}

# With no role named there is nothing to judge; that it is missing is for stage 3's missing_field.
met(rule, _, _) if {
	rule == "REG-I5/role_not_available"
	input.action.name == "assignment.add"
	not question.text("role")
}

met(rule, _, place) if {
	rule == "REG-I5/role_not_available"
	input.action.name == "assignment.edit"
	_kind_after(place) in data.authz.regional.roles[_role_after(place)].offered_at
}

met(rule, _, _) if {
	rule == "REG-I5/role_not_available"
	input.action.name == "assignment.edit"
	some name in ["new_role", "new_location"]
	not question.formed("text?", name)
}

met(rule, _, place) if {
	rule == "REG-I6/default_location"
	destination(place) == ""
}

met(rule, _, place) if {
	rule == "REG-I6/default_location"
	input.facts.user.default_location != place.id
}

met(rule, at, _) if {
	rule == "REG-I6/default_location"
	some location, role in at.held
	column(at, location, role) == "region"
}

met(rule, _, place) if {
	rule == "REG-I7/unknown_location"
	destination(place) == ""
}

met(rule, _, place) if {
	rule == "REG-I7/unknown_location"
	destination(place) == input.facts.target.id
	input.facts.target.kind
}

met(rule, _, place) if {
	rule == "REG-I7/other_organization"
	destination(place) == ""
}

met(rule, at, _) if {
	rule == "REG-I7/other_organization"
	input.facts.target.organization == at.organization
}

met(rule, _, place) if {
	rule == "ROW/nothing_to_change"
	input.action.name == "default_location.change"
	input.facts.user.default_location != place.id
}

met(rule, _, place) if {
	rule == "ROW/nothing_to_change"
	input.action.name == "assignment.edit"
	destination(place) != ""
}

met(rule, _, place) if {
	rule == "ROW/nothing_to_change"
	input.action.name == "assignment.edit"
	question.text("new_role") != input.facts.user.assignments[place.id].role
}

# A property of the wrong type is there, though nobody can tell what it would change.
met(rule, _, _) if {
	rule == "ROW/nothing_to_change"
	input.action.name == "assignment.edit"
	some name in ["new_role", "new_location"]
	not question.formed("text?", name)
}

_role_after(_) := question.text("new_role")

_role_after(place) := input.facts.user.assignments[place.id].role if not question.text("new_role")

_kind_after(place) := place.kind if destination(place) == ""

_kind_after(place) := input.facts.target.kind if destination(place) != ""
