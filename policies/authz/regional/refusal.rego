package authz.regional

# METADATA
# title: Why the power is missing, the first cause in the order of stage 2
refusal(_, _) := {"code": "self", "rule": "ALL-9"} if {
	not _on_another
} else := {"code": "not_assigned", "rule": "REG-20"} if {
	input.action.name == "location.switch"
} else := {"code": "no_patient_access", "rule": "REG-21"} if {
	input.action.name == "patient.view"
} else := {"code": "not_assigned", "rule": "REG-22"} if {
	input.action.name in {"incident.view", "summary.view"}
}

refusal(at, place) := _matrix_refusal(at, place, row(at, place)) if _on_another

_matrix_refusal(at, place, rule) := {"code": "not_permitted", "rule": rule} if {
	not _yes_somewhere(at, rule)
} else := {"code": "other_location", "rule": rule} if {
	not _place_fits(at, place, rule)
} else := {"code": "not_assigned_here", "rule": _covered_rule(rule)} if {
	not _user_fits(at, place, rule)
} else := {"code": "location_edit_not_permitted", "rule": rule}

# Who a division-tier administrator may ask about is REG-4's.
_covered_rule(rule) := "REG-4" if {
	rule == "REG-3"
} else := rule

# Here and elsewhere are two rows of one task: a yes in either means that the power is there, in another place.
_same_task := {
	"REG-6": {"REG-6", "REG-7"}, "REG-7": {"REG-6", "REG-7"},
	"REG-9": {"REG-9", "REG-10"}, "REG-10": {"REG-9", "REG-10"},
}

_yes_somewhere(at, rule) if {
	some sibling in object.get(_same_task, rule, {rule})
	some cell in _cells(at, sibling)
	cell != "no"
}

_place_fits(at, place, rule) if {
	some cell in _cells(at, rule)
	_fits_place(cell, at, place)
}

_user_fits(at, place, rule) if {
	some cell in _cells(at, rule)
	_fits_place(cell, at, place)
	_fits_user(cell, at)
}

# What a cell asks of the place.
_fits_place(cell, _, _) if not cell in {"no", "yes, here", "yes, covered"}

_fits_place("yes, here", at, place) if place.id == at.id

_fits_place("yes, covered", at, place) if place.path[at.id]

# What a cell asks of the user.
_fits_user(cell, _) if not cell in {"yes, covered users", "yes (REG-W2, REG-4)"}

_fits_user(_, at) if input.facts.user.within[at.id]

# What the subject's columns say of a row.
_cells(at, rule) := {cell |
	some location, role in at.held
	cell := data.authz.regional.matrix[rule][column(at, location, role)]
}
