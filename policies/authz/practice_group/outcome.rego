package authz.practice_group

import data.authz.account
import data.authz.question

# METADATA
# title: What comes with an allow (ALL-12, PRA-3, PRA-5)
# scope: document
outcome := {"obligations": [account.ending_sessions("ALL-12")]} if input.action.name == "user.deactivate"

outcome := {
	"obligations": [
		account.notification("PRA-3", "onboarding", "email", question.text("username")),
		account.notification("PRA-3", "welcome", "email", question.text("username")),
	],
	"advice": [account.advice("temporary_password", "PRA-3")],
} if {
	input.action.name == "user.invite"
	question.said("new")
} else := {"obligations": [account.notification("PRA-5", "invitation", "in_app", account.addressee)]} if {
	input.action.name == "user.invite"
}
