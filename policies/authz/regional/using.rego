package authz.regional

import data.authz.question

# METADATA
# title: The rows of 4.5, using the system, none of which needs a place to stand
uses := {"location.switch": "REG-20", "patient.view": "REG-21", "incident.view": "REG-22", "summary.view": "REG-22"}

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

# METADATA
# title: Who can be allowed any of it (section 8)
users := {"assigned": {"locations": [id | some id, _ in input.facts.place.path], "active": true}} if {
	input.action.name == "location.switch"
} else := {"assigned": {"locations": [id | some id in facilities], "roles": _who_see_patients, "active": true}} if {
	input.action.name == "patient.view"
	facilities := {above | some facility in input.facts.facilities; some above, _ in facility.path}
} else := {"assigned_around": {
	"locations": [id | some id, _ in input.facts.place.path],
	"beneath": input.facts.place.id,
	"active": true,
}}

_who_see_patients := [role | some role, entry in data.authz.regional.roles; entry.sees_patients]
