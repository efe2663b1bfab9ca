package authz.health_system_test

import data.authz_test

test_sys_2_who_can_be_invited[note] if {
	some note, c in {
		"an account of the system": {"user": "faye", "to": "faye@example.org"},
		"by its username": {"user": "FAYE@example.org", "to": "faye@example.org"},
		"one with no assignment anywhere": {"user": "nora", "to": "nora@example.org"},
		"that one by its username": {"user": "nora@example.org", "to": "nora@example.org"},
		"one assigned to the system": {"user": "erin", "to": "erin"},
	}
	authz_test.answer({"who": "hanna", "does": "user.invite", "user": c.user, "from": "mercy"}) == {
		"allow": true,
		"obligations": [sprintf("SYS-2/access_granted notification channel=email to=%s topic=access_granted", [c.to])],
	}
}

test_sys_2_who_cannot_be_invited[note] if {
	some note, c in {
		"nobody": {"user": "nobody", "told": ["SYS-2/unknown_user"]},
		"of another system": {"user": "otto", "told": ["SYS-2/unknown_user"]},
		"of another model": {"user": "derek", "told": ["SYS-2/unknown_user"]},
		"by its username": {"user": "derek@example.org", "told": ["SYS-2/unknown_user"]},
		"who is here": {"user": "hugo", "told": ["SYS-2/already_assigned"]},
		"who is here, by its username": {"user": "hugo@example.org", "told": ["SYS-2/already_assigned"]},
		"who is here and deactivated": {"user": "drew", "told": ["SYS-2/already_assigned", "ALL-10/user_inactive"]},
		"as what is not offered": {"user": "faye", "with": {"role": "system_admin"}, "told": ["SYS-2/role_not_available"]},
		"as what is no text": {"user": "faye", "with": {"role": 7}, "told": ["SYS-2/missing_field field=role"]},
		"new in another form": {"user": "faye", "with": {"new": "yes"}, "told": ["SYS-2/missing_field field=new"]},
		"new in another form, unknown": {"user": "nobody", "with": {"new": "yes"}, "told": ["SYS-2/unknown_user"]},
		"a username that is not asked for": {
			"user": "hugo", "with": {"username": " FAYE@example.org"}, "told": ["SYS-2/already_assigned"],
		},
		"new is false": {"user": "nobody", "with": {"new": false}, "told": ["SYS-2/unknown_user"]},
		"several rules": {
			"user": "hugo", "with": {"role": "king"},
			"told": ["SYS-2/already_assigned", "SYS-2/role_not_available"],
		},
	}
	q := object.union(c, {"who": "hanna", "does": "user.invite", "from": "mercy"})
	authz_test.answer(q) == {"allow": false, "reasons": c.told}
}

test_sys_2_somebody_new[note] if {
	welcome := "SYS-2/welcome notification channel=email to=new@example.org topic=welcome"
	some note, c in {
		"as a user": {"with": {}, "want": {"allow": true, "obligations": [welcome]}},
		"as an administrator": {"with": {"role": "entity_admin"}, "want": {"allow": true, "obligations": [welcome]}},
		"as what is not offered": {"with": {"role": "system_admin"}, "want": _denied("SYS-2/role_not_available")},
		"without a username": {"with": {"username": null}, "want": _denied("SYS-2/missing_field field=username")},
		"a username that is no text": {"with": {"username": 7}, "want": _denied("SYS-2/missing_field field=username")},
		"a username with a space before": {
			"with": {"username": " FAYE@example.org"}, "want": _denied("SYS-2/field_not_allowed field=username"),
		},
		"a username with what nobody sees": {
			"with": {"username": "FAYE\u200b@example.org"}, "want": _denied("SYS-2/field_not_allowed field=username"),
		},
		"whose username is somebody's id": {"with": {"username": "faye"}, "want": _denied("SYS-2/existing_user")},
		"whose username is taken": {"with": {"username": "FAYE@example.org"}, "want": _denied("SYS-2/existing_user")},
		"whose username is taken elsewhere": {
			"with": {"username": "derek@example.org"}, "want": _denied("SYS-2/existing_user"),
		},
	}
	q := object.union(
		{"who": "hanna", "does": "user.invite", "user": "newcomer", "from": "mercy"},
		{"with": object.union({"new": true, "username": "new@example.org"}, c["with"])},
	)
	authz_test.answer(q) == c.want
}

test_sys_2_nobody_is_welcomed_but_whoever_is_invited if {
	authz_test.answer({
		"who": "hanna", "does": "user.edit", "user": "hugo", "from": "mercy",
		"with": {"new": true, "username": "new@example.org"},
	}) == {"allow": true}
}

# Nothing more is said about an account that exists, whatever it is.
test_sys_2_somebody_new_who_exists[note] if {
	some note, user in {
		"here": "hugo",
		"here, by username": "hugo@example.org",
		"elsewhere in the system": "faye",
		"in another": "otto",
		"deactivated": "drew",
		"nowhere": "nora",
		"oneself": "hanna",
	}
	authz_test.answer({
		"who": "hanna", "does": "user.invite", "user": user, "from": "mercy",
		"with": {"new": true, "username": "new@example.org"},
	}) == _denied("SYS-2/existing_user")
}

test_sys_2_somebody_new_who_exists_beside_other_rules if {
	authz_test.answer({
		"who": "hanna", "does": "user.invite", "user": "hugo", "from": "mercy",
		"with": {"new": true, "role": "king"},
	}) == {
		"allow": false,
		"reasons": ["SYS-2/existing_user", "SYS-2/missing_field field=username", "SYS-2/role_not_available"],
	}
}

test_sys_4_removal_from_an_entity[note] if {
	some note, c in {
		"what remains": {
			"who": "sam", "user": "greta", "from": "mercy",
			"want": {"allow": true, "advice": ["SYS-4/access_retained locations=[\"grace\", \"sisters\"]"]},
		},
		"the last one": {
			"who": "hanna", "user": "hugo", "from": "mercy",
			"want": {
				"allow": true,
				"obligations": ["SYS-4/session_termination session_termination organization=sisters subject=hugo"],
				"advice": ["SYS-4/access_ended"],
			},
		},
		"the last one in this organization": {
			"who": "sam", "user": "mixed", "from": "mercy",
			"want": {
				"allow": true,
				"obligations": ["SYS-4/session_termination session_termination organization=sisters subject=mixed"],
				"advice": ["SYS-4/access_ended"],
			},
		},
		"by a user": {"who": "hugo", "user": "greta", "from": "mercy", "want": _denied("SYS-4/not_permitted")},
		"of one who is not there": {"who": "hanna", "user": "faye", "from": "mercy", "want": _denied("SYS-4/not_assigned")},
	}
	authz_test.answer(object.union(c, {"does": "assignment.remove"})) == c.want
}

test_sys_4_whole_with_its_messages if {
	q := {"who": "sam", "does": "assignment.remove", "user": "greta", "from": "mercy"}
	decision := data.authz.decision with input as authz_test.asked(authz_test.world, q)
	decision == {"allow": true, "advice": [{
		"code": "access_retained", "rule": "SYS-4", "locations": ["grace", "sisters"],
		"message": "The user keeps access to other locations.",
	}]}
}

test_sys_7_a_user_becomes_an_administrator_and_back[note] if {
	some note, c in {
		"a user": {"does": "admin.grant", "user": "hugo", "told": []},
		"an administrator": {"does": "admin.grant", "user": "hanna", "told": ["SYS-7/already_assigned"]},
		"somebody not assigned": {"does": "admin.grant", "user": "faye", "told": ["SYS-7/not_assigned"]},
		"back": {"does": "admin.revoke", "user": "hanna", "told": []},
		"back without being one": {"does": "admin.revoke", "user": "hugo", "told": ["SYS-7/not_assigned"]},
		"back without being there": {"does": "admin.revoke", "user": "faye", "told": ["SYS-7/not_assigned"]},
		"no role": {
			"does": "admin.grant", "user": "hugo", "with": {"role": null}, "told": ["SYS-7/missing_field field=role"],
		},
		"no role to revoke": {
			"does": "admin.revoke", "user": "hanna", "with": {"role": 7}, "told": ["SYS-7/missing_field field=role"],
		},
		"no role, and not there": {
			"does": "admin.revoke", "user": "faye", "with": {"role": null},
			"told": ["SYS-7/missing_field field=role", "SYS-7/not_assigned"],
		},
		"locations that are no list": {
			"does": "admin.grant", "user": "hugo", "with": {"locations": "mercy"},
			"told": ["SYS-7/missing_field field=locations"],
		},
		"locations that are nothing": {"does": "admin.grant", "user": "hugo", "with": {"locations": null}, "told": []},
		"a role that is not granted": {
			"does": "admin.grant", "user": "hugo", "with": {"role": "user"},
			"told": ["SYS-7/already_assigned", "ALL-7/role_not_available"],
		},
	}
	q := object.union({"who": "erin", "from": "mercy", "with": {"role": "entity_admin"}}, c)
	authz_test.answer(q) == _broken(c.told)
}

_broken([]) := {"allow": true}

_broken(told) := {"allow": false, "reasons": told} if count(told) > 0

test_sys_8_grants[note] if {
	some note, c in {
		"to a user of several": {"user": "hugo", "with": {"locations": ["mercy", "hope"]}, "told": []},
		"to one who is not there": {"user": "faye", "with": {"locations": ["mercy"]}, "told": []},
		"to one who has it in one of them": {
			"user": "hanna", "with": {"locations": ["grace", "mercy"]},
			"told": ["SYS-8/already_assigned"],
		},
		"for all": {"user": "hugo", "with": {}, "told": []},
		"of the same for all": {"user": "erin", "with": {}, "told": ["SYS-8/already_assigned"]},
		"of a higher role": {"user": "erin", "with": {"role": "system_admin"}, "told": []},
		"of a lower role": {"user": "victor", "with": {}, "told": ["SYS-8/already_assigned"]},
		"to one of no entity": {"user": "hugo", "with": {"role": "system_admin"}, "told": []},
		"of the system's role at an entity": {
			"user": "hugo", "with": {"role": "system_admin", "locations": ["mercy"]},
			"told": ["SYS-8/role_not_available"],
		},
		"of the system's role at an entity named": {
			"user": "hugo", "at": "mercy", "with": {"role": "system_admin"},
			"told": ["SYS-8/role_not_available"],
		},
		"at the system among entities": {"user": "hugo", "with": {"locations": ["mercy", "sisters"]}, "told": []},
		"at one entity": {"user": "hugo", "at": "mercy", "with": {}, "told": []},
		"to one who is not at that entity": {"user": "faye", "at": "mercy", "with": {}, "told": []},
		"of a role that is not granted": {
			"user": "faye", "at": "mercy", "with": {"role": "user"},
			"told": ["SYS-8/role_not_available"],
		},
		"of the user's own role": {
			"user": "hugo", "at": "mercy", "with": {"role": "user"},
			"told": ["SYS-8/already_assigned", "SYS-8/role_not_available"],
		},
		"of nothing": {"user": "hugo", "with": {"role": null}, "told": ["SYS-8/missing_field field=role"]},
		"nowhere": {"user": "hugo", "with": {"locations": []}, "told": []},
		"at what is no list": {
			"user": "erin", "with": {"locations": [7]},
			"told": ["SYS-8/missing_field field=locations"],
		},
	}
	q := object.union({"who": "sam", "does": "admin.grant", "from": "sisters", "with": {"role": "entity_admin"}}, c)
	authz_test.answer(q) == _broken(c.told)
}

test_sys_8_revokes[note] if {
	some note, c in {
		"of several": {"user": "aide", "with": {"locations": ["mercy", "hope"]}, "told": []},
		"of one that is not held": {
			"user": "aide", "with": {"locations": ["mercy", "grace"]}, "told": ["SYS-8/not_assigned"],
		},
		"of a lower role held": {"user": "hugo", "with": {"locations": ["mercy"]}, "told": ["SYS-8/not_assigned"]},
		"at the system": {"user": "erin", "with": {}, "told": []},
		"of another role held": {"user": "erin", "with": {"role": "system_admin"}, "told": ["SYS-8/not_assigned"]},
		"of the role held": {"user": "victor", "with": {"role": "system_admin"}, "told": []},
		"of a role that is not granted": {
			"user": "hugo", "at": "mercy", "with": {"role": "user"},
			"told": ["SYS-8/role_not_available"],
		},
		"of a role that there is not": {
			"user": "hugo", "at": "mercy", "with": {"role": "king"},
			"told": ["SYS-8/not_assigned", "SYS-8/role_not_available"],
		},
		"of nothing": {"user": "erin", "with": {"role": null}, "told": ["SYS-8/missing_field field=role"]},
		"of nothing, nowhere": {
			"user": "hugo", "with": {"role": null},
			"told": ["SYS-8/missing_field field=role", "SYS-8/not_assigned"],
		},
	}
	directory := object.union(authz_test.world, {"users": {"aide": {"assignments": {
		"mercy": "entity_admin", "hope": "entity_admin", "grace": "user",
	}}}})
	q := object.union({"who": "sam", "does": "admin.revoke", "from": "sisters", "with": {"role": "entity_admin"}}, c)
	authz_test.answer_in(directory, q) == _broken(c.told)
}
