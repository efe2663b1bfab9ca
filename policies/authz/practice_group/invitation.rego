package authz.practice_group

import data.authz.account
import data.authz.question

# Invitations (PRA-3 to PRA-5). A property that is absent breaks nothing here; that it is missing is said beside.

# METADATA
# title: PRA-3, no account has the id or the username of the new one
met(rule, _, _) if {
	rule == "PRA-3/existing_user"
	not account.exists
}

# METADATA
# title: PRA-3 and PRA-5, the username can be one
met(rule, _, _) if {
	rule == "PRA-3/field_not_allowed/username"
	_username_can_be
}

met(rule, _, _) if {
	rule == "PRA-5/field_not_allowed/username"
	_username_can_be
}

# METADATA
# title: PRA-5, a member of any status is not invited again
met(rule, at, _) if {
	rule == "PRA-5/already_assigned"
	not input.facts.user.assignments[at.organization]
}

# METADATA
# title: PRA-3 and PRA-5, the usernames agree
met(rule, _, _) if {
	rule == "PRA-3/username_mismatch"
	_confirmed
}

met(rule, _, _) if {
	rule == "PRA-5/username_mismatch"
	_confirmed
	_names_account
}

# METADATA
# title: PRA-5, an existing account keeps its password
met(rule, _, _) if {
	rule == "PRA-5/password_not_allowed"
	not question.said("password_supplied")
}

# METADATA
# title: PRA-3 and PRA-5, the role is one of the group's
met(rule, _, _) if {
	rule == "PRA-3/role_not_available"
	_role_known
}

met(rule, _, _) if {
	rule == "PRA-5/role_not_available"
	_role_known
}

# METADATA
# title: PRA-3 and PRA-5, the level exists
met(rule, _, _) if {
	rule == "PRA-3/level_not_available"
	_level_known
}

met(rule, _, _) if {
	rule == "PRA-5/level_not_available"
	_level_known
}

# METADATA
# title: PRA-3 and PRA-5, the locations are practices
met(rule, _, _) if {
	rule == "PRA-3/unknown_location"
	_practices
}

met(rule, _, _) if {
	rule == "PRA-5/unknown_location"
	_practices
}

# METADATA
# title: PRA-3 and PRA-5, the practices are the group's
met(rule, at, _) if {
	rule == "PRA-3/other_organization"
	_own_practices(at)
}

met(rule, at, _) if {
	rule == "PRA-5/other_organization"
	_own_practices(at)
}

# METADATA
# title: PRA-4, the registration number of a health professional
met(rule, _, _) if {
	rule == "PRA-4/missing_field/registration_number"
	question.text("registration_number")
}

met(rule, _, _) if {
	rule == "PRA-4/missing_field/registration_number"
	not _registration == "required"
}

met(rule, _, _) if {
	rule == "PRA-4/field_not_allowed/registration_number"
	not question.text("registration_number")
}

met(rule, _, _) if {
	rule == "PRA-4/field_not_allowed/registration_number"
	not _registration == "refused"
}

# METADATA
# title: PRA-3, the members of the name
met(rule, _, _) if {
	rule == "PRA-3/missing_field/name.given"
	_named("given")
}

met(rule, _, _) if {
	rule == "PRA-3/missing_field/name.family"
	_named("family")
}

met(rule, _, _) if {
	rule == "PRA-3/missing_field/name.title"
	_named("title")
}

met(rule, _, _) if {
	rule == "PRA-3/missing_field/name.title"
	object.get(input.action, ["properties", "name", "title"], null) in {null, ""}
}

# METADATA
# title: PRA-3 and PRA-5, a password is supplied for a new account alone
met(rule, _, _) if {
	rule == "PRA-3/missing_field/password_supplied"
	question.said("password_supplied")
}

met(rule, _, _) if {
	rule == "PRA-5/missing_field/password_supplied"
	question.formed("flag?", "password_supplied")
}

_confirmed if input.facts.folded.username == input.facts.folded.username_confirmation

_confirmed if not question.username("username")

_confirmed if not question.text("username_confirmation")

_names_account if input.facts.folded.username == input.facts.folded.account

_names_account if not question.username("username")

_username_can_be if question.username("username")

_username_can_be if not question.text("username")

_role_known if _offers("group", question.text("role"))

_role_known if not question.text("role")

_registration := data.authz.practice_group.roles[question.text("role")].registration

_practices if {
	every id in question.texts("locations") {
		input.facts.locations[id].kind == "practice"
	}
}

_practices if not question.texts("locations")

# What is no practice is unknown; it is not told where it belongs.
_own_practices(at) if {
	every id in question.texts("locations") {
		_own_or_unknown(id, at)
	}
}

_own_practices(_) if not question.texts("locations")

_own_or_unknown(id, at) if input.facts.locations[id].organization == at.organization

_own_or_unknown(id, _) if not input.facts.locations[id].kind == "practice"

_named(member) if {
	value := input.action.properties.name[member]
	is_string(value)
	value != ""
}
