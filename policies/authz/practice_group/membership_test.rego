package authz.practice_group_test

import data.authz_test

test_pra_8_deactivation_and_reactivation_are_about_the_group[note] if {
	ended := "ALL-12/session_termination session_termination organization=%s subject=%s"
	some note, c in {
		"a member": {
			"who": "olga", "does": "user.deactivate", "user": "pia",
			"want": {"allow": true, "obligations": [sprintf(ended, ["smile", "pia"])]},
		},
		"one who is invited": {
			"who": "olga", "does": "user.deactivate", "user": "ivo",
			"want": {"allow": true, "obligations": [sprintf(ended, ["smile", "ivo"])]},
		},
		"a member of two groups, in one": {
			"who": "derek", "does": "user.deactivate", "user": "duo",
			"want": {"allow": true, "obligations": [sprintf(ended, ["derma", "duo"])]},
		},
		"one deactivated here": {
			"who": "olga", "does": "user.deactivate", "user": "dora", "want": _denied("ALL-10/user_inactive"),
		},
		"one deactivated as a whole": {
			"who": "olga", "does": "user.deactivate", "user": "desmond",
			"want": _denied("ALL-10/user_inactive"),
		},
		"back": {"who": "olga", "does": "user.reactivate", "user": "dora", "want": {"allow": true}},
		"back as a whole": {"who": "olga", "does": "user.reactivate", "user": "desmond", "want": {"allow": true}},
		"an active one": {"who": "olga", "does": "user.reactivate", "user": "pia", "want": _denied("ALL-10/user_active")},
	}
	authz_test.answer(c) == c.want
}

test_pra_8_status_in_another_group_does_not_count if {
	directory := object.union(authz_test.world, {"users": {"duo": {"assignments": {
		"smile": {"role": "practitioner", "status": "deactivated"},
	}}}})
	authz_test.answer_in(directory, {"who": "derek", "does": "user.edit", "user": "duo"}) == {"allow": true}
	authz_test.answer_in(directory, {"who": "olga", "does": "user.edit", "user": "duo"}) == _denied("ALL-10/user_inactive")
	authz_test.answer_in(directory, {
		"who": "derek", "does": "user.reactivate", "user": "duo",
	}) == _denied("ALL-10/user_active")
}

test_pra_12_adding_a_practice[note] if {
	some note, c in {
		"with the role in the group": {"user": "paul", "at": "smile-a", "with": {"role": "practitioner"}, "told": []},
		"of one who is invited": {"user": "ivo", "at": "smile-a", "with": {"role": "practitioner"}, "told": []},
		"of an owner": {"user": "oscar", "at": "smile-b", "with": {"role": "owner"}, "told": []},
		"with another role": {
			"user": "paul", "at": "smile-a", "with": {"role": "administrator"},
			"told": ["PRA-12/role_not_available"],
		},
		"with no role that there is": {
			"user": "paul", "at": "smile-a", "with": {"role": "king"}, "told": ["PRA-12/role_not_available"],
		},
		"without a role": {"user": "paul", "at": "smile-a", "told": ["PRA-12/missing_field field=role"]},
		"where there is one": {
			"user": "paul", "at": "smile-b", "with": {"role": "practitioner"},
			"told": ["PRA-12/already_assigned"],
		},
		"where there is one, with another role": {
			"user": "paul", "at": "smile-b", "with": {"role": "owner"},
			"told": ["PRA-12/already_assigned", "PRA-12/role_not_available"],
		},
		"at the group": {"user": "paul", "with": {"role": "practitioner"}, "told": ["PRA-12/already_assigned"]},
		"at the group the role is not judged": {
			"user": "paul", "with": {"role": "king"}, "told": ["PRA-12/already_assigned"],
		},
		"at the group without a role": {
			"user": "paul",
			"told": ["PRA-12/already_assigned", "PRA-12/missing_field field=role"],
		},
	}
	authz_test.answer(object.union(c, {"who": "olga", "does": "assignment.add"})) == _broken(c.told)
}

_broken([]) := {"allow": true}

_broken(told) := {"allow": false, "reasons": told} if count(told) > 0

test_pra_12_adding_to_somebody_who_is_not_a_member if {
	authz_test.answer({
		"who": "olga", "does": "assignment.add", "user": "derek", "at": "smile-a", "with": {"role": "owner"},
	}) == _denied("ALL-5/unknown_user")
}

test_pra_12_changing_the_role_in_the_group[note] if {
	some note, c in {
		"another role": {"user": "paul", "with": {"new_role": "administrator"}, "told": []},
		"from a practice": {"user": "paul", "at": "smile-b", "with": {"new_role": "administrator"}, "told": []},
		"at a practice without an assignment": {"user": "paul", "at": "smile-a", "with": {"new_role": "owner"}, "told": []},
		"the same": {"user": "paul", "with": {"new_role": "practitioner"}, "told": ["PRA-12/nothing_to_change"]},
		"none": {"user": "paul", "told": ["PRA-12/nothing_to_change"]},
		"null": {"user": "paul", "with": {"new_role": null}, "told": ["PRA-12/nothing_to_change"]},
		"no text": {"user": "paul", "with": {"new_role": 7}, "told": ["PRA-12/missing_field field=new_role"]},
		"no role that there is": {"user": "paul", "with": {"new_role": "king"}, "told": ["PRA-12/role_not_available"]},
		"of a deactivated one": {
			"user": "dora", "with": {"new_role": "administrator"},
			"told": ["PRA-12/nothing_to_change", "ALL-10/user_inactive"],
		},
	}
	authz_test.answer(object.union(c, {"who": "olga", "does": "assignment.edit"})) == _broken(c.told)
}

test_pra_12_what_another_action_would_change_is_no_change[note] if {
	some note, q in {
		"a level of a role": {"does": "assignment.edit", "with": {"level": "limited"}},
		"areas of a role": {"does": "assignment.edit", "with": {"areas": {"invoices": false}}},
		"a role of an access": {"does": "access.change", "with": {"new_role": "administrator"}},
	}
	authz_test.answer(object.union(q, {"who": "olga", "user": "pia"})) == _denied("PRA-12/nothing_to_change")
}

test_pra_12_removing_a_practice[note] if {
	some note, c in {
		"a practice": {"user": "paul", "at": "smile-b", "want": {"allow": true}},
		"not assigned": {"user": "paul", "at": "smile-a", "want": _denied("PRA-12/not_assigned")},
		"the group": {"user": "paul", "want": {
			"allow": false,
			"reasons": ["PRA-12/delete_not_allowed"],
			"advice": ["PRA-12/deactivate_instead"],
		}},
		"the group, of a deactivated one": {"user": "dora", "want": {
			"allow": false,
			"reasons": ["PRA-12/delete_not_allowed", "ALL-10/user_inactive"],
			"advice": ["PRA-12/deactivate_instead"],
		}},
	}
	authz_test.answer(object.union(c, {"who": "olga", "does": "assignment.remove"})) == c.want
}

test_pra_12_changing_access[note] if {
	some note, c in {
		"a level": {"user": "pia", "with": {"level": "limited"}, "told": []},
		"the same level": {"user": "pia", "with": {"level": "full"}, "told": ["PRA-12/nothing_to_change"]},
		"the level of whoever has none recorded": {
			"user": "paul", "with": {"level": "limited"}, "told": ["PRA-12/nothing_to_change"],
		},
		"another than none recorded": {"user": "paul", "with": {"level": "standard"}, "told": []},
		"no level that there is": {"user": "pia", "with": {"level": "royal"}, "told": ["PRA-12/level_not_available"]},
		"areas": {"user": "pia", "with": {"areas": {"invoices": false}}, "told": []},
		"no areas where none are": {"user": "pia", "with": {"areas": {}}, "told": ["PRA-12/nothing_to_change"]},
		"no areas where none are recorded": {"user": "paul", "with": {"areas": {}}, "told": ["PRA-12/nothing_to_change"]},
		"the same level, areas not named where some are": {
			"user": "switched", "with": {"level": "full"}, "told": ["PRA-12/nothing_to_change"],
		},
		"no areas where some are": {"user": "switched", "with": {"areas": {}}, "told": []},
		"the same areas": {
			"user": "switched", "with": {"areas": {"calendars": true, "invoices": false}},
			"told": ["PRA-12/nothing_to_change"],
		},
		"fewer": {"user": "switched", "with": {"areas": {"calendars": true}}, "told": []},
		"the same, another level": {
			"user": "switched", "with": {"level": "limited", "areas": {"calendars": true, "invoices": false}},
			"told": [],
		},
		"an area that the table does not know": {
			"user": "pia", "with": {"areas": {"laboratory": true}},
			"told": ["PRA-12/nothing_to_change"],
		},
		"a null switch": {"user": "pia", "with": {"areas": {"invoices": null}}, "told": ["PRA-12/nothing_to_change"]},
		"nothing": {"user": "pia", "told": ["PRA-12/nothing_to_change"]},
		"empty": {"user": "pia", "with": {"level": "", "areas": null}, "told": ["PRA-12/nothing_to_change"]},
		"a level that is no text": {"user": "pia", "with": {"level": 7}, "told": ["PRA-12/missing_field field=level"]},
		"areas that are no switches": {
			"user": "pia", "with": {"areas": {"invoices": "yes"}},
			"told": ["PRA-12/missing_field field=areas"],
		},
		"areas that are a list": {
			"user": "pia", "with": {"areas": ["invoices"], "level": "royal"},
			"told": ["PRA-12/level_not_available", "PRA-12/missing_field field=areas"],
		},
	}
	authz_test.answer(object.union(c, {"who": "olga", "does": "access.change"})) == _broken(c.told)
}
