package authz_test

# The rules of section 3 that each model has in its own words (ALL-6 to ALL-10).

test_all_6_one_role_at_a_location[note] if {
	some note, c in {
		"adding where there is one": {
			"q": {"who": "regina", "does": "assignment.add", "user": "ed", "at": "ghi", "with": {"role": "ed_normal"}},
			"told": ["REG-I1/already_assigned"],
		},
		"the same role too": {
			"q": {"who": "regina", "does": "assignment.add", "user": "ed", "at": "ghi", "with": {"role": "ed_admin"}},
			"told": ["REG-I1/already_assigned"],
		},
		"inviting who is there": {
			"q": {"who": "hanna", "does": "user.invite", "user": "hugo", "from": "mercy"},
			"told": ["SYS-2/already_assigned"],
		},
		"adding at a practice": {
			"q": {"who": "olga", "does": "assignment.add", "user": "pia", "at": "smile-a", "with": {"role": "practitioner"}},
			"told": ["PRA-12/already_assigned"],
		},
	}
	answer(c.q) == {"allow": false, "reasons": c.told}
}

test_all_6_another_location_may_have_another_role[note] if {
	some note, c in {
		"in a region": {
			"q": {"who": "regina", "does": "assignment.add", "user": "sue", "at": "south", "with": {"role": "public_health"}},
			"want": {"allow": true},
		},
		"in a group": {
			"q": {"who": "olga", "does": "assignment.add", "user": "pia", "at": "smile-b", "with": {"role": "practitioner"}},
			"want": {"allow": true},
		},
	}
	answer(c.q) == c.want
}

test_all_7_kind_of_the_location_decides_on_its_roles_in_a_region if {
	offered := {
		"metro": {"regional_admin"},
		"south": {"division_admin", "public_health_admin", "public_health"},
		"mno": {"ed_admin", "ed_normal"},
	}
	roles := {
		"regional_admin", "division_admin", "public_health_admin", "public_health", "ed_admin", "ed_normal",
		"entity_admin", "owner", "vendor_staff", "king",
	}
	every location, allowed in offered {
		every role in roles {
			told := answer({"who": "regina", "does": "assignment.add", "user": "sue", "at": location, "with": {"role": role}})
			told == _if_offered(role in allowed, "REG-I5")
		}
	}
}

_if_offered(true, _) := {"allow": true}

_if_offered(false, rule) := {"allow": false, "reasons": [concat("/", [rule, "role_not_available"])]}

test_all_7_kind_of_the_location_decides_on_its_roles_in_a_health_system[note] if {
	some note, c in {
		"a user at an entity": {"role": "user", "allow": true},
		"an administrator at an entity": {"role": "entity_admin", "allow": true},
		"a system administrator at an entity": {"role": "system_admin", "allow": false},
		"another model's role": {"role": "ed_admin", "allow": false},
	}
	told := answer({"who": "erin", "does": "user.invite", "user": "faye", "from": "mercy", "with": {"role": c.role}})
	object.remove(told, ["obligations"]) == _if_offered(c.allow, "SYS-2")
}

test_all_7_role_that_can_be_granted_at_an_entity if {
	answer({"who": "hanna", "does": "admin.grant", "user": "hugo", "from": "mercy", "with": {"role": "user"}}) == {
		"allow": false,
		"reasons": ["SYS-7/already_assigned", "ALL-7/role_not_available"],
	}
	answer({"who": "hanna", "does": "admin.revoke", "user": "hugo", "from": "mercy", "with": {"role": "user"}}) == {
		"allow": false,
		"reasons": ["ALL-7/role_not_available"],
	}
	answer({"who": "hanna", "does": "admin.grant", "user": "hugo", "from": "mercy", "with": {"role": "king"}}) == {
		"allow": false,
		"reasons": ["ALL-7/role_not_available"],
	}
}

test_all_8_what_is_edited_or_removed_exists[note] if {
	some note, c in {
		"removing in a region": {
			"q": {"who": "regina", "does": "assignment.remove", "user": "ed", "at": "jkl"},
			"told": ["ALL-8/not_assigned"],
		},
		"editing in a region": {
			"q": {"who": "regina", "does": "assignment.edit", "user": "ed", "at": "jkl", "with": {"new_role": "ed_admin"}},
			"told": ["ALL-8/not_assigned"],
		},
		"removing from an entity": {
			"q": {"who": "hanna", "does": "assignment.remove", "user": "faye", "from": "mercy"},
			"told": ["SYS-4/not_assigned"],
		},
		"removing from a practice": {
			"q": {"who": "olga", "does": "assignment.remove", "user": "pia", "at": "smile-b"},
			"told": ["PRA-12/not_assigned"],
		},
	}
	answer(c.q) == {"allow": false, "reasons": c.told}
}

test_all_9_nobody_changes_their_own_standing[note] if {
	some note, q in {
		"adding": {"who": "regina", "does": "assignment.add", "user": "regina", "at": "abc", "with": {"role": "ed_admin"}},
		"editing": {"who": "regina", "does": "assignment.edit", "user": "regina", "with": {"new_role": "regional_admin"}},
		"removing": {"who": "regina", "does": "assignment.remove", "user": "regina"},
		"deactivating": {"who": "regina", "does": "user.deactivate", "user": "regina"},
		"reactivating": {"who": "regina", "does": "user.reactivate", "user": "regina"},
		"removing, with what an invitation asks for": {
			"who": "regina", "does": "assignment.remove", "user": "regina", "with": {"new": true},
		},
		"without any power": {"who": "norm", "does": "assignment.remove", "user": "norm"},
		"inviting": {"who": "erin", "does": "user.invite", "user": "erin", "from": "mercy"},
		"removing from an entity": {"who": "hanna", "does": "assignment.remove", "user": "hanna", "from": "mercy"},
		"granting": {
			"who": "hanna", "does": "admin.grant", "user": "hanna", "from": "mercy", "with": {"role": "entity_admin"},
		},
		"revoking": {
			"who": "hanna", "does": "admin.revoke", "user": "hanna", "from": "mercy", "with": {"role": "entity_admin"},
		},
		"granting over the system": {"who": "sam", "does": "admin.grant", "user": "sam", "with": {"role": "system_admin"}},
		"revoking over the system": {"who": "sam", "does": "admin.revoke", "user": "sam", "with": {"role": "system_admin"}},
		"inviting, by username": {"who": "greta", "does": "user.invite", "user": "GRETA@example.org", "from": "hope"},
		"inviting to a group": {"who": "olga", "does": "user.invite", "user": "olga"},
		"inviting to it, by username": {"who": "oscar", "does": "user.invite", "user": "oscar@example.org", "from": "smile"},
		"adding a practice": {
			"who": "olga", "does": "assignment.add", "user": "olga", "at": "smile-a", "with": {"role": "owner"},
		},
		"editing in a group": {
			"who": "olga", "does": "assignment.edit", "user": "olga", "with": {"new_role": "practitioner"},
		},
		"removing in a group": {
			"who": "oscar", "does": "assignment.remove", "user": "oscar", "at": "smile-a", "from": "smile",
		},
		"deactivating in a group": {"who": "olga", "does": "user.deactivate", "user": "olga"},
		"reactivating in a group": {"who": "olga", "does": "user.reactivate", "user": "olga"},
		"changing access": {"who": "olga", "does": "access.change", "user": "olga", "with": {"level": "full"}},
		"before a missing area": {
			"who": "pia", "does": "access.change", "user": "pia", "from": "smile", "with": {"level": "limited"},
		},
	}
	answer(q) == {"allow": false, "reasons": ["ALL-9/self"]}
}

test_all_9_allows_own_information_password_and_default[note] if {
	some note, q in {
		"looking": {"who": "regina", "does": "user.view", "user": "regina"},
		"looking at locations": {"who": "regina", "does": "user.view_locations", "user": "regina"},
		"information": {"who": "edna", "does": "user.edit", "user": "edna"},
		"password": {"who": "edna", "does": "user.reset_password", "user": "edna"},
		"information at an entity": {"who": "hanna", "does": "user.edit", "user": "hanna", "from": "mercy"},
		"password at an entity": {"who": "hanna", "does": "user.reset_password", "user": "hanna", "from": "mercy"},
		"information in a group": {"who": "ursula", "does": "user.edit", "user": "ursula", "from": "smile-a"},
		"the default": {
			"who": "una", "does": "default_location.change", "user": "una", "from": "north",
			"context": {"confirmed": true},
		},
	}
	answer(q) == {"allow": true}
}

test_all_10_nothing_is_done_to_a_deactivated_user[note] if {
	some note, q in {
		"edit": {"who": "regina", "does": "user.edit", "user": "off"},
		"password": {"who": "regina", "does": "user.reset_password", "user": "off"},
		"deactivate": {"who": "regina", "does": "user.deactivate", "user": "off"},
		"add": {"who": "regina", "does": "assignment.add", "user": "off", "at": "jkl", "with": {"role": "ed_normal"}},
		"change a role": {
			"who": "regina", "does": "assignment.edit", "user": "off", "at": "ghi", "with": {"new_role": "ed_admin"},
		},
		"remove": {"who": "regina", "does": "assignment.remove", "user": "off", "at": "ghi"},
		"default": {"who": "regina", "does": "default_location.change", "user": "off", "at": "ghi"},
		"edit at an entity": {"who": "hanna", "does": "user.edit", "user": "drew", "from": "mercy"},
		"password at an entity": {"who": "hanna", "does": "user.reset_password", "user": "drew", "from": "mercy"},
		"remove from an entity": {"who": "hanna", "does": "assignment.remove", "user": "drew", "from": "mercy"},
		"invite to an entity": {"who": "erin", "does": "user.invite", "user": "drew", "from": "grace"},
		"grant": {"who": "hanna", "does": "admin.grant", "user": "drew", "from": "mercy", "with": {"role": "entity_admin"}},
		"grant over the system": {"who": "sam", "does": "admin.grant", "user": "drew", "with": {"role": "entity_admin"}},
		"edit in a group": {"who": "olga", "does": "user.edit", "user": "dora"},
		"deactivate in a group": {"who": "olga", "does": "user.deactivate", "user": "dora"},
		"add a practice": {
			"who": "olga", "does": "assignment.add", "user": "dora", "at": "smile-b", "with": {"role": "administrator"},
		},
		"change a role in a group": {
			"who": "olga", "does": "assignment.edit", "user": "dora", "with": {"new_role": "practitioner"},
		},
		"remove from a practice": {"who": "olga", "does": "assignment.remove", "user": "dora", "at": "smile-a"},
		"change access": {"who": "olga", "does": "access.change", "user": "dora", "with": {"level": "limited"}},
		"edit one deactivated as a whole": {"who": "olga", "does": "user.edit", "user": "desmond"},
		"deactivate one deactivated as a whole": {"who": "olga", "does": "user.deactivate", "user": "desmond"},
	}
	answer(q) == {"allow": false, "reasons": ["ALL-10/user_inactive"]}
}

test_all_10_is_reported_beside_other_rules[note] if {
	some note, c in {
		"not assigned": {
			"q": {"who": "regina", "does": "assignment.remove", "user": "off", "at": "jkl"},
			"told": ["ALL-8/not_assigned", "ALL-10/user_inactive"],
		},
		"the default": {
			"q": {"who": "regina", "does": "assignment.remove", "user": "off", "at": "abc"},
			"told": ["REG-I3/default_location", "ALL-10/user_inactive"],
			"advice": ["REG-I3/change_default_first"],
		},
		"a revoke of what is not held": {
			"q": {"who": "hanna", "does": "admin.revoke", "user": "drew", "from": "mercy", "with": {"role": "entity_admin"}},
			"told": ["SYS-7/not_assigned", "ALL-10/user_inactive"],
		},
	}
	answer(c.q) == object.union(
		{"allow": false, "reasons": c.told},
		{"advice": advice | some advice in [c.advice]},
	)
}

test_all_10_deactivated_user_is_listed_viewed_and_reactivated[note] if {
	some note, c in {
		"view": {"q": {"who": "regina", "does": "user.view", "user": "off"}, "want": {"allow": true}},
		"locations": {"q": {"who": "regina", "does": "user.view_locations", "user": "off"}, "want": {"allow": true}},
		"view at an entity": {
			"q": {"who": "hanna", "does": "user.view", "user": "drew", "from": "mercy"}, "want": {"allow": true},
		},
		"locations in a system": {
			"q": {"who": "sam", "does": "user.view_locations", "user": "drew"}, "want": {"allow": true},
		},
		"view in a group": {"q": {"who": "olga", "does": "user.view", "user": "dora"}, "want": {"allow": true}},
		"reactivate": {
			"q": {"who": "regina", "does": "user.reactivate", "user": "off", "context": {"confirmed": true}},
			"want": {"allow": true},
		},
		"reactivate in a group": {"q": {"who": "olga", "does": "user.reactivate", "user": "dora"}, "want": {"allow": true}},
		"reactivate one deactivated as a whole": {
			"q": {"who": "olga", "does": "user.reactivate", "user": "desmond"}, "want": {"allow": true},
		},
	}
	answer(c.q) == c.want
}

test_all_10_only_a_deactivated_user_is_reactivated[note] if {
	some note, q in {
		"in a region": {"who": "regina", "does": "user.reactivate", "user": "ed"},
		"in a group": {"who": "olga", "does": "user.reactivate", "user": "pia"},
		"one invited": {"who": "olga", "does": "user.reactivate", "user": "ivo"},
	}
	answer(q) == {"allow": false, "reasons": ["ALL-10/user_active"]}
}
