package authz.regional

import data.authz.question

# METADATA
# title: A membership rule is met (4.3)
# description: Each is stated positively, so that a fact that is missing leaves its rule broken.
met("ALL-10/user_inactive", _, _) if input.facts.user.status == "active"

met("ALL-10/user_active", _, _) if input.facts.user.status == "deactivated"

met("ALL-8/not_assigned", _, place) if input.facts.user.assignments[place.id]

met("REG-I1/already_assigned", _, place) if {
	input.action.name == "assignment.add"
	not input.facts.user.assignments[place.id]
}

met("REG-I1/already_assigned", _, place) if {
	input.action.name == "assignment.edit"
	location := destination(place)
	not input.facts.user.assignments[location]
}

met("REG-I2/only_location", _, _) if count(input.facts.user.assignments) > 1

met("REG-I3/default_location", _, place) if input.facts.user.default_location != place.id

met("REG-I4/not_assigned", _, place) if input.facts.user.assignments[place.id].status == "active"

met("REG-I5/role_not_available", _, place) if {
	input.action.name == "assignment.add"
	place.kind in data.authz.regional.roles[question.text("role")].offered_at
}

# With no role named there is nothing to judge; that it is missing is for stage 3's missing_field.
met("REG-I5/role_not_available", _, _) if {
	input.action.name == "assignment.add"
	not question.text("role")
}

met("REG-I5/role_not_available", _, place) if {
	input.action.name == "assignment.edit"
	_kind_after(place) in data.authz.regional.roles[_role_after(place)].offered_at
}

met("REG-I5/role_not_available", _, _) if {
	input.action.name == "assignment.edit"
	not question.formed("text?", "new_role")
}

met("REG-I6/default_location", _, place) if destination(place) == ""

met("REG-I6/default_location", _, place) if input.facts.user.default_location != place.id

met("REG-I6/default_location", at, _) if {
	some location, role in at.held
	column(at, location, role) == "region"
}

met("REG-I7/unknown_location", _, place) if destination(place) == ""

met("REG-I7/unknown_location", _, place) if {
	destination(place) == input.facts.target.id
	input.facts.target.kind
}

met("REG-I7/other_organization", _, place) if destination(place) == ""

met("REG-I7/other_organization", at, _) if input.facts.target.organization == at.organization

met("ROW/nothing_to_change", _, place) if {
	input.action.name == "default_location.change"
	input.facts.user.default_location != place.id
}

met("ROW/nothing_to_change", _, place) if {
	input.action.name == "assignment.edit"
	destination(place) != ""
}

met("ROW/nothing_to_change", _, place) if {
	input.action.name == "assignment.edit"
	question.text("new_role") != input.facts.user.assignments[place.id].role
}

# A property of the wrong type is there, though nobody can tell what it would change.
met("ROW/nothing_to_change", _, _) if {
	input.action.name == "assignment.edit"
	some name in ["new_role", "new_location"]
	not question.formed("text?", name)
}

_role_after(_) := question.text("new_role")

_role_after(place) := input.facts.user.assignments[place.id].role if not question.text("new_role")

_kind_after(place) := place.kind if destination(place) == ""

_kind_after(place) := input.facts.target.kind if destination(place) != ""
