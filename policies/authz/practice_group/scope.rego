package authz.practice_group

# METADATA
# title: Where the users can be whom a standing gives power over (section 8)
scope(at) := at.organization if has_area(at.organization, "users")
