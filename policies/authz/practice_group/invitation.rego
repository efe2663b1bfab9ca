package authz.practice_group

import data.authz.account
import data.authz.question

# Invitations (PRA-3 to PRA-5). A property that is absent breaks nothing here; that it is missing is reported beside.

# METADATA
# title: PRA-3, no account has the id or the username of the new one
met("new_account", _, _) if not account.exists

# METADATA
# title: PRA-5, the user is no member, whatever the status
met(rule, at, _) if {
	rule in {"not_a_member", "not_a_former_member"}
	not input.facts.user.assignments[at.organization]
}

# METADATA
# title: PRA-5, the user is a member in use, who is not reactivated
met("not_a_former_member", at, _) if _in_use(at.organization)

# METADATA
# title: PRA-3 and PRA-5, what is given as username is one
met("username_well_formed", _, _) if question.well_formed_username("username")

# METADATA
# title: PRA-3 and PRA-5, the usernames agree
met("usernames_agree", _, _) if input.facts.folded.username == input.facts.folded.username_confirmation

# METADATA
# title: PRA-5, the username is the account's
met("username_of_account", _, _) if input.facts.folded.username == input.facts.folded.account

# METADATA
# title: PRA-3 and PRA-5, what is no username is compared with nothing
met(rule, _, _) if {
	rule in {"usernames_agree", "username_of_account"}
	not question.username("username")
}

# METADATA
# title: PRA-3 and PRA-5, a confirmation that is absent disagrees with nothing
met("usernames_agree", _, _) if not question.text("username_confirmation")

# METADATA
# title: PRA-3 and PRA-5, the locations are practices
met("practices_known", _, _) if every id in _practices { input.facts.locations[id].kind == "practice" }

# METADATA
# title: PRA-3 and PRA-5, the practices are the group's; of what is no practice nobody tells where it belongs
met("practices_own", at, _) if every id in _practices { _own_or_unknown(id, at) }

# METADATA
# title: PRA-3, the given name
met("given_name", _, _) if _named("given")

# METADATA
# title: PRA-3, the family name
met("family_name", _, _) if _named("family")

# METADATA
# title: PRA-3, the title is a text
met("title_well_formed", _, _) if _named("title")

# METADATA
# title: PRA-3, the title may be left out
met("title_well_formed", _, _) if object.get(input.action, ["properties", "name", "title"], null) in {null, ""}

# METADATA
# title: PRA-3, a password is supplied for a new account
met("password_supplied", _, _) if question.said("password_supplied")

# METADATA
# title: PRA-5, whether a password is supplied can be read
met("password_well_formed", _, _) if question.formed("flag?", "password_supplied")

# METADATA
# title: PRA-5, an existing account keeps its password
met("password_kept", _, _) if not question.said("password_supplied")

# METADATA
# title: PRA-4, the registration number is given
met("registration_number", _, _) if question.text("registration_number")

# METADATA
# title: PRA-4, the role needs no registration number
met("registration_number", _, _) if not _registration == "required"

# METADATA
# title: PRA-4, no registration number is given
met("no_registration_number", _, _) if not question.text("registration_number")

# METADATA
# title: PRA-4, the role may have a registration number
met("no_registration_number", _, _) if not _registration == "refused"

_registration := data.authz.practice_group.roles[question.text("role")].registration

# What cannot be read names no practice.
default _practices := []

_practices := question.texts("locations")

_own_or_unknown(id, at) if input.facts.locations[id].organization == at.organization
_own_or_unknown(id, _) if not input.facts.locations[id].kind == "practice"

_named(member) if {
	value := input.action.properties.name[member]
	is_string(value)
	value != ""
}
