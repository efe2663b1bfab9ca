package authz.health_system_test

import data.authz_test

test_sys_5_switching[note] if {
	some note, c in {
		"one's entity": {"who": "hugo", "location": "mercy", "told": ""},
		"another": {"who": "hugo", "location": "grace", "told": "SYS-5/not_assigned"},
		"one's other entity": {"who": "hanna", "location": "grace", "told": ""},
		"an administrator beside": {"who": "hanna", "location": "hope", "told": "SYS-5/not_assigned"},
		"the system's administrators reach down": {"who": "erin", "location": "hope", "told": ""},
		"a system administrator too": {"who": "sam", "location": "mercy", "told": ""},
		"on the free plan too": {"who": "pete", "location": "elm", "told": ""},
		"an entity that stands alone": {"who": "sol", "location": "solo", "told": ""},
		"somebody else's": {"who": "sam", "location": "solo", "told": "SYS-5/not_assigned"},
		"the system": {"who": "sam", "location": "sisters", "told": ""},
		"the system, assigned there": {"who": "erin", "location": "sisters", "told": "SYS-5/system_admin_required"},
		"the system, not assigned there": {"who": "hanna", "location": "sisters", "told": "SYS-5/not_assigned"},
		"the system on the free plan": {"who": "olaf", "location": "plain", "told": "SYS-10/plan_required"},
		"its other administrators": {"who": "pete", "location": "plain", "told": "SYS-10/plan_required"},
		"nobody at all": {"who": "nora", "location": "mercy", "told": "SYS-5/not_assigned"},
	}
	authz_test.answer({"who": c.who, "does": "location.switch", "location": c.location}) == _told(c.told)
}

test_sys_5_inactive_assignment_gives_nothing if {
	directory := object.union(authz_test.world, {"users": {
		"sam": {"assignments": {"sisters": {"role": "system_admin", "status": "deactivated"}}},
		"hugo": {"assignments": {"mercy": {"role": "user", "status": "deactivated"}}},
	}})
	every q in [
		{"who": "sam", "location": "sisters"},
		{"who": "sam", "location": "mercy"},
		{"who": "hugo", "location": "mercy"},
	] {
		authz_test.answer_in(directory, object.union(q, {"does": "location.switch"})) == _denied("SYS-5/not_assigned")
	}
}
