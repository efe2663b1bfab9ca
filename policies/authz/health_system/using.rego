package authz.health_system

import data.authz.question

# Using the system: no place to stand is needed.

# METADATA
# title: SYS-5, switching to an entity
using if {
	input.action.name == "location.switch"
	input.resource.type == "location"
	input.facts.place.kind == "entity"
	question.reaches(data.authz.health_system.roles, input.facts.place)
}

# METADATA
# title: SYS-5 and SYS-10, switching to the system
using if {
	input.action.name == "location.switch"
	input.resource.type == "location"
	data.authz.health_system.plans[input.facts.place.plan].system_features
	role := input.facts.subject.held[input.facts.place.id]
	data.authz.health_system.roles[role].system_features
}

# METADATA
# title: Who can be allowed any of it (section 8)
users := {"assigned": {"locations": [id | some id, _ in input.facts.place.path], "active": true}}
