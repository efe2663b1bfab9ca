package authz.practice_group_test

import data.authz_test

test_pra_6_practice_invites_nobody if {
	directory := object.union(authz_test.world, {"users": {"ivo": {"assignments": {
		"smile-a": {"role": "practitioner", "status": "invited"},
	}}}})
	q := {"who": "ivo", "does": "invitation.accept", "user": "ivo", "at": "smile-a"}
	authz_test.answer_in(directory, q) == _denied("PRA-6/not_invited")
}

test_pra_6_only_the_invited_person_answers[note] if {
	some note, c in {
		"invited": {"who": "ivo", "user": "ivo", "at": "smile", "want": {"allow": true}},
		"somebody else": {"who": "olga", "user": "ivo", "at": "smile", "want": _denied("PRA-6/not_invited")},
		"a member": {"who": "pia", "user": "pia", "at": "smile", "want": _denied("PRA-6/not_invited")},
		"another group": {"who": "ivo", "user": "ivo", "at": "derma", "want": _denied("PRA-6/not_invited")},
		"a practice": {"who": "ivo", "user": "ivo", "at": "smile-a", "want": _denied("PRA-6/not_invited")},
		"for somebody unknown": {"who": "ivo", "user": "nobody", "at": "smile", "want": _denied("PRA-6/not_invited")},
		"for another who is a member": {"who": "ivo", "user": "pia", "at": "smile", "want": _denied("PRA-6/not_invited")},
		"by username": {"who": "ivo", "user": "ivo@example.org", "at": "smile", "want": _denied("PRA-6/not_invited")},
		"deactivated in the group": {
			"who": "dora", "user": "dora", "at": "smile",
			"want": {"allow": false, "reasons": ["PRA-6/not_invited", "ALL-10/user_inactive"]},
		},
		"deactivated in the group, from a practice": {
			"who": "dora", "user": "dora", "at": "smile-a",
			"want": {"allow": false, "reasons": ["PRA-6/not_invited", "ALL-10/user_inactive"]},
		},
		"somebody else's, deactivated in the group": {
			"who": "olga", "user": "dora", "at": "smile", "want": _denied("PRA-6/not_invited"),
		},
		"somebody else's, deactivated as a whole": {
			"who": "ivo", "user": "desmond", "at": "smile", "want": _denied("PRA-6/not_invited"),
		},
		"of nowhere": {"who": "nora", "user": "nora", "at": "smile", "want": _denied("PRA-6/not_invited")},
	}
	every action in ["invitation.accept", "invitation.reject"] {
		authz_test.answer(object.union(c, {"does": action})) == c.want
	}
}

test_pra_6_needs_no_standing_and_ignores_one if {
	q := {"who": "ivo", "does": "invitation.accept", "user": "ivo", "at": "smile"}
	every from in ["smile", "derma", "nowhere", ""] {
		authz_test.answer(object.union(q, {"from": from})) == {"allow": true}
	}
}

test_pra_9_switching[note] if {
	some note, c in {
		"the group": {"who": "pia", "reaches": {"smile", "smile-a"}},
		"an owner reaches down": {"who": "olga", "reaches": {"smile", "smile-a", "smile-b"}},
		"an administrator of users does not": {"who": "ursula", "reaches": {"smile", "smile-a"}},
		"two groups": {"who": "duo", "reaches": {"smile", "derma", "derma-a"}},
		"while invited": {"who": "ivo", "reaches": set()},
		"while deactivated, nothing beneath counts": {"who": "dora", "reaches": set()},
		"somebody else's": {"who": "hugo", "reaches": set()},
	}
	every location in ["smile", "smile-a", "smile-b", "derma", "derma-a"] {
		told := authz_test.answer({"who": c.who, "does": "location.switch", "location": location})
		told == {true: {"allow": true}, false: _denied("PRA-9/not_assigned")}[location in c.reaches]
	}
}
