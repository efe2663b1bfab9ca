package authz.practice_group

# Access (6.1): a level and, over it, switches for single areas.

# METADATA
# title: The subject has an area (PRA-1, PRA-10)
# description: An owner has every area that the table knows; one that it does not know is nobody's.
has_area(organization, area) if {
	_known_area(area)
	_owns(organization)
}

has_area(organization, area) if {
	_known_area(area)
	input.facts.subject.held[organization]
	level := recorded_level(input.facts.subject, organization)
	opened := object.get(data.authz.practice_group.levels, level, {})
	object.union(opened, recorded_areas(input.facts.subject, organization))[area] == true
}

# METADATA
# title: The level in a member's record
recorded_level(member, organization) := member.assignments[organization].access.level

recorded_level(member, organization) := data.authz.practice_group.default_level if {
	not member.assignments[organization].access.level
}

# METADATA
# title: The switches in a member's record
recorded_areas(member, organization) := object.get(member.assignments[organization], ["access", "areas"], {})

_known_area(area) if is_boolean(data.authz.practice_group.levels[data.authz.practice_group.default_level][area])

_owns(organization) if data.authz.practice_group.roles[input.facts.subject.held[organization]].owns
