package authz.practice_group

# Using the system: no place to stand is needed.

# METADATA
# title: PRA-6, one's own invitations
using if {
	input.action.name in {"invitation.accept", "invitation.reject"}
	input.resource.type == "user"
	every rule in data.authz.practice_group.actions[input.action.name].rules[row] {
		met(rule, {}, input.facts.place)
	}
}

# METADATA
# title: PRA-9, switching to a location
using if {
	input.action.name == "location.switch"
	input.resource.type == "location"
	reaches(input.facts.place)
}

# METADATA
# title: The subject has an active assignment at a place, or a role of its reaches down to it
reaches(place) if input.facts.subject.held[place.id]

reaches(place) if {
	some above, _ in place.path
	role := input.facts.subject.held[above]
	data.authz.practice_group.roles[role].reaches_down
}
