# METADATA
# title: Obligations and advice about an account (ALL-12 and the notifications)
package authz.account

import data.authz.question

# METADATA
# title: The obligation to end the user's sessions, with the id of the rule that imposes it
ending_sessions(rule) := {
	"id": concat("/", [rule, "session_termination"]),
	"type": "session_termination",
	"properties": {"subject": input.facts.user.id, "organization": input.facts.organization.id},
}

# METADATA
# title: The obligation to notify a person, with the id of the rule that imposes it
notification(rule, topic, channel, to) := {
	"id": concat("/", [rule, topic]),
	"type": "notification",
	"properties": {"to": to, "topic": topic, "body": data.authz.messages.notifications[topic], "channel": channel},
}

# METADATA
# title: Where an existing user is notified, by username or else by id
# scope: document
addressee := input.facts.user.username
addressee := input.facts.user.id if not input.facts.user.username

# METADATA
# title: Whether an account with the new one's id or username exists (PRA-3, SYS-2)
# description: A malformed username belongs to no account.
# scope: document
exists if input.facts.user

exists if {
	input.facts.namesake
	question.username("username")
}

# METADATA
# title: Advice with its sentence and the id of the rule that gives it
advice(code, rule) := {"code": code, "rule": rule, "message": data.authz.messages.advice[code]}
