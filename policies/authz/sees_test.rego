package authz_test

# What an answer may say of its records (ALL-1 to ALL-5): what it tells anyway.
test_all_1_to_all_5_answer_sees_only_the_records_of_its_stage[note] if {
	here := {"subject", "organization"}
	some note, c in {
		"ALL-1": {"q": {"who": "regina", "does": "area.access", "location": "metro"}, "sees": set()},
		"ALL-2 unknown": {"q": {"who": "nobody", "does": "user.view", "user": "ed", "from": "metro"}, "sees": set()},
		"ALL-2 inactive": {
			"q": {"who": "desmond", "does": "user.view", "user": "ed", "from": "metro"}, "sees": {"subject"},
		},
		"ALL-2 inactive, where one stands": {
			"q": {"who": "off", "does": "user.view", "user": "ed", "from": "abc"}, "sees": {"subject"},
		},
		"ALL-3 unknown": {
			"q": {"who": "regina", "does": "user.view", "user": "ed", "from": "nowhere"}, "sees": {"subject"},
		},
		"ALL-3 elsewhere": {
			"q": {"who": "regina", "does": "user.view", "user": "derek", "from": "derma"}, "sees": {"subject"},
		},
		"ALL-4": {"q": {"who": "regina", "does": "user.view", "user": "ed", "at": "mercy"}, "sees": here},
		"ALL-5": {"q": {"who": "regina", "does": "user.view", "user": "derek"}, "sees": here},
		"stage 2": {"q": {"who": "norm", "does": "user.view", "user": "ed"}, "sees": (here | {"user"})},
		"stage 3": {"q": {"who": "regina", "does": "user.reactivate", "user": "ed"}, "sees": (here | {"user"})},
		"an allow": {"q": {"who": "regina", "does": "user.view", "user": "ed"}, "sees": (here | {"user"})},
		"on a location": {"q": {"who": "regina", "does": "user.list", "location": "metro"}, "sees": here},
		"PRA-5": {"q": {"who": "olga", "does": "user.invite", "user": "derek", "from": "smile"}, "sees": (here | {"user"})},
		"PRA-3": {
			"q": {"who": "olga", "does": "user.invite", "user": "derek", "from": "smile", "with": {"new": true}}, "sees": here,
		},
		"PRA-6": {"q": {"who": "ivo", "does": "invitation.accept", "user": "ivo", "at": "smile"}, "sees": here},
		"PRA-6 rejected": {"q": {"who": "ivo", "does": "invitation.reject", "user": "ivo", "at": "smile"}, "sees": here},
		"PRA-6 another's": {
			"q": {"who": "olga", "does": "invitation.accept", "user": "ivo", "at": "smile"}, "sees": {"subject"},
		},
		"a switch": {"q": {"who": "regina", "does": "location.switch", "location": "abc"}, "sees": here},
		"a switch that is denied": {
			"q": {"who": "regina", "does": "location.switch", "location": "mercy"}, "sees": {"subject"},
		},
		"PRA-7": {"q": {"who": "olga", "does": "user.delete", "user": "pia", "from": "smile"}, "sees": (here | {"user"})},
	}
	seen := data.authz.sees with input as asked(world, c.q)
	seen == c.sees
}

test_all_2_nobody_sees_anything_by_the_facts_of_another if {
	doc := asked(world, {"who": "regina", "does": "user.view", "user": "ed"})
	seen := data.authz.sees with input as object.union(doc, {"facts": {"subject": {"id": "dina"}}})
	seen == set()
}
