package authz.health_system

# METADATA
# title: Where the users can be whom a standing gives power over (section 8)
scope(at) := at.organization if _administers(at)
