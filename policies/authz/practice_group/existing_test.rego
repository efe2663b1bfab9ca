package authz.practice_group_test

import data.authz_test

# PRA-5: what denies an invitation of an existing account.

test_pra_5_what_the_records_allow[note] if {
	some note, c in {
		"a password": {"with": {"password_supplied": true}, "told": ["PRA-5/password_not_allowed"]},
		"a password that is no flag": {
			"with": {"password_supplied": "no"},
			"told": ["PRA-5/missing_field field=password_supplied"],
		},
		"usernames that do not agree": {
			"with": {"username_confirmation": "d@example.org"}, "told": ["PRA-5/username_mismatch"],
		},
		"another account's username": {
			"with": {"username": "pia@example.org", "username_confirmation": "pia@example.org"},
			"told": ["PRA-5/username_mismatch"],
		},
		"no username": {"with": {"username": "-"}, "told": ["PRA-5/missing_field field=username"]},
		"no confirmation": {
			"with": {"username_confirmation": "-"},
			"told": ["PRA-5/missing_field field=username_confirmation"],
		},
		"no role": {"with": {"role": "-"}, "told": ["PRA-5/missing_field field=role"]},
		"no profession": {"with": {"profession": "-"}, "told": ["PRA-5/missing_field field=profession"]},
		"no level": {"with": {"level": "-"}, "told": ["PRA-5/missing_field field=level"]},
		"no locations": {"with": {"locations": "-"}, "told": ["PRA-5/missing_field field=locations"]},
		"no role of the group": {"with": {"role": "king"}, "told": ["PRA-5/role_not_available"]},
		"no level that there is": {"with": {"level": "royal"}, "told": ["PRA-5/level_not_available"]},
		"an unknown location": {"with": {"locations": ["nowhere"]}, "told": ["PRA-5/unknown_location"]},
		"no practice": {"with": {"locations": ["smile"]}, "told": ["PRA-5/unknown_location"]},
		"another group's": {"with": {"locations": ["derma-a"]}, "told": ["PRA-5/other_organization"]},
		"new in another form": {"with": {"new": "yes"}, "told": ["PRA-5/missing_field field=new"]},
		"several": {
			"with": {"password_supplied": true, "role": "king", "areas": 7},
			"told": ["PRA-5/missing_field field=areas", "PRA-5/password_not_allowed", "PRA-5/role_not_available"],
		},
	}
	_answer_existing("derek", c["with"]) == {"allow": false, "reasons": c.told}
}

test_pra_5_unknown_account[note] if {
	some note, user in {"an id": "nobody", "a username": "nobody@example.org"}
	_answer_existing(user, {}) == _denied("PRA-5/unknown_user")
}

test_pra_5_account_without_a_username if {
	_answer_existing("hanna", {
		"username": "hanna", "username_confirmation": "hanna",
	}) == _denied("PRA-5/username_mismatch")
}

test_pra_5_member_is_not_invited_again[note] if {
	some note, c in {
		"active": {"user": "pia", "want": {"allow": false, "reasons": ["PRA-5/already_assigned"]}},
		"invited": {"user": "ivo", "want": {"allow": false, "reasons": ["PRA-5/already_assigned"]}},
		"deactivated here": {"user": "dora", "want": {
			"allow": false,
			"reasons": ["PRA-5/already_assigned"],
			"advice": ["PRA-5/reactivate_instead"],
		}},
		"deactivated as a whole": {"user": "desmond", "want": {
			"allow": false,
			"reasons": ["PRA-5/already_assigned"],
			"advice": ["PRA-5/reactivate_instead"],
		}},
	}
	username := authz_test.world.users[c.user].username
	_answer_existing(c.user, {"username": username, "username_confirmation": username}) == c.want
}

test_pra_5_whole_with_its_messages if {
	decision := data.authz.decision with input as authz_test.asked(authz_test.world, {
		"who": "olga", "does": "user.invite", "user": "derek",
		"with": _existing,
	})
	decision == {"allow": true, "obligations": [{
		"id": "PRA-5/invitation",
		"type": "notification",
		"properties": {
			"to": "derek@example.org", "topic": "invitation", "channel": "in_app",
			"body": "You have been invited to join a group; accept or reject the invitation when you next sign in.",
		},
	}]}
}
