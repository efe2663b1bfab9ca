# METADATA
# title: What is to be done about an account (ALL-12 and the notifications)
package authz.account

import data.authz.question

# METADATA
# title: The obligation to end the user's sessions, by the rule that asks for it
ending_sessions(rule) := {
	"id": concat("/", [rule, "session_termination"]),
	"type": "session_termination",
	"properties": {"subject": input.facts.user.id, "organization": input.facts.organization.id},
}

# METADATA
# title: The obligation to notify a person, by the rule that asks for it
notification(rule, topic, channel, to) := {
	"id": concat("/", [rule, topic]),
	"type": "notification",
	"properties": {"to": to, "topic": topic, "body": data.authz.messages.notifications[topic], "channel": channel},
}

# METADATA
# title: Where a person with an account is notified
# scope: document
addressee := input.facts.user.username

addressee := input.facts.user.id if not input.facts.user.username

# METADATA
# title: An account has the id or the username of the new one (PRA-3, SYS-2)
# description: What is no username is nobody's.
# scope: document
exists if input.facts.user

exists if {
	input.facts.namesake
	question.username("username")
}

# METADATA
# title: An advice with its sentence, by the rule that gives it
advice(code, rule) := {"code": code, "rule": rule, "message": data.authz.messages.advice[code]}
