package authz.health_system

import data.authz.account
import data.authz.question

# METADATA
# title: What comes with an allow (SYS-2, SYS-4)
outcome(_) := {"obligations": [account.notification("SYS-2", "welcome", "email", question.text("username"))]} if {
	input.action.name == "user.invite"
	question.said("new")
} else := {"obligations": [account.notification("SYS-2", "access_granted", "email", account.addressee)]} if {
	input.action.name == "user.invite"
}

outcome(place) := {
	"obligations": [account.ending_sessions("SYS-4")],
	"advice": [account.advice("access_ended", "SYS-4")],
} if {
	input.action.name == "assignment.remove"
	count(_remaining(place)) == 0
}

outcome(place) := {"advice": [advice]} if {
	input.action.name == "assignment.remove"
	count(_remaining(place)) > 0
	advice := object.union(account.advice("access_retained", "SYS-4"), {"locations": _remaining(place)})
}

_remaining(place) := [location |
	some location, _ in input.facts.user.assignments
	location != place.id
]
