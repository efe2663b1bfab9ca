package authz.regional

import data.authz.question

# METADATA
# title: The subject has the power to do this here (stage 2; REG-1 to REG-11)
# description: |
#   Some column of the subject has a cell that allows it; several columns are so united. A role has a column only
#   where its subject may stand (ALL-3): at its location, or beneath if it reaches down, which the table is checked
#   for.
power(at, place) if {
	_on_another
	role := at.held[at.id]
	cells := data.authz.regional.matrix[row(at, place)]
	grants(cells[data.authz.regional.roles[role].columns.here], at, place)
}

power(at, place) if {
	_on_another
	some above, role in at.held
	above != at.id
	cells := data.authz.regional.matrix[row(at, place)]
	grants(cells[data.authz.regional.roles[role].columns.beneath], at, place)
}

# METADATA
# title: The matrix row that judges the question
row(_, place) := "REG-1" if {
	input.action.name == "user.list"
	place.kind == "region"
}

row(_, place) := "REG-2" if {
	input.action.name == "user.list"
	place.kind != "region"
}

row(_, _) := "REG-3" if input.action.name == "user.view_locations"

row(_, _) := "REG-5" if input.action.name == "assignment.add"

row(at, place) := "REG-6" if {
	input.action.name == "assignment.edit"
	place.id == at.id
}

row(at, place) := "REG-7" if {
	input.action.name == "assignment.edit"
	place.id != at.id
}

row(_, _) := "REG-8" if input.action.name == "default_location.change"

row(at, place) := "REG-9" if {
	input.action.name == "assignment.remove"
	place.id == at.id
}

row(at, place) := "REG-10" if {
	input.action.name == "assignment.remove"
	place.id != at.id
}

row(_, _) := "REG-11" if {
	input.action.name in {"user.view", "user.edit", "user.reset_password", "user.deactivate", "user.reactivate"}
}

# METADATA
# title: The matrix column that a role gives at a standing (4.2)
column(at, location, role) := data.authz.regional.roles[role].columns.here if location == at.id

column(at, location, role) := data.authz.regional.roles[role].columns.beneath if location != at.id

# METADATA
# title: A cell allows the question
grants(cell, _, _) if cell == "yes"

grants(cell, _, _) if cell == "yes, any"

grants(cell, _, _) if cell == "yes (REG-W2)"

grants(cell, _, _) if cell == "both"

grants(cell, at, place) if {
	cell == "yes, here"
	place.id == at.id
}

grants(cell, at, place) if {
	cell == "yes, covered"
	place.path[at.id]
}

grants(cell, at, _) if {
	cell == "yes, covered users"
	input.facts.user.within[at.id]
}

grants(cell, at, _) if {
	cell == "yes (REG-W2, REG-4)"
	input.facts.user.within[at.id]
}

grants(cell, _, place) if {
	cell == "role"
	destination(place) == ""
}

# ALL-9, by the catalogue.
_on_another if input.facts.user.id != input.facts.subject.id

_on_another if data.authz.regional.actions[input.action.name].allow_self

# METADATA
# title: Where an edit moves the assignment, "" where it stays
# description: The place itself is no move where the user has that assignment (section 9).
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
