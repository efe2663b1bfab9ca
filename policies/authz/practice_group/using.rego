package authz.practice_group

import data.authz.question

# Using the system: no place to stand is needed.

# METADATA
# title: PRA-6, one's own invitations
using if {
	input.resource.type == "user"
	every rule in data.authz.practice_group.actions[input.action.name].rules["PRA-6"] {
		met(rule, {}, input.facts.place)
	}
}

# METADATA
# title: PRA-9, switching to a location
using if {
	input.action.name == "location.switch"
	input.resource.type == "location"
	question.reaches(data.authz.practice_group.roles, input.facts.place)
}

# METADATA
# title: Who can be allowed any of it (section 8)
users := {"assigned": {"locations": [id | some id, _ in input.facts.place.path], "active": true}} if {
	input.action.name == "location.switch"
} else := {"assigned": {"locations": [input.facts.place.id]}}
