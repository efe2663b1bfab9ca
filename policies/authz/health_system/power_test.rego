package authz.health_system_test

import data.authz_test

_denied(told) := {"allow": false, "reasons": [told]}

_sent(told, locations) := object.union(_denied(told), {"advice": [
	sprintf("ALL-11/switch_location locations=%v", [locations]),
]})

test_sys_1_users_of_an_entity_by_its_administrator[note] if {
	some note, c in {
		"its administrator": {"who": "hanna", "from": "mercy", "user": "hugo", "told": ""},
		"the system's entity administrator": {"who": "erin", "from": "mercy", "user": "hugo", "told": ""},
		"a system administrator": {"who": "sam", "from": "mercy", "user": "hugo", "told": ""},
		"of an entity that stands alone": {"who": "sol", "from": "solo", "user": "sol", "told": ""},
		"on the free plan": {"who": "pete", "from": "oak", "user": "otto", "told": ""},
		"a user": {"who": "hugo", "from": "mercy", "user": "greta", "told": "SYS-1/not_permitted"},
		"a user, of another's": {"who": "hugo", "from": "mercy", "user": "faye", "told": "SYS-1/not_permitted"},
		"a user there, an administrator elsewhere": {
			"who": "faye", "from": "grace", "user": "greta", "told": "SYS-1/not_permitted",
		},
		"a user of another entity": {"who": "hanna", "from": "mercy", "user": "faye", "told": "SYS-1/not_assigned_here"},
		"assigned to the system alone": {"who": "hanna", "from": "mercy", "user": "erin", "told": "SYS-1/not_assigned_here"},
		"another entity": {"who": "hanna", "from": "mercy", "user": "greta", "at": "grace", "told": "SYS-1/other_location"},
		"the system": {"who": "hanna", "from": "mercy", "user": "greta", "at": "sisters", "told": "SYS-1/other_location"},
	}
	every action in ["user.view", "user.edit", "user.reset_password"] {
		told := authz_test.answer(object.union(c, {"does": action}))
		object.remove(told, ["advice"]) == _told(c.told)
	}
}

_told("") := {"allow": true}

_told(told) := _denied(told) if told != ""

test_sys_1_list_of_an_entity_by_its_administrator[note] if {
	some note, c in {
		"its administrator": {"who": "hanna", "from": "mercy", "location": "mercy", "want": {"allow": true}},
		"a user": {"who": "hugo", "from": "mercy", "location": "mercy", "want": _denied("SYS-1/not_permitted")},
		"another entity": {"who": "hanna", "from": "mercy", "location": "grace", "want": _denied("SYS-1/other_location")},
		"the system": {"who": "erin", "from": "mercy", "location": "sisters", "want": _denied("SYS-1/other_location")},
		"from where one is a user": {
			"who": "hanna", "from": "grace", "location": "mercy",
			"want": _sent("SYS-1/not_permitted", ["mercy"]),
		},
	}
	authz_test.answer(object.union(c, {"does": "user.list"})) == c.want
}

test_sys_2_invitation_is_power_over_the_entity[note] if {
	granted := "SYS-2/access_granted notification channel=email to=faye@example.org topic=access_granted"
	some note, c in {
		"its administrator": {"who": "hanna", "from": "mercy", "want": {"allow": true, "obligations": [granted]}},
		"the system's entity administrator": {
			"who": "erin", "from": "mercy", "want": {"allow": true, "obligations": [granted]},
		},
		"a user": {"who": "hugo", "from": "mercy", "want": _denied("SYS-2/not_permitted")},
	}
	authz_test.answer(object.union(c, {"does": "user.invite", "user": "faye"})) == c.want
}

test_sys_3_one_entity_at_a_time[note] if {
	some note, c in {
		"inviting elsewhere": {
			"who": "hanna", "does": "user.invite", "user": "nora", "from": "mercy", "at": "hope",
			"want": _denied("SYS-3/other_location"),
		},
		"inviting elsewhere, where one may": {
			"who": "sam", "does": "user.invite", "user": "nora", "from": "mercy", "at": "hope",
			"want": _sent("SYS-3/other_location", ["hope"]),
		},
		"inviting somebody new": {
			"who": "hanna", "does": "user.invite", "user": "newcomer", "from": "mercy", "at": "grace",
			"with": {"new": true, "username": "new@example.org"},
			"want": _denied("SYS-3/other_location"),
		},
		"removing elsewhere": {
			"who": "erin", "does": "assignment.remove", "user": "greta", "from": "mercy", "at": "grace",
			"want": _sent("SYS-3/other_location", ["grace"]),
		},
		"inviting from the system": {
			"who": "sam", "does": "user.invite", "user": "nora", "from": "sisters", "at": "mercy",
			"want": _sent("SYS-3/other_location", ["mercy"]),
		},
		"inviting to the system": {
			"who": "sam", "does": "user.invite", "user": "nora", "from": "sisters",
			"want": _denied("SYS-3/other_location"),
		},
		"removing from the system": {
			"who": "sam", "does": "assignment.remove", "user": "erin", "from": "sisters",
			"want": _denied("SYS-3/other_location"),
		},
		"removing from the system, at an entity": {
			"who": "sam", "does": "assignment.remove", "user": "greta", "from": "mercy", "at": "sisters",
			"want": _denied("SYS-3/other_location"),
		},
	}
	authz_test.answer(c) == c.want
}

test_sys_6_users_of_all_entities_by_a_system_administrator[note] if {
	some note, c in {
		"a system administrator": {"who": "sam", "from": "sisters", "told": ""},
		"an entity administrator of the system": {"who": "erin", "from": "sisters", "told": "SYS-6/system_admin_required"},
	}
	every user in ["hugo", "greta", "drew"] {
		every action in ["user.view", "user.view_locations"] {
			every place in ["sisters", "hope"] {
				q := {"who": c.who, "does": action, "user": user, "from": c.from, "at": place}
				object.remove(authz_test.answer(q), ["advice"]) == _told(c.told)
			}
		}
	}
}

test_sys_6_role_of_a_system_gives_nothing_of_it_at_an_entity if {
	directory := object.union(authz_test.world, {"users": {"stray": {"assignments": {"mercy": "system_admin"}}}})
	q := {"who": "stray", "does": "user.view_locations", "user": "hugo", "from": "mercy"}
	authz_test.answer_in(directory, q) == _denied("SYS-6/system_admin_required")
}

test_sys_6_lists_of_all_entities[note] if {
	some note, c in {
		"the system": {"who": "sam", "location": "sisters", "told": ""},
		"an entity": {"who": "sam", "location": "hope", "told": ""},
		"by an entity administrator": {"who": "erin", "location": "sisters", "told": "SYS-6/system_admin_required"},
	}
	told := authz_test.answer({"who": c.who, "does": "user.list", "location": c.location, "from": "sisters"})
	told == _told(c.told)
}

test_sys_6_locations_of_a_user_are_nobodys_at_an_entity[note] if {
	some note, c in {
		"a system administrator": {"who": "sam", "want": _sent("SYS-6/system_admin_required", ["sisters"])},
		"an administrator": {"who": "hanna", "want": _denied("SYS-6/system_admin_required")},
		"a user": {"who": "hugo", "want": _denied("SYS-6/system_admin_required")},
	}
	authz_test.answer({"who": c.who, "does": "user.view_locations", "user": "greta", "from": "mercy"}) == c.want
}

test_sys_6_and_sys_8_alone_judge_at_the_system[note] if {
	some note, c in {
		"information": {"does": "user.edit", "told": "SYS-1/other_location"},
		"password": {"does": "user.reset_password", "told": "SYS-1/other_location"},
		"invitation": {"does": "user.invite", "told": "SYS-3/other_location"},
		"removal": {"does": "assignment.remove", "told": "SYS-3/other_location"},
	}
	every who in ["sam", "erin"] {
		told := authz_test.answer({"who": who, "does": c.does, "user": "greta", "from": "sisters", "at": "mercy"})
		object.remove(told, ["advice"]) == _denied(c.told)
	}
}

test_sys_7_power_to_grant_at_an_entity[note] if {
	some note, c in {
		"its administrator": {"who": "hanna", "from": "mercy", "want": {"allow": true}},
		"an administrator of the system": {"who": "erin", "from": "mercy", "want": {"allow": true}},
		"on the free plan": {"who": "pete", "user": "otto", "from": "oak", "want": {"allow": true}},
		"a user": {"who": "drew2", "from": "mercy", "want": _denied("SYS-7/not_permitted")},
		"another entity": {"who": "hanna", "from": "mercy", "at": "hope", "want": _denied("SYS-7/other_location")},
	}
	directory := object.union(authz_test.world, {"users": {"drew2": {"assignments": {"mercy": "user"}}}})
	q := object.union({"does": "admin.grant", "user": "hugo", "with": {"role": "entity_admin"}}, c)
	authz_test.answer_in(directory, q) == c.want
}

test_sys_8_power_over_the_system[note] if {
	some note, c in {
		"from the system": {"who": "sam", "from": "sisters", "told": ""},
		"by an entity administrator": {"who": "erin", "from": "sisters", "told": "SYS-8/system_admin_required"},
		"by a system administrator elsewhere": {"who": "sam", "from": "mercy", "told": "SYS-8/other_location"},
		"by an entity administrator elsewhere": {"who": "erin", "from": "mercy", "told": "SYS-8/system_admin_required"},
		"by an administrator of one": {"who": "hanna", "from": "mercy", "told": "SYS-8/system_admin_required"},
		"by a user": {"who": "hanna", "from": "grace", "told": "SYS-8/system_admin_required"},
	}
	every q in [
		{"with": {"role": "entity_admin", "locations": ["hope"]}},
		{"with": {"role": "entity_admin", "locations": ["hope", "grace"]}},
		{"with": {"role": "entity_admin"}, "at": "sisters"},
		{"with": {"role": "system_admin"}, "at": "sisters"},
	] {
		told := authz_test.answer(object.union(q, {"who": c.who, "does": "admin.grant", "user": "hugo", "from": c.from}))
		object.remove(told, ["advice"]) == _told(c.told)
	}
}

test_sys_8_sends_a_system_administrator_to_the_system if {
	q := {
		"who": "sam", "does": "admin.grant", "user": "hugo", "from": "mercy",
		"with": {"role": "entity_admin", "locations": ["hope"]},
	}
	authz_test.answer(q) == _sent("SYS-8/other_location", ["sisters"])
}

test_sys_10_no_system_features_on_the_free_plan[note] if {
	some note, q in {
		"standing at the system": {"does": "user.list", "location": "plain"},
		"one entity from there": {"does": "user.list", "location": "oak"},
		"looking": {"does": "user.view", "user": "otto"},
		"locations": {"does": "user.view_locations", "user": "otto"},
		"information": {"does": "user.edit", "user": "otto", "at": "oak"},
		"granting": {"does": "admin.grant", "user": "otto", "with": {"role": "system_admin"}},
		"before oneself": {"does": "admin.revoke", "user": "olaf", "with": {"role": "system_admin"}},
		"before the vendor": {"does": "entity.create", "location": "oak"},
	}
	told := authz_test.answer(object.union(q, {"who": "olaf", "from": "plain"}))
	object.remove(told, ["advice"]) == _denied("SYS-10/plan_required")
}

test_sys_10_no_second_entity_on_the_free_plan[note] if {
	notified := "SYS-2/access_granted notification channel=email to=%s topic=access_granted"
	some note, c in {
		"one that has another": {"user": "emil", "want": _denied("SYS-10/plan_required")},
		"one that has this one": {"user": "otto", "want": _denied("SYS-2/already_assigned")},
		"one of the system alone": {
			"user": "pete",
			"want": {"allow": true, "obligations": [sprintf(notified, ["pete"])]},
		},
		"one of nowhere": {
			"user": "nora",
			"want": {"allow": true, "obligations": [sprintf(notified, ["nora@example.org"])]},
		},
	}
	authz_test.answer({"who": "oona", "does": "user.invite", "user": c.user, "from": "oak"}) == c.want
}

test_sys_10_comes_before_a_missing_role if {
	authz_test.answer({
		"who": "otto", "does": "user.invite", "user": "emil", "from": "oak",
	}) == _denied("SYS-10/plan_required")
}

test_sys_10_somebody_new_on_the_free_plan if {
	authz_test.answer({
		"who": "oona", "does": "user.invite", "user": "newcomer", "from": "oak",
		"with": {"new": true, "username": "new@example.org"},
	}) == {"allow": true, "obligations": ["SYS-2/welcome notification channel=email to=new@example.org topic=welcome"]}
}

test_sys_10_second_entity_on_the_paid_plan if {
	authz_test.answer({"who": "sam", "does": "user.invite", "user": "faye", "from": "hope"}) == {
		"allow": true,
		"obligations": ["SYS-2/access_granted notification channel=email to=faye@example.org topic=access_granted"],
	}
}

test_sys_10_is_no_reason_where_somebody_else_stands_at_an_entity if {
	q := {
		"who": "oona", "does": "admin.grant", "user": "otto", "from": "oak", "at": "plain",
		"with": {"role": "entity_admin"},
	}
	decision := data.authz.decision with input as authz_test.asked(authz_test.world, q)
	{reason.code | some reason in decision.reasons} == {"system_admin_required"}
}
