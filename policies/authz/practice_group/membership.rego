package authz.practice_group

import data.authz.question

# Stage 3. Each rule of the table is stated here, or in invitation.rego, positively, so that a fact that is missing
# leaves it broken. Where a rule has several clauses, any of them meets it.

# METADATA
# title: ALL-10, the account and its membership are in use
met("active_account", _, _) if _in_use(input.facts.organization.id)

# METADATA
# title: ALL-10, nobody learns of another's status by an invitation, which PRA-6 alone then refuses
met("active_account", _, _) if {
	input.action.name in {"invitation.accept", "invitation.reject"}
	input.resource.id != input.facts.subject.id
}

# METADATA
# title: ALL-10, nor of one's own status where one does not belong
met("active_account", _, _) if {
	input.action.name in {"invitation.accept", "invitation.reject"}
	not input.facts.user.assignments[input.facts.organization.id]
}

# METADATA
# title: ALL-10 and PRA-8, the account is deactivated
met("deactivated_account", _, _) if input.facts.user.status == "deactivated"

# METADATA
# title: ALL-10 and PRA-8, the membership is deactivated
met("deactivated_account", at, _) if input.facts.user.assignments[at.organization].status == "deactivated"

# METADATA
# title: PRA-6, the subject is the person, and invited to the group
met("invited", _, _) if {
	input.resource.id == input.facts.subject.id
	input.facts.place.kind == "group"
	input.facts.subject.assignments[input.facts.place.id].status == "invited"
}

# METADATA
# title: PRA-7 and PRA-12, a practice is left by removal; a user is never deleted, nor the membership of the group
met("membership_kept", _, place) if {
	input.action.name == "assignment.remove"
	place.kind == "practice"
}

# METADATA
# title: PRA-12, the user has an assignment at the practice
met("assigned", _, place) if input.facts.user.assignments[place.id]

# METADATA
# title: PRA-12, the user has no assignment at the practice; a member of the group has one there
met("not_assigned_yet", _, place) if {
	place.kind == "practice"
	not input.facts.user.assignments[place.id]
}

# METADATA
# title: PRA-12, the role is the role in the group
met("role_of_group", at, _) if question.text("role") == input.facts.user.assignments[at.organization].role

# METADATA
# title: PRA-12, at the group the role is not judged, since it is assigned already
met("role_of_group", _, place) if place.kind == "group"

# METADATA
# title: PRA-3, PRA-5 and PRA-12, the role is one of the group's
met("role_offered", _, _) if "group" in data.authz.practice_group.roles[_role_named].offered_at

# METADATA
# title: PRA-3, PRA-5 and PRA-12, a role that is not named breaks no rule about it
met(rule, _, _) if {
	rule in {"role_of_group", "role_offered"}
	not _role_named
}

# METADATA
# title: PRA-3, PRA-5 and PRA-12, the level exists
met("level_known", _, _) if data.authz.practice_group.levels[question.text("level")]

# METADATA
# title: PRA-3, PRA-5 and PRA-12, a level that is not named breaks no rule about it
met("level_known", _, _) if not question.text("level")

# METADATA
# title: PRA-12, the role changes
met("something_changes", at, _) if {
	input.action.name == "assignment.edit"
	question.text("new_role") != input.facts.user.assignments[at.organization].role
}

# METADATA
# title: PRA-12, the level changes
met("something_changes", at, _) if {
	input.action.name == "access.change"
	question.text("level") != recorded_level(input.facts.user, at.organization)
}

# METADATA
# title: PRA-12, the areas change
met("something_changes", at, _) if {
	input.action.name == "access.change"
	question.switches("areas")
	not _areas_stay(at.organization)
}

# METADATA
# title: PRA-12, nobody can tell what a property of the wrong type would change
met("something_changes", _, _) if question.malformed(data.authz.practice_group.actions[input.action.name].properties)

# A user in use is deactivated neither as a whole nor in the group.
_in_use(organization) if {
	input.facts.user.status == "active"
	input.facts.user.assignments[organization].status in {"active", "invited"}
}

# `areas` replaces what is recorded, and is compared as a whole. An area that the table does not know is ignored.
_areas_stay(organization) if _named_areas == recorded_areas(input.facts.user, organization)

_named_areas := {area: on |
	some area, on in question.switches("areas")
	_known_area(area)
}

# The role that the user would have.
_role_named := question.text("role") if input.action.name in {"user.invite", "assignment.add"}
_role_named := question.text("new_role") if input.action.name == "assignment.edit"
