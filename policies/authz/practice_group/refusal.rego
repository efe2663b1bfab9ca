package authz.practice_group

import data.authz.question

# METADATA
# title: Why the power is missing, the first cause in the order of stage 2
refusal(at, place) := {"code": "self", "rule": "ALL-9"} if {
	not _not_forbidden_on_oneself
} else := _refusal_by_row(row, at, place)

_refusal_by_row("PRA-9", _, _) := {"code": "not_assigned", "rule": "PRA-9"}

_refusal_by_row("PRA-10", _, place) := {"code": "not_assigned", "rule": "PRA-10"} if {
	not _at_practice(place)
} else := {"code": "area_required", "rule": "PRA-10", "area": question.text("area")}

_refusal_by_row(rule, at, _) := {"code": "area_required", "rule": "PRA-1", "area": "users"} if {
	rule in {"PRA-1", "PRA-3", "PRA-5", "PRA-8", "PRA-12"}
	not has_area(at.organization, "users")
} else := {"code": "owner_required", "rule": "PRA-2"} if {
	rule in {"PRA-1", "PRA-3", "PRA-5", "PRA-8", "PRA-12"}
}
