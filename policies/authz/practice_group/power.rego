# METADATA
# title: The practice group model (policies/DOMAIN.md section 6)
# description: |
#   Sole, group and multi-disciplinary practices; group > practice. What `at` and `place` are is said in models.rego.
package authz.practice_group

import data.authz.question

# METADATA
# title: PRA-1, listing and viewing users
power(at, _) if {
	input.action.name in {"user.list", "user.view"}
	has_area(at.organization, "users")
}

# METADATA
# title: PRA-1 and PRA-2, everything else about users, by an owner or a member with the area users
power(at, _) if {
	input.action.name in {
		"user.edit", "user.invite", "user.deactivate", "user.reactivate",
		"assignment.add", "assignment.edit", "assignment.remove", "access.change",
	}
	_administers_users(at.organization)
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

# METADATA
# title: Why the power is missing, the first cause in the order of stage 2
refusal(at, place) := {"code": "not_assigned", "rule": "PRA-9"} if {
	input.action.name == "location.switch"
} else := {"code": "not_assigned", "rule": "PRA-10"} if {
	input.action.name == "area.access"
	not _at_practice(place)
} else := {"code": "area_required", "rule": "PRA-10", "area": question.text("area")} if {
	input.action.name == "area.access"
} else := {"code": "area_required", "rule": "PRA-1", "area": "users"} if {
	not has_area(at.organization, "users")
} else := {"code": "owner_required", "rule": "PRA-2"}

# METADATA
# title: The id of the row that judges, which is the only one that has rules for the action or else one of two
row(rules) := only if {
	count(rules) == 1
	some only, _ in rules
}

row(_) := "PRA-3" if {
	input.action.name == "user.invite"
	question.said("new")
}

row(_) := "PRA-5" if {
	input.action.name == "user.invite"
	not question.said("new")
}

_at_practice(place) if {
	place.kind == "practice"
	question.reaches(data.authz.practice_group.roles, place)
}

# PRA-2: an owner does anything; a member with the area users, nothing that an owner alone may do.
_administers_users(organization) if _owns(organization)

_administers_users(organization) if {
	has_area(organization, "users")
	_acts_on_no_owner(organization)
	not _makes_owner
	_names_no_area_users(organization)
}

_makes_owner if data.authz.practice_group.roles[_role_named].owns

_acts_on_no_owner(_) if question.invites_new

_acts_on_no_owner(organization) if {
	data.authz.practice_group.roles[input.facts.user.assignments[organization].role].owns == false
}

_acts_on_no_owner(organization) if {
	input.action.name == "user.invite"
	not input.facts.user.assignments[organization]
}

_names_no_area_users(_) if not input.action.name in {"user.invite", "access.change"}
_names_no_area_users(_) if object.get(question.switches("areas"), "users", null) == null
_names_no_area_users(_) if not question.switches("areas")

# What the record already says counts as absent.
_names_no_area_users(organization) if {
	input.action.name == "access.change"
	_areas_stay(organization)
}
