package authz.regional

# METADATA
# title: Which users can be acted on from a location (section 8)
# description: What is no cell of the subject's columns is power over nobody.
scope(rules, at, place) := object.union({"location": _reach(at, cells)}, _assigned(rules, place)) if {
	cells := _placed_cells(at, place)
	count(cells) > 0
}

# Cells that ask for covered users, without any other, are power over nobody else.
_reach(at, cells) := at.organization if {
	some cell in cells
	cell.user == "any"
} else := at.id

# ALL-8 and REG-I4
_assigned(rules, place) := {"assigned": {"location": place.id}} if {
	some rule in rules
	rule in {"assigned", "active_assignment"}
} else := {}
