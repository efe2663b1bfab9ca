package authz.regional

# METADATA
# title: Where the users can be whom a standing gives power over (section 8)
# description: Whatever the cells say, a column is power over nobody outside the region, and no column is none.
scope(at) := at.organization if {
	some location, role in at.held
	column(at, location, role)
}
