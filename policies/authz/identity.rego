package authz

import data.authz.health_system
import data.authz.question

# Stage 1: who and where.

# METADATA
# title: Nothing of stage 1 is broken (ALL-1 to ALL-5)
# scope: document
identified if {
	input.subject.type == "user"
	input.facts.subject.id == input.subject.id
	_known_action
	input.facts.subject.status == "active"
	_stands
	_place_in_organization
	_known_user
}

# ALL-1
_known_action if _action.resource == input.resource.type

# As long as the model cannot be known, any model's action will do.
_known_action if {
	not input.facts.model
	some actions in _actions
	actions[input.action.name].resource == input.resource.type
}

_action := _actions[input.facts.model][input.action.name]

# ALL-2
_known_subject if {
	input.subject.type == "user"
	input.facts.subject.id == input.subject.id
}

# ALL-3
_stands if _stands_at(input.facts.model, input.facts.current)
_stands if _needs_no_standing

_needs_no_standing if input.action.name in {
	"location.switch", "patient.view", "incident.view", "summary.view", "invitation.accept", "invitation.reject",
}

# ALL-4
_place_in_organization if {
	input.facts.place.organization == input.facts.current.organization
	_locations_in_organization
}

# SYS-8 has further places.
_locations_in_organization if {
	every id in _locations { input.facts.locations[id].organization == input.facts.current.organization }
}

# What needs no standing has a place of its own.
_place_in_organization if {
	input.action.name in {
		"location.switch", "incident.view", "summary.view", "invitation.accept", "invitation.reject",
	}
	input.facts.place.kind
}

_place_in_organization if input.action.name == "patient.view"

# Waived by SYS-11.
_place_in_organization if input.action.name in {"entity.create", "entity.associate", "entity.dissociate"}

default _locations := []

_locations := question.texts("locations") if input.action.name in {"admin.grant", "admin.revoke"}

# ALL-5
_known_user if _asked_of_known
_known_user if input.resource.type != "user"
_known_user if input.action.name in {"invitation.accept", "invitation.reject"}

_can_be_invited(_) if question.said("new")
_can_be_invited("health_system") if health_system.invitable
_can_be_invited("practice_group") if input.facts.user.assignments

# The first broken rule of stage 1, asked for only when there is one.
_unidentified := {"code": "unknown_action", "rule": "ALL-1"} if {
	not _known_action
} else := {"code": "unknown_subject", "rule": "ALL-2"} if {
	not _known_subject
} else := {"code": "subject_inactive", "rule": "ALL-2"} if {
	not input.facts.subject.status == "active"
} else := {"code": "current_location_required", "rule": "ALL-3"} if {
	not _stands
	not input.facts.current
} else := {"code": "unknown_location", "rule": "ALL-3"} if {
	not _stands
	not input.facts.current.kind
} else := {"code": "not_at_current_location", "rule": "ALL-3"} if {
	not _stands
} else := {"code": "unknown_location", "rule": "ALL-4"} if {
	not _place_in_organization
	_names_unknown_location
} else := {"code": "other_organization", "rule": _crossing_rule} if {
	not _place_in_organization
} else := {"code": "unknown_user", "rule": _unknown_user_rule} if {
	not _known_user
}

_names_unknown_location if not input.facts.place.kind

_names_unknown_location if {
	some id in _locations
	not input.facts.locations[id]
}

_crossing_rule := "PRA-11" if {
	input.facts.model == "practice_group"
} else := "ALL-4"

_unknown_user_rule := "SYS-2" if {
	input.action.name == "user.invite"
	input.facts.model == "health_system"
} else := "PRA-5" if {
	input.action.name == "user.invite"
} else := "ALL-5"
