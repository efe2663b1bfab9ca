package authz.regional_test

import data.authz_test

_confirm := ["REG-W1/multiple_locations custom action=confirm cause=multiple_locations"]

test_reg_w1_asks_to_confirm_for_a_user_of_several_locations[note] if {
	some note, q in {
		"add": {"does": "assignment.add", "user": "ed", "at": "jkl", "with": {"role": "ed_normal"}},
		"edit": {"does": "assignment.edit", "user": "ed", "at": "ghi", "with": {"new_role": "ed_normal"}},
		"remove": {"does": "assignment.remove", "user": "ed", "at": "ghi"},
		"default": {"does": "default_location.change", "user": "ed", "at": "ghi"},
		"information": {"does": "user.edit", "user": "ed"},
		"password": {"does": "user.reset_password", "user": "ed"},
		"reactivate": {"does": "user.reactivate", "user": "off"},
	}
	authz_test.answer(object.union(q, {"who": "regina"})) == {"allow": true, "obligations": _confirm}
	authz_test.answer(object.union(q, {"who": "regina", "context": {"confirmed": true}})) == {"allow": true}
	every unconfirmed in [false, null, "true", 1] {
		authz_test.answer(object.union(q, {"who": "regina", "context": {"confirmed": unconfirmed}})) == {
			"allow": true,
			"obligations": _confirm,
		}
	}
}

test_reg_w1_beside_an_advice if {
	authz_test.answer({
		"who": "regina", "does": "assignment.edit", "user": "ed", "at": "abc", "with": {"new_location": "jkl"},
	}) == {
		"allow": true,
		"obligations": _confirm,
		"advice": ["REG-I6/default_moves"],
	}
}

test_reg_w1_does_not_ask_about_a_user_of_one_location_or_a_view[note] if {
	some note, q in {
		"add a second": {"does": "assignment.add", "user": "sue", "at": "abc", "with": {"role": "ed_normal"}},
		"edit": {"does": "assignment.edit", "user": "sue", "at": "jkl", "with": {"new_role": "ed_admin"}},
		"information": {"does": "user.edit", "user": "sue"},
		"password": {"does": "user.reset_password", "user": "sue"},
		"one here and one elsewhere": {"does": "user.edit", "user": "mixed"},
		"look": {"does": "user.view", "user": "ed"},
		"list": {"does": "user.list", "location": "metro"},
	}
	authz_test.answer(object.union(q, {"who": "regina"})) == {"allow": true}
}

test_reg_w1_does_not_ask_on_a_denial if {
	authz_test.answer({"who": "regina", "does": "user.edit", "user": "off"}) == {
		"allow": false,
		"reasons": ["ALL-10/user_inactive"],
	}
}

test_reg_w2_warns_where_others_manage_the_user_too[note] if {
	several := "REG-W2/multiple_locations custom action=warn cause=multiple_locations"
	no_role := "REG-W2/no_role_here custom action=warn cause=no_role_here"
	some note, c in {
		"several, one of them here": {"who": "regina", "from": "abc", "user": "ed", "several": true, "no_role": false},
		"several, none here": {"who": "regina", "from": "north", "user": "ed", "several": true, "no_role": true},
		"one, not here": {"who": "regina", "from": "north", "user": "sue", "several": false, "no_role": true},
		"one, beneath": {"who": "dina", "from": "north", "user": "norm", "several": false, "no_role": true},
		"one, here": {"who": "edna", "from": "abc", "user": "norm", "several": false, "no_role": false},
		"several, for a division": {"who": "hal", "from": "north", "user": "roam", "several": true, "no_role": true},
		"several, for a facility": {"who": "edna", "from": "abc", "user": "ed", "several": true, "no_role": false},
		"where two columns apply": {"who": "una", "from": "north", "user": "sue", "several": false, "no_role": true},
		"several, in the region": {"who": "regina", "from": "metro", "user": "ed", "several": false, "no_role": false},
		"one, in the region": {"who": "regina", "from": "metro", "user": "sue", "several": false, "no_role": false},
	}
	warnings := array.concat([several | c.several], [no_role | c.no_role])
	told := authz_test.answer({
		"who": c.who, "does": "user.view_locations", "user": c.user, "from": c.from,
		# A warning is no question to confirm.
		"context": {"confirmed": true},
	})
	told == object.union({"allow": true}, {"obligations": warnings | count(warnings) > 0})
}

test_reg_w2_whole_obligations if {
	q := {"who": "regina", "does": "user.view_locations", "user": "ed", "from": "north"}
	decision := data.authz.decision with input as authz_test.asked(authz_test.world, q)
	decision == {"allow": true, "obligations": [
		{
			"id": "REG-W2/multiple_locations", "type": "custom",
			"properties": {"action": "warn", "cause": "multiple_locations"},
		},
		{"id": "REG-W2/no_role_here", "type": "custom", "properties": {"action": "warn", "cause": "no_role_here"}},
	]}
}
