package authz.practice_group

import data.authz.question

# METADATA
# title: A rule of stage 3 is met
# description: Each is stated positively, so that a fact that is missing leaves its rule broken.
met(rule, _, _) if {
	rule == "ALL-10/user_inactive"
	_in_use(input.facts.organization.id)
}

# Nobody learns of another's status by an invitation: PRA-6 alone is broken then.
met(rule, _, _) if {
	rule == "ALL-10/user_inactive"
	input.action.name in {"invitation.accept", "invitation.reject"}
	input.resource.id != input.facts.subject.id
}

# Nor is anything to be told of one's own status where one does not belong.
met(rule, _, _) if {
	rule == "ALL-10/user_inactive"
	input.action.name in {"invitation.accept", "invitation.reject"}
	not input.facts.user.assignments[input.facts.organization.id]
}

# PRA-8: either status makes a user deactivated here.
met(rule, _, _) if {
	rule == "ALL-10/user_active"
	input.facts.user.status == "deactivated"
}

met(rule, at, _) if {
	rule == "ALL-10/user_active"
	input.facts.user.assignments[at.organization].status == "deactivated"
}

met(rule, _, _) if {
	rule == "PRA-6/not_invited"
	input.resource.id == input.facts.subject.id
	input.facts.place.kind == "group"
	input.facts.subject.assignments[input.facts.place.id].status == "invited"
}

met(rule, _, place) if {
	rule == "PRA-12/already_assigned"
	place.kind == "practice"
	not input.facts.user.assignments[place.id]
}

met(rule, at, _) if {
	rule == "PRA-12/role_not_available"
	input.action.name == "assignment.add"
	question.text("role") == input.facts.user.assignments[at.organization].role
}

met(rule, _, _) if {
	rule == "PRA-12/role_not_available"
	input.action.name == "assignment.add"
	not question.text("role")
}

# At the group the role is not judged: it is assigned already.
met(rule, _, place) if {
	rule == "PRA-12/role_not_available"
	input.action.name == "assignment.add"
	place.kind == "group"
}

met(rule, _, _) if {
	rule == "PRA-12/role_not_available"
	input.action.name == "assignment.edit"
	_offers("group", question.text("new_role"))
}

met(rule, _, _) if {
	rule == "PRA-12/role_not_available"
	input.action.name == "assignment.edit"
	not question.text("new_role")
}

met(rule, _, place) if {
	rule == "PRA-12/not_assigned"
	input.facts.user.assignments[place.id]
}

met(rule, _, place) if {
	rule == "PRA-12/delete_not_allowed"
	place.kind == "practice"
}

met(rule, _, _) if {
	rule == "PRA-12/level_not_available"
	_level_known
}

met(rule, at, _) if {
	rule == "PRA-12/nothing_to_change"
	input.action.name == "assignment.edit"
	question.text("new_role") != input.facts.user.assignments[at.organization].role
}

met(rule, at, _) if {
	rule == "PRA-12/nothing_to_change"
	input.action.name == "access.change"
	question.text("level") != recorded_level(input.facts.user, at.organization)
}

met(rule, at, _) if {
	rule == "PRA-12/nothing_to_change"
	input.action.name == "access.change"
	question.switches("areas")
	not _areas_stay(at.organization)
}

# A property of the wrong type is there, though nobody can tell what it would change.
met(rule, _, _) if {
	rule == "PRA-12/nothing_to_change"
	some name, form in _action.properties
	not question.formed(form, name)
}

# A user in use is deactivated neither as a whole nor in the group.
_in_use(organization) if {
	input.facts.user.status == "active"
	input.facts.user.assignments[organization].status in {"active", "invited"}
}

# `areas` replaces what is recorded, and is compared as a whole.
_areas_stay(organization) if _named_areas == recorded_areas(input.facts.user, organization)

_named_areas := {area: on |
	some area, on in question.switches("areas")
	_known_area(area)
}

_level_known if data.authz.practice_group.levels[question.text("level")]

_level_known if not question.text("level")

_offers(kind, role) if kind in data.authz.practice_group.roles[role].offered_at
