# METADATA
# title: The regional model (policies/DOMAIN.md section 4)
# description: |
#   Emergency-tracking and public-health networks; region > division > facility. `at` is a location where the subject
#   may stand, with the roles `held` at or above it, and `place` the location that the question is about.
package authz.regional

# METADATA
# title: The subject has the power to do this here (stage 2; REG-1 to REG-11)
# description: A cell of the subject's columns fits the place, the user and the edit. Several columns are so united.
power(at, place) if {
	input.action.name != "assignment.edit"
	_self_is_allowed
	some location, role in at.held
	cell := data.authz.regional.matrix[task(at, place)][column(at, location, role)]
	_fits_place(cell.place, at, place)
	_fits_user(cell.user, at)
}

power(at, place) if {
	input.action.name == "assignment.edit"
	_self_is_allowed
	some location, role in at.held
	cell := data.authz.regional.matrix[task(at, place)][column(at, location, role)]
	_fits_place(cell.place, at, place)
	_fits_user(cell.user, at)
	_fits_edit(cell.edit, place)
}

# METADATA
# title: Why the power is missing, the first cause in the order of stage 2
refusal(at, place) := {"code": "self", "rule": "ALL-9"} if {
	not _self_is_allowed
} else := {"code": "not_assigned", "rule": "REG-20"} if {
	input.action.name == "location.switch"
} else := {"code": "no_patient_access", "rule": "REG-21"} if {
	input.action.name == "patient.view"
} else := {"code": "not_assigned", "rule": "REG-22"} if {
	input.action.name in {"incident.view", "summary.view"}
} else := {"code": "not_permitted", "rule": row(at, place)} if {
	count(_cells(at, _tasks_of_action)) == 0
	count(_cells(at, {task(at, place)})) == 0
} else := {"code": "other_location", "rule": row(at, place)} if {
	count(_placed_cells(at, place)) == 0
} else := {"code": "not_assigned_here", "rule": _covered_rule(row(at, place))} if {
	every cell in _placed_cells(at, place) {
		not _fits_user(cell.user, at)
	}
} else := {"code": "location_edit_not_permitted", "rule": row(at, place)}

# Whose other locations a division-tier administrator may see is REG-4's.
_covered_rule(rule) := "REG-4" if rule == "REG-3"

_covered_rule(rule) := rule if rule != "REG-3"

# What the subject's columns allow in some rows.
_cells(at, tasks) := {cell |
	some location, role in at.held
	some task in tasks
	cell := data.authz.regional.matrix[task][column(at, location, role)]
	cell != "no"
}

_placed_cells(at, place) := {cell |
	some cell in _cells(at, {task(at, place)})
	_fits_place(cell.place, at, place)
}

# Here and elsewhere are two rows of one task: a cell of either means that the power is there, in another place.
default _tasks_of_action := set()

_tasks_of_action := {"assignment.edit", "assignment.edit_elsewhere"} if input.action.name == "assignment.edit"

_tasks_of_action := {"assignment.remove", "assignment.remove_elsewhere"} if input.action.name == "assignment.remove"

# METADATA
# title: The id of the matrix row that judges the question
row(at, place) := data.authz.regional.matrix[task(at, place)].rule

# METADATA
# title: The name of the matrix row that judges the question
task(_, _) := input.action.name if {
	not input.action.name in {"user.list", "assignment.edit", "assignment.remove"}
}

task(_, place) := "user.list_region" if {
	input.action.name == "user.list"
	place.kind == "region"
}

task(_, place) := "user.list" if {
	input.action.name == "user.list"
	place.kind != "region"
}

task(at, place) := input.action.name if {
	input.action.name in {"assignment.edit", "assignment.remove"}
	place.id == at.id
}

task(at, place) := "assignment.edit_elsewhere" if {
	input.action.name == "assignment.edit"
	place.id != at.id
}

task(at, place) := "assignment.remove_elsewhere" if {
	input.action.name == "assignment.remove"
	place.id != at.id
}

# METADATA
# title: The matrix column that a role held at a location gives (4.2)
# description: A column beneath is for roles that reach down alone (ALL-3), which faults see to.
column(at, location, role) := data.authz.regional.roles[role].columns[where] if {
	where := {true: "here", false: "beneath"}[location == at.id]
}

# What a cell asks of the place, of the user and of the edit. A cell "no" has no members, and fits nothing.
_fits_place(asked, _, _) if asked == "any"

_fits_place(asked, at, place) if {
	asked == "here"
	place.id == at.id
}

_fits_place(asked, at, place) if {
	asked == "covered"
	place.path[at.id]
}

_fits_user(asked, _) if asked == "any"

_fits_user(asked, at) if {
	asked == "covered"
	input.facts.user.within[at.id]
}

_fits_edit(asked, _) if asked == "both"

_fits_edit(asked, place) if {
	asked == "role"
	destination(place) == ""
}

# ALL-9
_self_is_allowed if input.facts.user.id != input.facts.subject.id

_self_is_allowed if data.authz.regional.actions[input.action.name].allow_self

# METADATA
# title: Where the users can be over whom a location gives power (section 8)
# description: Whatever the cells say, a column is power over nobody outside the region, and no column is none.
scope(at) := at.organization if {
	some location, role in at.held
	column(at, location, role)
}
