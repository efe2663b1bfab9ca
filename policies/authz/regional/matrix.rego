# METADATA
# title: The regional model (policies/DOMAIN.md section 4)
# description: |
#   Emergency-tracking and public-health networks; region > division > facility. What `at` and `place` are is said in
#   models.rego.
package authz.regional

# METADATA
# title: The subject has the power to do this here (stage 2; REG-1 to REG-11)
# description: A cell of the subject's columns fits the place, the user and the edit. Several columns are so united.
power(at, place) if {
	some role in at.held
	cell := data.authz.regional.matrix[task(at, place)][data.authz.regional.roles[role].columns[at.kind]]
	_fits_place(cell.place, at, place)
	_fits_user(cell.user, at)
	_fits_edit(cell, place)
}

# What a cell asks of the place, of the user and of the edit. A cell "no" has no members, and fits nothing.
_fits_place("any", _, _)
_fits_place("here", at, place) if place.id == at.id
_fits_place("covered", at, place) if place.path[at.id]

_fits_user("any", _)
_fits_user("covered", at) if input.facts.user.within[at.id]

_fits_edit(_, _) if input.action.name != "assignment.edit"
_fits_edit(cell, _) if cell.edit == "both"

_fits_edit(cell, place) if {
	cell.edit == "role"
	destination(place) == ""
}

# METADATA
# title: The name of the matrix row that judges the question
# description: It is that of the action, but for the lists of a region and for edits and removals elsewhere.
task(at, place) := "assignment.edit_elsewhere" if {
	input.action.name == "assignment.edit"
	place.id != at.id
} else := "assignment.remove_elsewhere" if {
	input.action.name == "assignment.remove"
	place.id != at.id
} else := "user.list_region" if {
	input.action.name == "user.list"
	place.kind == "region"
} else := input.action.name

# METADATA
# title: The id of the row that judges the question, of the matrix or of 4.5
row(at, place) := data.authz.regional.matrix[task(at, place)].rule
row(_, _) := uses[input.action.name]

# METADATA
# title: The columns of the matrix that the subject's roles give where the subject stands (4.2)
columns(at) := {column |
	some role in at.held
	column := data.authz.regional.roles[role].columns[at.kind]
}

# METADATA
# title: Why the power is missing, the first cause in the order of stage 2
refusal(at, place) := {"code": "no_patient_access", "rule": row(at, place)} if {
	input.action.name == "patient.view"
} else := {"code": "not_assigned", "rule": row(at, place)} if {
	uses[input.action.name]
} else := {"code": "not_permitted", "rule": row(at, place)} if {
	count(_cells(at, _tasks(at, place))) == 0
} else := {"code": "other_location", "rule": row(at, place)} if {
	count(_placed_cells(at, place)) == 0
} else := {"code": "not_assigned_here", "rule": _covered_rule(row(at, place))} if {
	every cell in _placed_cells(at, place) {
		not _fits_user(cell.user, at)
	}
} else := {"code": "location_edit_not_permitted", "rule": row(at, place)}

# Whose other locations a division-tier administrator may see is REG-4's.
_covered_rule("REG-3") := "REG-4"
_covered_rule(rule) := rule if rule != "REG-3"

# What the subject's columns allow in some rows.
_cells(at, tasks) := {cell |
	some column in columns(at)
	some task in tasks
	cell := data.authz.regional.matrix[task][column]
	cell != "no"
}

_placed_cells(at, place) := {cell |
	some cell in _cells(at, {task(at, place)})
	_fits_place(cell.place, at, place)
}

# Here and elsewhere are two rows of one task: a cell of either means that the power is there, in another place.
_tasks(_, _) := {"assignment.edit", "assignment.edit_elsewhere"} if input.action.name == "assignment.edit"
_tasks(_, _) := {"assignment.remove", "assignment.remove_elsewhere"} if input.action.name == "assignment.remove"
_tasks(at, place) := {task(at, place)} if not input.action.name in {"assignment.edit", "assignment.remove"}
