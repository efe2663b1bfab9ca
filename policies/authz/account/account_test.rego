package authz.account_test

import data.authz_test

test_all_12_deactivation_ends_the_sessions[note] if {
	some note, c in {
		"in a region": {
			"q": {"who": "regina", "does": "user.deactivate", "user": "sue"},
			"want": {
				"allow": true, "obligations": ["ALL-12/session_termination session_termination organization=metro subject=sue"],
			},
		},
		"in a region, from a division": {
			"q": {"who": "hal", "does": "user.deactivate", "user": "norm", "from": "abc"},
			"want": {
				"allow": true, "obligations": ["ALL-12/session_termination session_termination organization=metro subject=norm"],
			},
		},
		"beside the warning": {
			"q": {"who": "regina", "does": "user.deactivate", "user": "ed"},
			"want": {"allow": true, "obligations": [
				"ALL-12/session_termination session_termination organization=metro subject=ed",
				"REG-W1/multiple_locations custom action=confirm cause=multiple_locations",
			]},
		},
		"confirmed": {
			"q": {"who": "regina", "does": "user.deactivate", "user": "ed", "context": {"confirmed": true}},
			"want": {
				"allow": true, "obligations": ["ALL-12/session_termination session_termination organization=metro subject=ed"],
			},
		},
		"in a group": {
			"q": {"who": "ursula", "does": "user.deactivate", "user": "pia", "from": "smile-a"},
			"want": {
				"allow": true, "obligations": ["ALL-12/session_termination session_termination organization=smile subject=pia"],
			},
		},
	}
	authz_test.answer(c.q) == c.want
}

test_all_12_whole_obligation if {
	q := {"who": "regina", "does": "user.deactivate", "user": "sue"}
	decision := data.authz.decision with input as authz_test.asked(authz_test.world, q)
	decision == {"allow": true, "obligations": [{
		"id": "ALL-12/session_termination",
		"type": "session_termination",
		"properties": {"subject": "sue", "organization": "metro"},
	}]}
}

test_all_12_nothing_ends_on_a_denial if {
	authz_test.answer({"who": "regina", "does": "user.deactivate", "user": "off"}) == {
		"allow": false,
		"reasons": ["ALL-10/user_inactive"],
	}
}

test_notification_goes_to_the_username_else_the_id if {
	authz_test.answer({"who": "erin", "does": "user.invite", "user": "hugo", "from": "grace"}) == {
		"allow": true,
		"obligations": ["SYS-2/access_granted notification channel=email to=Hugo@example.org topic=access_granted"],
	}
	authz_test.answer({"who": "sam", "does": "user.invite", "user": "hanna", "from": "hope"}) == {
		"allow": true,
		"obligations": ["SYS-2/access_granted notification channel=email to=hanna topic=access_granted"],
	}
}

test_whole_notification if {
	q := {"who": "erin", "does": "user.invite", "user": "nora", "from": "grace"}
	decision := data.authz.decision with input as authz_test.asked(authz_test.world, q)
	decision == {"allow": true, "obligations": [{
		"id": "SYS-2/access_granted",
		"type": "notification",
		"properties": {
			"to": "nora@example.org", "topic": "access_granted", "channel": "email",
			"body": "You have been given access to a further location, from your next sign-in on.",
		},
	}]}
}
