package authz.practice_group_test

import data.authz_test

_denied(told) := {"allow": false, "reasons": [told]}

_required := _denied("PRA-1/area_required area=users")

# Everything of PRA-1, in a question that the records allow.
_administration := {
	"list": {"does": "user.list", "location": "smile-b"},
	"view": {"does": "user.view", "user": "paul"},
	"edit": {"does": "user.edit", "user": "paul"},
	"invite": {"does": "user.invite", "user": "derek", "with": {
		"role": "practitioner", "profession": "dentist", "level": "full", "registration_number": "1",
		"username": "derek@example.org", "username_confirmation": "derek@example.org", "locations": ["smile-a"],
	}},
	"deactivate": {"does": "user.deactivate", "user": "paul"},
	"reactivate": {"does": "user.reactivate", "user": "dora"},
	"add": {"does": "assignment.add", "user": "paul", "at": "smile-a", "with": {"role": "practitioner"}},
	"change a role": {"does": "assignment.edit", "user": "paul", "with": {"new_role": "administrator"}},
	"remove": {"does": "assignment.remove", "user": "paul", "at": "smile-b"},
	"change access": {"does": "access.change", "user": "paul", "with": {"level": "full"}},
}

test_pra_1_by_an_owner_or_a_member_with_the_area_users[note] if {
	some note, q in _administration
	every stand in [
		{"who": "olga", "from": "smile-b"}, {"who": "ursula", "from": "smile"}, {"who": "ursula", "from": "smile-a"},
	] {
		authz_test.answer(object.union(q, stand)).allow
	}
	every stand in [
		{"who": "pia", "from": "smile-a"}, {"who": "switched", "from": "smile"},
	] {
		authz_test.answer(object.union(q, stand)) == _required
	}
}

test_pra_1_every_action_is_asked_about if count(_administration) == 10

test_pra_1_place_is_the_group_or_any_of_its_practices[note] if {
	some note, place in {"the group": "smile", "a practice": "smile-a", "another": "smile-b"}
	every from in ["smile", "smile-a"] {
		authz_test.answer({
			"who": "ursula", "does": "user.view", "user": "paul", "at": place, "from": from,
		}) == {"allow": true}
		authz_test.answer({"who": "ursula", "does": "user.list", "location": place, "from": from}) == {"allow": true}
	}
}

test_pra_1_area_that_is_not_asked_for_gives_nothing if {
	q := {"who": "pia", "does": "user.view", "user": "paul", "from": "smile-a", "with": {"area": "calendars"}}
	authz_test.answer(q) == _required
}

test_pra_1_without_the_area_not_even_oneself if {
	authz_test.answer({"who": "pia", "does": "user.edit", "user": "pia", "from": "smile"}) == _required
	authz_test.answer({"who": "pia", "does": "user.view", "user": "pia", "from": "smile"}) == _required
}

# Plans are for health systems (SYS-10): a second practice needs none.
test_pra_1_without_the_area_nobody_invites_a_member_of_another_practice if {
	q := object.union(_administration.invite, {"user": "paul", "who": "pia", "from": "smile-a"})
	authz_test.answer(q) == _required
}

test_pra_2_only_an_owner_acts_on_an_owner[note] if {
	some note, c in {
		"edit": {"does": "user.edit", "user": "oscar"},
		"deactivate": {"does": "user.deactivate", "user": "oscar"},
		"reactivate": {"does": "user.reactivate", "user": "oldowner"},
		"add": {"does": "assignment.add", "user": "oscar", "at": "smile-b", "with": {"role": "owner"}},
		"change a role": {"does": "assignment.edit", "user": "oscar", "with": {"new_role": "practitioner"}},
		"remove": {"does": "assignment.remove", "user": "oscar", "at": "smile-a"},
		"change access": {"does": "access.change", "user": "oscar", "with": {"level": "full"}},
	}
	directory := object.union(authz_test.world, {"users": {"oldowner": {"assignments": {
		"smile": {"role": "owner", "status": "deactivated"},
	}}}})
	authz_test.answer_in(directory, object.union(c, {"who": "ursula", "from": "smile"})) == _denied("PRA-2/owner_required")
	authz_test.answer_in(directory, object.union(c, {"who": "olga"})).allow
}

test_pra_2_inviting_an_owner_again if {
	q := object.union(_administration.invite, {"user": "oscar", "with": {
		"username": "oscar@example.org", "username_confirmation": "oscar@example.org",
	}})
	authz_test.answer(object.union(q, {"who": "ursula", "from": "smile"})) == _denied("PRA-2/owner_required")
	authz_test.answer(object.union(q, {"who": "olga"})) == _denied("PRA-5/already_assigned")
}

test_pra_2_does_not_restrict_listing_and_viewing_an_owner[note] if {
	some note, q in {
		"list": {"does": "user.list", "location": "smile"},
		"view": {"does": "user.view", "user": "oscar"},
	}
	authz_test.answer(object.union(q, {"who": "ursula", "from": "smile"})) == {"allow": true}
}

test_pra_2_only_an_owner_makes_an_owner[note] if {
	some note, c in {
		"by invitation": {
			"q": object.union(_administration.invite, {"with": {"role": "owner"}}),
			"allow": true,
		},
		"by a new account": {
			"q": {"does": "user.invite", "user": "newcomer", "with": {"new": true, "role": "owner"}},
			"allow": false,
		},
		"by a role in the group": {
			"q": {"does": "assignment.edit", "user": "paul", "with": {"new_role": "owner"}},
			"allow": true,
		},
		"by a role at a practice": {
			"q": {"does": "assignment.add", "user": "paul", "at": "smile-a", "with": {"role": "owner"}},
			"allow": false,
		},
	}
	authz_test.answer(object.union(c.q, {"who": "ursula", "from": "smile"})) == _denied("PRA-2/owner_required")
	told := authz_test.answer(object.union(c.q, {"who": "olga"}))
	told.allow == c.allow
	not "PRA-2/owner_required" in object.get(told, "reasons", [])
}

# Of somebody without a role in the group nobody knows that they are no owner.
test_pra_2_only_an_owner_acts_on_whoever_has_no_role_in_the_group if {
	directory := object.union(authz_test.world, {"users": {"stray": {"assignments": {"smile-a": "practitioner"}}}})
	q := {"who": "ursula", "does": "user.edit", "user": "stray", "from": "smile"}
	authz_test.answer_in(directory, q) == _denied("PRA-2/owner_required")
}

# What another action would read decides nothing here.
test_pra_2_property_that_is_not_asked_for_takes_no_owner[note] if {
	some note, c in {
		"areas, in an edit of the account": {"does": "user.edit", "with": {"areas": {"users": true}}},
		"a role, in an edit of the account": {"does": "user.edit", "with": {"role": "owner"}},
		"a new role": {"does": "user.edit", "with": {"new_role": "owner"}},
		"a role beside the new one": {"does": "assignment.edit", "with": {"new_role": "administrator", "role": "owner"}},
	}
	authz_test.answer(object.union(c, {"who": "ursula", "user": "pia", "from": "smile"})) == {"allow": true}
}

test_pra_2_only_an_owner_names_the_area_users[note] if {
	some note, c in {
		"on": {"areas": {"users": true}, "owner": true},
		"off": {"areas": {"users": false}, "owner": true},
		"among others": {"areas": {"invoices": true, "users": true}, "owner": true},
		"others": {"areas": {"invoices": true}, "owner": false},
		"null is missing": {"areas": {"invoices": true, "users": null}, "owner": false},
	}
	every q in [
		{"does": "access.change", "user": "paul", "with": {"areas": c.areas}},
		object.union(_administration.invite, {"with": {"areas": c.areas}}),
	] {
		told := authz_test.answer(object.union(q, {"who": "ursula", "from": "smile"}))
		object.remove(told, ["obligations"]) == {true: _denied("PRA-2/owner_required"), false: {"allow": true}}[c.owner]
		authz_test.answer(object.union(q, {"who": "olga"})).allow
	}
}

# What the record already says is absent, before PRA-2 is judged (policies/DOMAIN.md PRA-12).
test_pra_2_recorded_areas_are_not_named[note] if {
	some note, c in {
		"the same": {"with": {"areas": {"users": true}, "level": "full"}, "want": {"allow": true}},
		"the same and an unknown one": {
			"with": {"areas": {"users": true, "laboratory": true}, "level": "full"},
			"want": {"allow": true},
		},
		"the same and another": {
			"with": {"areas": {"users": true, "invoices": true}},
			"want": _denied("PRA-2/owner_required"),
		},
		"none": {"with": {"areas": {}}, "want": {"allow": true}},
		"nothing but the same": {"with": {"areas": {"users": true}}, "want": _denied("PRA-12/nothing_to_change")},
	}
	directory := object.union(authz_test.world, {"users": {"second": {"assignments": {"smile": {
		"role": "administrator",
		"access": {"level": "standard", "areas": {"users": true}},
	}}}}})
	q := {"who": "ursula", "does": "access.change", "user": "second", "from": "smile", "with": c["with"]}
	authz_test.answer_in(directory, q) == c.want

	# An invitation changes nothing that is recorded.
	invitation := object.union(_administration.invite, {"user": "second", "with": {"areas": {"users": true}}})
	invited := authz_test.answer_in(directory, object.union(invitation, {"who": "ursula", "from": "smile"}))
	invited == _denied("PRA-2/owner_required")
}

test_pra_7_deletion_is_denied_to_everyone[note] if {
	refused := {
		"allow": false,
		"reasons": ["PRA-7/delete_not_allowed"],
		"advice": ["PRA-7/deactivate_instead"],
	}
	some note, c in {
		"an owner": {"who": "olga", "user": "pia", "want": refused},
		"oneself": {"who": "olga", "user": "olga", "want": refused},
		"at a practice": {"who": "olga", "user": "pia", "at": "smile-a", "want": refused},
		"without any power": {"who": "pia", "user": "paul", "from": "smile", "want": refused},
		"of an owner": {"who": "ursula", "user": "olga", "from": "smile", "want": refused},
		"a deactivated one": {"who": "olga", "user": "dora", "want": refused},
		"after stage 1": {"who": "olga", "user": "derek", "want": _denied("ALL-5/unknown_user")},
		"elsewhere": {"who": "olga", "user": "pia", "at": "derma", "want": _denied("PRA-11/other_organization")},
		"not in another model": {"who": "regina", "user": "ed", "want": _denied("ALL-1/unknown_action")},
	}
	authz_test.answer(object.union(c, {"does": "user.delete"})) == c.want
}

test_pra_11_nothing_crosses_groups[note] if {
	some note, c in {
		"a place": {"q": {"who": "olga", "does": "user.view", "user": "pia", "at": "derma-a"}},
		"a list": {"q": {"who": "olga", "does": "user.list", "location": "derma"}},
		"of somebody of both": {"q": {"who": "duo", "does": "user.view", "user": "duo", "at": "smile", "from": "derma"}},
		"another model": {"q": {"who": "olga", "does": "user.list", "location": "metro"}},
	}
	authz_test.answer(c.q) == _denied("PRA-11/other_organization")
}

test_pra_11_power_in_one_group_is_none_in_another if {
	authz_test.answer({"who": "duo", "does": "user.view", "user": "pia", "from": "smile"}) == _required
	authz_test.answer({"who": "duo", "does": "user.view", "user": "pia", "from": "derma"}) == _denied("ALL-5/unknown_user")
	authz_test.answer({"who": "duo", "does": "user.view", "user": "derek", "from": "derma"}) == {"allow": true}
}
