package authz.regional

import data.authz.question

# Using the system (4.5): none of it needs a place to stand.

# METADATA
# title: REG-20, switching to a location
using if {
	input.action.name == "location.switch"
	input.resource.type == "location"
	question.reaches(data.authz.regional.roles, input.facts.place)
}

# METADATA
# title: REG-21, seeing a patient
using if {
	input.action.name == "patient.view"
	input.resource.type == "patient"
	is_array(input.resource.properties.locations)
	some id in input.resource.properties.locations
	some above, _ in input.facts.facilities[id].path
	role := input.facts.subject.held[above]
	data.authz.regional.roles[role].sees_patients
}

# METADATA
# title: REG-22, seeing incidents and summaries
using if {
	input.action.name in {"incident.view", "summary.view"}
	input.resource.type == "location"
	some above, _ in input.facts.place.path
	input.facts.subject.held[above]
}

using if {
	input.action.name in {"incident.view", "summary.view"}
	input.resource.type == "location"
	input.facts.subject.within[input.facts.place.id]
}
