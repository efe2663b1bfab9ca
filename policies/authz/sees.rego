package authz

import data.authz.question

# METADATA
# title: The records that the answer is made from, as far as it tells of them
# description: |
#   Any of subject, organization and user. The engine says of no other record how new it is, and a fault in one counts
#   only once the answer is made from it: a denial tells one stage, also by what stands beside it.
# scope: document
sees contains "subject" if {
	_known_action
	_known_subject
}

# Where the subject stands, it knows the organization.
sees contains "organization" if {
	not _needs_no_standing
	_known_action
	_known_subject
	input.facts.subject.status == "active"
	_stands
}

# A denial does not tell whose the place is.
sees contains "organization" if {
	_needs_no_standing
	allow
}

sees contains "user" if {
	input.resource.type == "user"
	identified
	not _about_no_account
}

_needs_no_standing if input.action.name in {
	"location.switch", "patient.view", "incident.view", "summary.view", "invitation.accept", "invitation.reject",
}

# An invitation is answered by the person whose it is, and nobody looks at another.
_about_no_account if input.action.name in {"invitation.accept", "invitation.reject"}

# Of somebody new there is nothing to tell, but that there is somebody.
_about_no_account if {
	input.action.name == "user.invite"
	question.said("new")
}
