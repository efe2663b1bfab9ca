package authz.regional

import data.authz.question

# Stage 3 (4.3). Each rule of the table is stated here, positively, so that a fact that is missing leaves it broken.
# Where a rule has several clauses, any of them meets it.

# METADATA
# title: ALL-10, the account is active
met("active_account", _, _) if input.facts.user.status == "active"

# METADATA
# title: ALL-10, the account is deactivated
met("deactivated_account", _, _) if input.facts.user.status == "deactivated"

# METADATA
# title: ALL-8, the user has an assignment at the place
met("assigned", _, place) if input.facts.user.assignments[place.id]

# METADATA
# title: REG-I1, no assignment is added where there is one
met("one_role_per_location", _, place) if {
	input.action.name == "assignment.add"
	not input.facts.user.assignments[place.id]
}

# METADATA
# title: REG-I1, no assignment moves to where there is one
met("one_role_per_location", _, place) if {
	input.action.name == "assignment.edit"
	location := destination(place)
	not input.facts.user.assignments[location]
}

# METADATA
# title: REG-I2, the user keeps another location
met("another_location", _, _) if count(input.facts.user.assignments) > 1

# METADATA
# title: REG-I3, the location is not the default
met("not_the_default", _, place) if input.facts.user.default_location != place.id

# METADATA
# title: REG-I4, the new default is an active assignment
met("active_assignment", _, place) if input.facts.user.assignments[place.id].status == "active"

# METADATA
# title: REG-I5, the role is one that the location's kind offers
met("role_offered", _, place) if _kind_after(place) in data.authz.regional.roles[_role_after(place)].offered_at

# METADATA
# title: REG-I5, the properties cannot be read, which missing_field reports
met("role_offered", _, _) if question.malformed(data.authz.regional.actions[input.action.name].properties)

# METADATA
# title: REG-I6, moving from the region takes the default along
met("default_stays", at, _) if "region" in columns(at)

# METADATA
# title: REG-I6, what moves is not the default
met("default_stays", _, place) if input.facts.user.default_location != place.id

# METADATA
# title: REG-I6 and REG-I7, the assignment does not move
met(rule, _, place) if {
	rule in {"default_stays", "target_known", "target_in_region"}
	destination(place) == ""
}

# METADATA
# title: REG-I7, the location that it moves to is known
met("target_known", _, place) if {
	destination(place) == input.facts.target.id
	input.facts.target.kind
}

# METADATA
# title: REG-I7, the location that it moves to is in the region
met("target_in_region", at, _) if input.facts.target.organization == at.organization

# METADATA
# title: REG-8, the default becomes another location
met("another_default", _, place) if input.facts.user.default_location != place.id

# METADATA
# title: REG-6 and REG-7, the location changes
met("something_changes", _, place) if destination(place) != ""

# METADATA
# title: REG-6 and REG-7, the role changes
met("something_changes", _, place) if question.text("new_role") != input.facts.user.assignments[place.id].role

# METADATA
# title: REG-6 and REG-7, nobody can tell what a property of the wrong type would change
met("something_changes", _, _) if question.malformed(data.authz.regional.actions[input.action.name].properties)

# METADATA
# title: Where an edit moves the assignment, "" where it stays
# description: The place itself is no move where the user has that assignment.
default destination(_) := ""

destination(place) := location if {
	input.action.name == "assignment.edit"
	location := question.text("new_location")
	not _is_there(location, place)
}

_is_there(location, place) if {
	location == place.id
	input.facts.user.assignments[location]
}

# The role after an addition or edit, and the kind of the location where it then is.
_role_after(_) := question.text("role") if input.action.name == "assignment.add"
_role_after(_) := question.text("new_role") if input.action.name == "assignment.edit"

_role_after(place) := input.facts.user.assignments[place.id].role if {
	input.action.name == "assignment.edit"
	not question.text("new_role")
}

_kind_after(place) := place.kind if {
	destination(place) == ""
} else := input.facts.target.kind
