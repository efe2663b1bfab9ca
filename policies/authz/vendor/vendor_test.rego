package authz.vendor_test

import data.authz_test

test_sys_11_by_the_vendor_alone[note] if {
	refused := {"allow": false, "reasons": ["SYS-11/vendor_only"]}
	some note, c in {
		"a system administrator": {"who": "sam", "from": "sisters", "want": refused},
		"at an entity": {"who": "sam", "from": "mercy", "want": refused},
		"an administrator": {"who": "hanna", "from": "mercy", "want": refused},
		"the vendor's staff": {"who": "vera", "from": "acme", "want": {"allow": true}},
		"by default": {"who": "vera", "want": {"allow": true}},
		"the vendor's staff elsewhere": {
			"who": "victor", "from": "sisters",
			"want": object.union(refused, {"advice": ["ALL-11/switch_location locations=[\"acme\"]"]}),
		},
		"another role at the vendor": {"who": "vick", "from": "acme", "want": refused},
	}
	directory := object.union(authz_test.world, {"users": {"vick": {"assignments": {"acme": "visitor"}}}})
	every q in [
		{"does": "entity.create", "location": "newborn"},
		{"does": "entity.associate", "location": "solo", "with": {"system": "sisters"}},
		{"does": "entity.dissociate", "location": "oak"},
	] {
		authz_test.answer_in(directory, object.union(c, q)) == c.want
	}
}

test_sys_11_other_rules_are_judged_after_vendor_only[note] if {
	some note, q in {
		"an id that exists": {"does": "entity.create", "location": "mercy"},
		"no entity": {"does": "entity.dissociate", "location": "nowhere"},
		"no system": {"does": "entity.associate", "location": "smile"},
	}
	told := authz_test.answer(object.union(q, {"who": "sam", "from": "sisters"}))
	told == {"allow": false, "reasons": ["SYS-11/vendor_only"]}
}

test_sys_11_what_the_records_allow[note] if {
	some note, c in {
		"create": {"does": "entity.create", "location": "newborn", "told": []},
		"create what exists": {"does": "entity.create", "location": "smile", "told": ["SYS-11/existing_location"]},
		"create where one stands": {"does": "entity.create", "location": "acme", "told": ["SYS-11/existing_location"]},
		"associate": {"does": "entity.associate", "location": "solo", "with": {"system": "sisters"}, "told": []},
		"associate what is associated": {
			"does": "entity.associate", "location": "oak", "with": {"system": "sisters"},
			"told": ["SYS-11/already_assigned"],
		},
		"associate what is unknown": {
			"does": "entity.associate", "location": "nowhere", "with": {"system": "sisters"},
			"told": ["SYS-11/unknown_location"],
		},
		"associate what is no entity": {
			"does": "entity.associate", "location": "plain", "with": {"system": "sisters"},
			"told": ["SYS-11/unknown_location"],
		},
		"with an unknown system": {
			"does": "entity.associate", "location": "solo", "with": {"system": "nowhere"},
			"told": ["SYS-11/unknown_location"],
		},
		"with what is no system": {
			"does": "entity.associate", "location": "solo", "with": {"system": "mercy"},
			"told": ["SYS-11/unknown_location"],
		},
		"with a system on the free plan": {
			"does": "entity.associate", "location": "solo", "with": {"system": "plain"},
			"told": ["SYS-11/plan_required"],
		},
		"with its own, and free": {
			"does": "entity.associate", "location": "oak", "with": {"system": "plain"},
			"told": ["SYS-11/already_assigned", "SYS-11/plan_required"],
		},
		"an unknown one with a system on the free plan": {
			"does": "entity.associate", "location": "nowhere", "with": {"system": "plain"},
			"told": ["SYS-11/plan_required", "SYS-11/unknown_location"],
		},
		"without a system": {"does": "entity.associate", "location": "solo", "told": ["SYS-11/missing_field field=system"]},
		"with a system that is no text": {
			"does": "entity.associate", "location": "oak", "with": {"system": 7},
			"told": ["SYS-11/already_assigned", "SYS-11/missing_field field=system"],
		},
		"dissociate": {"does": "entity.dissociate", "location": "mercy", "told": []},
		"dissociate what stands alone": {"does": "entity.dissociate", "location": "solo", "told": ["SYS-11/not_assigned"]},
		"dissociate a system": {"does": "entity.dissociate", "location": "sisters", "told": ["SYS-11/unknown_location"]},
		"dissociate what is unknown": {
			"does": "entity.dissociate", "location": "nowhere", "told": ["SYS-11/unknown_location"],
		},
		"dissociate a practice": {"does": "entity.dissociate", "location": "smile-a", "told": ["SYS-11/unknown_location"]},
	}
	authz_test.answer(object.union(c, {"who": "vera"})) == _broken(c.told)
}

_broken([]) := {"allow": true}

_broken(told) := {"allow": false, "reasons": told} if count(told) > 0
