package authz.practice_group_test

import data.authz_test

# A new user, and an existing account, with everything that an invitation asks for; a test changes one thing.
_new := {
	"new": true, "role": "practitioner", "profession": "dentist", "level": "standard", "areas": {"invoices": false},
	"username": "new@example.org", "username_confirmation": "New@example.org", "password_supplied": true,
	"registration_number": "D-1", "locations": ["smile-a", "smile-b"],
	"name": {"given": "Nina", "family": "Neu", "title": "Dr."},
}

_existing := {
	"role": "practitioner", "profession": "dentist", "level": "standard",
	"username": "derek@example.org", "username_confirmation": "DEREK@example.org",
	"registration_number": "D-1", "locations": ["smile-a"],
}

_welcomed := {
	"allow": true,
	"obligations": [
		"PRA-3/onboarding notification channel=email to=new@example.org topic=onboarding",
		"PRA-3/welcome notification channel=email to=new@example.org topic=welcome",
	],
	"advice": ["PRA-3/temporary_password"],
}

_invited := {
	"allow": true,
	"obligations": ["PRA-5/invitation notification channel=in_app to=derek@example.org topic=invitation"],
}

_answer_new(changes) := authz_test.answer({
	"who": "olga", "does": "user.invite", "user": "newcomer",
	"with": _changed(_new, changes),
})

_answer_existing(user, changes) := authz_test.answer({
	"who": "olga", "does": "user.invite", "user": user,
	"with": _changed(_existing, changes),
})

# A change to "-" leaves the member out.
_changed(all, changes) := {name: value | some name, value in object.union(all, changes); value != "-"}

test_pra_3_new_user[note] if {
	some note, changes in {
		"with everything": {},
		"without areas": {"areas": "-"},
		"without a title": {"name": {"title": null}},
		"with an empty title": {"name": {"title": ""}},
		"with no location": {"locations": []},
		"at one": {"locations": ["smile-b"]},
		"an administrator": {"role": "administrator", "registration_number": "-"},
		"an owner with a number": {"role": "owner"},
		"an owner without one": {"role": "owner", "registration_number": null},
		"with what nobody asked for": {"title": 7},
	}
	_answer_new(changes) == _welcomed
}

test_pra_3_each_missing_member_is_named[note] if {
	some note, c in {
		"role": {"role": "-", "fields": ["role"]},
		"profession": {"profession": "-", "fields": ["profession"]},
		"an empty profession": {"profession": "", "fields": ["profession"]},
		"level": {"level": null, "fields": ["level"]},
		"username": {"username": "-", "fields": ["username"]},
		"confirmation": {"username_confirmation": "-", "fields": ["username_confirmation"]},
		"locations": {"locations": "-", "fields": ["locations"]},
		"a location that is no list": {"locations": "smile-a", "fields": ["locations"]},
		"locations that are no texts": {"locations": [7], "fields": ["locations"]},
		"locations that are an object": {"locations": {"first": "smile-a"}, "fields": ["locations"]},
		"password": {"password_supplied": "-", "fields": ["password_supplied"]},
		"no password": {"password_supplied": false, "fields": ["password_supplied"]},
		"a password that is no flag": {"password_supplied": "yes", "fields": ["password_supplied"]},
		"areas that are no switches": {"areas": {"invoices": 1}, "fields": ["areas"]},
		"areas that are a list of switches": {"areas": [true], "fields": ["areas"]},
		"name": {"name": "-", "fields": ["name.family", "name.given"]},
		"a name that is a text": {"name": "Nina Neu", "fields": ["name.family", "name.given"]},
		"given name": {"name": {"given": ""}, "fields": ["name.given"]},
		"family name": {"name": {"family": null}, "fields": ["name.family"]},
		"a title that is no text": {"name": {"title": 7}, "fields": ["name.title"]},
		"several": {"role": "-", "level": 7, "name": {"family": 7}, "fields": ["level", "name.family", "role"]},
	}
	_answer_new(object.remove(c, ["fields"])) == {
		"allow": false,
		"reasons": [sprintf("PRA-3/missing_field field=%s", [field]) | some field in c.fields],
	}
}

test_pra_3_what_the_records_allow[note] if {
	some note, c in {
		"usernames that do not agree": {
			"with": {"username_confirmation": "old@example.org"}, "told": ["PRA-3/username_mismatch"],
		},
		"no role of the group": {"with": {"role": "ed_admin"}, "told": ["PRA-3/role_not_available"]},
		"no level that there is": {"with": {"level": "royal"}, "told": ["PRA-3/level_not_available"]},
		"an unknown location": {"with": {"locations": ["smile-a", "nowhere"]}, "told": ["PRA-3/unknown_location"]},
		"the group is no practice": {"with": {"locations": ["smile"]}, "told": ["PRA-3/unknown_location"]},
		"nor is a facility": {"with": {"locations": ["abc"]}, "told": ["PRA-3/unknown_location"]},
		"another group's practice": {"with": {"locations": ["derma-a"]}, "told": ["PRA-3/other_organization"]},
		"another group": {"with": {"locations": ["derma"]}, "told": ["PRA-3/unknown_location"]},
		"both": {
			"with": {"locations": ["nowhere", "derma-a"]},
			"told": ["PRA-3/other_organization", "PRA-3/unknown_location"],
		},
		"every broken rule": {
			"with": {"username_confirmation": "old@example.org", "role": "king", "level": "royal", "locations": "-"},
			"told": [
				"PRA-3/level_not_available", "PRA-3/missing_field field=locations",
				"PRA-3/role_not_available", "PRA-3/username_mismatch",
			],
		},
	}
	_answer_new(c["with"]) == {"allow": false, "reasons": c.told}
}

test_pra_3_account_that_exists[note] if {
	refused := {"allow": false, "reasons": ["PRA-3/existing_user"], "advice": ["PRA-3/invite_existing"]}
	some note, c in {
		"by id": {"user": "derek", "with": {}},
		"by the id's username": {"user": "derek@example.org", "with": {}},
		"by username": {"user": "newcomer", "with": {
			"username": "DEREK@example.org",
			"username_confirmation": "derek@example.org",
		}},
		"a member": {"user": "pia", "with": {}},
		"an owner": {"user": "oscar", "with": {}},
		"a deactivated one": {"user": "desmond", "with": {}},
		"oneself": {"user": "olga", "with": {}},
		"of another model": {"user": "hugo", "with": {}},
		"whose id is the username": {"user": "newcomer", "with": {
			"username": "derek",
			"username_confirmation": "Derek",
		}},
	}
	authz_test.answer({
		"who": "olga", "does": "user.invite", "user": c.user,
		"with": object.union(_new, c["with"]),
	}) == refused
}

# PRA-2 looks at no account that exists either.
test_pra_3_account_that_exists_and_is_an_owner if {
	authz_test.answer({"who": "ursula", "does": "user.invite", "user": "oscar", "from": "smile", "with": _new}) == {
		"allow": false,
		"reasons": ["PRA-3/existing_user"],
		"advice": ["PRA-3/invite_existing"],
	}
}

# What is no username is said once, and no other rule looks at it.
test_pra_3_and_pra_5_malformed_username[note] if {
	some note, username in _no_usernames
	with_it := {"username": username, "username_confirmation": "other@example.org"}
	_answer_new(with_it) == _denied("PRA-3/field_not_allowed field=username")
	_answer_existing("derek", with_it) == _denied("PRA-5/field_not_allowed field=username")
}

_no_usernames := {
	"a space before": " derek@example.org",
	"a space behind": "derek@example.org ",
	"nothing but a space": " ",
	"nothing but a hidden one": "\u200b",
	"a no-break space behind": "derek@example.org\u00a0",
	"an ideographic space before": "\u3000derek@example.org",
	"a line separator behind": "derek@example.org\u2028",
	"a tabulator inside": "derek\t@example.org",
	"a line feed behind": "derek@example.org\n",
	"a delete inside": "derek\u007f@example.org",
	"a next line before": "\u0085derek@example.org",
	"a soft hyphen": "de\u00adrek@example.org",
	"a zero width space": "derek\u200b@example.org",
	"a joiner": "derek\u200d@example.org",
	"an override": "\u202ederek@example.org",
	"a byte order mark": "\ufeffderek@example.org",
	"a grapheme joiner": "derek\u034f@example.org",
	"a filler": "derek\u3164@example.org",
	"a variation selector": "derek\ufe0f@example.org",
	"a tag": "derek\udb40\udc41@example.org",
	"a selector of the supplement": "derek\udb40\udd00@example.org",
}

test_pra_3_usernames[note] if {
	some note, username in {
		"a space inside": "new user@example.org",
		"another space inside": "new\u00a0user@example.org",
		"one letter": "n",
		"a low line at either end": "_new_",
		"another script": "\u03bd\u03ad\u03bf\u03c2@example.org",
		"a letter beyond": "\ud840\udc00@example.org",
	}
	answer := _answer_new({"username": username, "username_confirmation": username})
	answer.allow
}

test_pra_4_registration_number[note] if {
	some note, c in {
		"required of a practitioner": {
			"with": {"role": "practitioner", "registration_number": "-"},
			"told": "PRA-4/missing_field field=registration_number",
		},
		"an empty one": {
			"with": {"role": "practitioner", "registration_number": ""},
			"told": "PRA-4/missing_field field=registration_number",
		},
		"one that is no text": {
			"with": {"role": "practitioner", "registration_number": 7},
			"told": "PRA-4/missing_field field=registration_number",
		},
		"refused for an administrator": {
			"with": {"role": "administrator"},
			"told": "PRA-4/field_not_allowed field=registration_number",
		},
	}
	_answer_new(c["with"]) == _denied(c.told)
	_answer_existing("derek", c["with"]) == _denied(c.told)
}

test_pra_4_registration_number_that_does_not_matter[note] if {
	some note, changes in {
		"an administrator without": {"role": "administrator", "registration_number": "-"},
		"an administrator with nothing": {"role": "administrator", "registration_number": ""},
		"an owner without": {"role": "owner", "registration_number": "-"},
		"an owner with": {"role": "owner"},
	}
	_answer_new(changes) == _welcomed
	_answer_existing("derek", changes) == _invited
}

test_pra_4_wrong_form_where_none_is_required if {
	_answer_new({"role": "owner", "registration_number": 7}) == _denied("PRA-3/missing_field field=registration_number")
	_answer_existing("derek", {
		"role": "owner", "registration_number": 7,
	}) == _denied("PRA-5/missing_field field=registration_number")
}

test_pra_5_existing_account[note] if {
	some note, c in {
		"of another group": {"user": "derek", "with": {}},
		"by username": {"user": "Derek@Example.org", "with": {}},
		"no password": {"user": "derek", "with": {"password_supplied": false}},
		"new is false": {"user": "derek", "with": {"new": false}},
		"a name is not asked for": {"user": "derek", "with": {"name": 7}},
		"areas": {"user": "derek", "with": {"areas": {"invoices": true}}},
	}
	_answer_existing(c.user, c["with"]) == _invited
}

test_pra_5_deactivated_account_is_not_judged if {
	_answer_existing("blocked", {
		"username": "b@example.org", "username_confirmation": "b@example.org",
	}) == _denied("PRA-5/unknown_user")
	directory := object.union(authz_test.world, {"users": {"blocked": {
		"status": "deactivated", "username": "b@example.org",
		"assignments": {"derma": "practitioner"},
	}}})
	authz_test.answer_in(directory, {
		"who": "olga", "does": "user.invite", "user": "blocked",
		"with": object.union(_existing, {"username": "b@example.org", "username_confirmation": "b@example.org"}),
	}) == {
		"allow": true,
		"obligations": ["PRA-5/invitation notification channel=in_app to=b@example.org topic=invitation"],
	}
}

test_pra_3_new_says_nothing_about_another_action if {
	q := {"who": "olga", "does": "user.view", "user": "pia", "with": {"new": true, "username": "x@example.org"}}
	decision := data.authz.decision with input as authz_test.asked(authz_test.world, q)
	decision == {"allow": true}
}
