package authz.regional

# METADATA
# title: What is wrong with the matrix and the columns
# scope: document
faults contains sprintf("regional matrix: there is no row %s", [row]) if {
	some row in _rows
	not data.authz.regional.matrix[row]
}

faults contains sprintf("regional matrix, %s: there is no such task", [row]) if {
	some row, _ in data.authz.regional.matrix
	not row in _rows
}

faults contains sprintf("regional matrix, %s, rule: %v is no id such as REG-1", [row, id]) if {
	some row, cells in data.authz.regional.matrix
	id := object.get(cells, "rule", "nothing")
	not regex.match(`^[A-Z]+-[A-Z]?[0-9]+$`, id)
}

faults contains sprintf("regional matrix, %s, %s: got %v, expected no or {%s}", [row, column, cell, members]) if {
	some row in _rows
	some column in _columns
	cell := object.get(data.authz.regional.matrix[row], column, "nothing")
	cell != "no"
	not is_object(cell)
	members := concat(", ", object.keys(_members(row)))
}

faults contains sprintf(
	"regional roles, %s, columns, %s: no row of the matrix has the column %v",
	[role, kind, column],
) if {
	some role, entry in data.authz.regional.roles
	some kind, column in entry.columns
	not column in _columns
}

# A column is that of a role by which its holder may stand at the location (ALL-3).
faults contains sprintf("regional roles, %s, columns, %s: %s", [role, kind, unreached]) if {
	unreached := "its holder does not reach a location of that kind"
	some role, entry in data.authz.regional.roles
	some kind, _ in entry.columns
	not _reaches(entry, kind)
}

# A column that one row alone has, and that no role gives, is a misspelt one.
faults contains sprintf("regional matrix, %s, %s: there is no such column, only %s", [row, column, columns]) if {
	some row, cells in data.authz.regional.matrix
	some column, _ in cells
	not column in _columns
	column != "rule"
	columns := concat(", ", _columns)
}

# A column of several rows, or of a role, is one of all rows.
_columns := {column |
	some cells in data.authz.regional.matrix
	some column, _ in cells
	column != "rule"
	_is_column(column)
}

_is_column(column) if count({row | some row, cells in data.authz.regional.matrix; cells[column]}) > 1

_is_column(column) if {
	some entry in data.authz.regional.roles
	some column_of_role in entry.columns
	column == column_of_role
}

# Where a role that does not reach down is offered at several kinds, its holder at one may stand at another by another
# role.
_reaches(entry, kind) if entry.offered_at == [kind]

_reaches(entry, kind) if {
	entry.reaches_down
	kinds := ["region", "division", "facility"]
	some i, offered in kinds
	offered in entry.offered_at
	kind in array.slice(kinds, i, count(kinds))
}

# Every action that needs a current location has a row of its name; three have another.
_rows := {"user.list_region", "assignment.edit_elsewhere", "assignment.remove_elsewhere"} | {name |
	some name, entry in data.authz.regional.actions
	not entry.needs_no_current_location
}

# METADATA
# title: The cells of the matrix, and what each member of a cell may be
# scope: document
cells contains [sprintf("regional matrix, %s, %s", [row, column]), cell, _members(row)] if {
	some row in _rows
	some column in _columns
	cell := data.authz.regional.matrix[row][column]
	is_object(cell)
}

_members(row) := object.union_n([
	{"place": {"any", "covered", "here"}, "user": {"any", "covered"}},
	{"edit": {"both", "role"} | row in {"assignment.edit", "assignment.edit_elsewhere"}},
	{"warn": {true, false} | row == "user.view_locations"},
])
