package authz

import data.authz.question

# METADATA
# title: The records that the answer depends on and may therefore reveal
# description: |
#   Any of subject, organization and user. The engine reports the age of these records only, and a fault in a record
#   matters only if the answer depends on it. So a denial reveals nothing of later stages, nor does what comes with it.
# scope: document
sees contains "subject" if {
	_known_action
	_known_subject
}

# Whoever works at a location knows its organization.
sees contains "organization" if {
	not _needs_no_standing
	_known_action
	_known_subject
	input.facts.subject.status == "active"
	_stands
}

# A denial does not reveal the organization of the place.
sees contains "organization" if {
	_needs_no_standing
	allow
}

sees contains "user" if {
	input.resource.type == "user"
	identified
	not _about_no_account
}

# Only the invited person answers an invitation, so no other user is looked at.
_about_no_account if input.action.name in {"invitation.accept", "invitation.reject"}

# A new user has no record to reveal.
_about_no_account if question.invites_new
