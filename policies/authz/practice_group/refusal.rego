package authz.practice_group

import data.authz.question

# METADATA
# title: Why the power is missing, the first cause in the order of stage 2
refusal(at, place) := {"code": "self", "rule": "ALL-9"} if {
	not _self_is_allowed
} else := _refusal_by_row(row, at, place)

_refusal_by_row(rule, at, place) := {"code": "not_assigned", "rule": rule} if {
	rule == "PRA-9"
} else := {"code": "not_assigned", "rule": rule} if {
	rule == "PRA-10"
	not _at_practice(place)
} else := {"code": "area_required", "rule": rule, "area": question.text("area")} if {
	rule == "PRA-10"
} else := {"code": "area_required", "rule": "PRA-1", "area": "users"} if {
	not has_area(at.organization, "users")
} else := {"code": "owner_required", "rule": "PRA-2"}
