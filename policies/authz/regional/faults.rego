package authz.regional

# The tables of this model are checked when they are loaded; a fault names the cell.

# METADATA
# title: What is wrong with the matrix and the columns
# scope: document
faults contains sprintf("regional matrix, %s, column %s: there is no cell", [row, column]) if {
	some row, _ in _cells_of_row
	some column in _columns
	not data.authz.regional.matrix[row][column]
}

faults contains sprintf("regional matrix, %s, column %s: %v is none of %s", [row, column, cell, listed]) if {
	some row, allowed in _cells_of_row
	some column in _columns
	cell := data.authz.regional.matrix[row][column]
	not cell in allowed
	listed := concat("; ", allowed)
}

faults contains sprintf("regional matrix, %s: there is no such task", [row]) if {
	some row, _ in data.authz.regional.matrix
	not _cells_of_row[row]
}

faults contains sprintf("regional matrix, %s: there is no column %s", [row, column]) if {
	some row, cells in data.authz.regional.matrix
	some column, _ in cells
	not column in {"region", "region_in_division", "division", "task"}
}

faults contains sprintf("regional roles, %s, columns, %s: %v is no column", [role, where, column]) if {
	some role, entry in data.authz.regional.roles
	some where, column in entry.columns
	not _is_column(where, column)
}

faults contains sprintf("regional roles, %s: a column beneath needs reaches_down", [role]) if {
	some role, entry in data.authz.regional.roles
	entry.columns.beneath
	not entry.reaches_down
}

_columns := ["region", "region_in_division", "division"]

_is_column(where, column) if {
	where in {"here", "beneath"}
	column in _columns
}

# What each row may say.
_cells_of_row := object.union_n([
	{row: _listing | some row in ["REG-1", "REG-2"]},
	{row: _placed | some row in ["REG-5", "REG-8", "REG-9", "REG-10", "REG-11"]},
	{"REG-3": _warned_cells},
	{row: {"no", "role", "both"} | some row in ["REG-6", "REG-7"]},
])

_listing := {"no", "yes", "yes, any", "yes, here", "yes, covered"}

_placed := _listing | {"yes, covered users"}

_warned_cells := _placed | {"yes (REG-W2)", "yes (REG-W2, REG-4)"}
