package authz.practice_group

import data.authz.question

# METADATA
# title: Which users can be acted on from a location (section 8)
scope(rules, at, place) := object.union({"location": at.organization}, _assigned(rules, at, place)) if {
	has_area(at.organization, "users")
	input.action.name != "user.delete"
}

# PRA-12: the assignment that there has to be. PRA-2: only an owner acts on an owner.
_assigned(rules, at, place) := {"assigned": {"location": place.id}} if {
	"assigned" in rules
} else := {"assigned": {"location": at.organization, "roles": [role]}} if {
	"role_of_group" in rules
	role := question.text("role")
} else := {"assigned": {"location": at.organization, "roles": roles}} if {
	not input.action.name in {"user.view", "user.invite"}
	not _owns(at.organization)
	roles := [role | some role, entry in data.authz.practice_group.roles; entry.owns == false]
} else := {}
