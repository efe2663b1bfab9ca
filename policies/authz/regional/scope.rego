package authz.regional

# METADATA
# title: Where the users can be whom a standing gives power over (section 8)
# description: A regional administrator asks about the whole region; any other about those who are covered.
scope(at) := at.organization if _column(at, {"region", "region_in_division"})

scope(at) := at.id if {
	not _column(at, {"region", "region_in_division"})
	_column(at, {"division"})
}

_column(at, names) if {
	some location, role in at.held
	column(at, location, role) in names
}
