package authz.practice_group

import data.authz.question

# Stage 2: who may do this here.

# METADATA
# title: PRA-1, listing and viewing users
power(at, _) if {
	input.action.name in {"user.list", "user.view"}
	has_area(at.organization, "users")
}

# METADATA
# title: PRA-1 and PRA-2, everything else about users, by an owner
power(at, _) if {
	input.action.name in {
		"user.edit", "user.invite", "user.deactivate", "user.reactivate",
		"assignment.add", "assignment.edit", "assignment.remove", "access.change",
	}
	_self_is_allowed
	_owns(at.organization)
}

# METADATA
# title: PRA-1 and PRA-2, everything else about users, by a member with the area users
power(at, _) if {
	input.action.name in {
		"user.edit", "user.invite", "user.deactivate", "user.reactivate",
		"assignment.add", "assignment.edit", "assignment.remove", "access.change",
	}
	_self_is_allowed
	has_area(at.organization, "users")
	_acts_on_no_owner(at.organization)
	_makes_no_owner
	_names_no_area_users(at.organization)
}

# METADATA
# title: PRA-10, the areas of a practice
power(_, place) if {
	input.action.name == "area.access"
	_at_practice(place)
	has_area(place.organization, question.text("area"))
}

# An area that is not named is for stage 3.
power(_, place) if {
	input.action.name == "area.access"
	_at_practice(place)
	not question.text("area")
}

_at_practice(place) if {
	place.kind == "practice"
	reaches(place)
}

_self_is_allowed if data.authz.practice_group.actions[input.action.name].allow_self

_self_is_allowed if input.facts.user.id != input.facts.subject.id

_self_is_allowed if _invites_new

_invites_new if {
	input.action.name == "user.invite"
	question.said("new")
}

# PRA-2
_acts_on_no_owner(_) if _invites_new

_acts_on_no_owner(organization) if {
	data.authz.practice_group.roles[input.facts.user.assignments[organization].role].owns == false
}

_acts_on_no_owner(organization) if {
	input.action.name == "user.invite"
	not input.facts.user.assignments[organization]
}

_makes_no_owner if input.action.name in {
	"user.edit", "user.deactivate", "user.reactivate", "assignment.remove", "access.change",
}

_makes_no_owner if {
	input.action.name in {"user.invite", "assignment.add"}
	not _is_owner(question.text("role"))
}

_makes_no_owner if {
	input.action.name in {"user.invite", "assignment.add"}
	not question.text("role")
}

_makes_no_owner if {
	input.action.name == "assignment.edit"
	not _is_owner(question.text("new_role"))
}

_makes_no_owner if {
	input.action.name == "assignment.edit"
	not question.text("new_role")
}

_is_owner(role) if data.authz.practice_group.roles[role].owns

_names_no_area_users(_) if input.action.name in {
	"user.edit", "user.deactivate", "user.reactivate", "assignment.add", "assignment.edit", "assignment.remove",
}

_names_no_area_users(_) if {
	input.action.name in {"user.invite", "access.change"}
	object.get(question.switches("areas"), "users", null) == null
}

_names_no_area_users(_) if {
	input.action.name in {"user.invite", "access.change"}
	not question.switches("areas")
}

# What the record already says counts as absent.
_names_no_area_users(organization) if {
	input.action.name == "access.change"
	_areas_stay(organization)
}
