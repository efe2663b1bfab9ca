package authz

import data.authz.question

# Which users a list asks about (section 8): nothing here may depend on the user.

# METADATA
# title: Which users the action can be allowed on, for lists
# description: Nobody else is asked about. What is said of them is described with `possible_scope`.
scope := possible_scope if {
	action := _actions[input.facts.model][input.action.name]
	not question.malformed(object.get(action, "properties", {}))
}

# METADATA
# title: Which users the action can be allowed on with suitable properties, for access reviews
# description: |
#   Nobody else is asked about. It may be wider than needed, never narrower. They have an assignment at `location` or
#   beneath. Where more can be said, `status` is that of their accounts, the user `except` is not among them, and
#   `assigned` describes an assignment that each of them has: its `location`, and its role as one of `roles`.
possible_scope := object.union_n([
	_assigned_of(model, rules, at, place), _account_of(model, rules), _except(action),
]) if {
	model := input.facts.model
	at := input.facts.current
	place := input.facts.place
	input.subject.type == "user"
	input.facts.subject.id == input.subject.id
	input.facts.subject.status == "active"
	place.organization == at.organization
	action := _actions[model][input.action.name]
	action.resource == input.resource.type
	_stands_at(model, at)
	rules := _judging(model, action.rules, at, place)
}

# ALL-10. In a practice group either status is "deactivated", of which the account's is one.
_account_of(model, rules) := {"status": "active"} if {
	"active_account" in rules
	not _exempt_from_all_10(model)
} else := {"status": "deactivated"} if {
	"deactivated_account" in rules
	model != "practice_group"
} else := {}

# Of a new account nothing is asked, so that ALL-10 is not broken by the one that has its id.
_exempt_from_all_10("health_system") if question.invites_new

# ALL-9
_except(action) := {"except": input.facts.subject.id} if {
	action.allow_self == false
	not question.invites_new
} else := {}

# METADATA
# title: Who can be allowed an action that needs no current location, for lists
# description: |
#   Nobody else is asked about. It may be wider than needed, never narrower. `status` is that of their accounts. Where
#   more can be said, `assigned` describes an assignment that each of them has: it is at one of `locations`, its role is
#   one of `roles`, and it is `active`. One that is described by `assigned_around` may also lie `beneath` a location.
subject_scope := object.union({"status": "active"}, _users_of(input.facts.model))
