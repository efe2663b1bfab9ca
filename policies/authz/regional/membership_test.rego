package authz.regional_test

import data.authz_test

# The membership rules of 4.3. Regina stands at the region, where every power is hers.

test_reg_i1_one_role_at_a_location[note] if {
	some note, c in {
		"adding": {"does": "assignment.add", "at": "abc", "with": {"role": "ed_admin"}, "told": ["REG-I1/already_assigned"]},
		"moving to one that is held": {
			"does": "assignment.edit", "at": "ghi", "with": {"new_location": "abc"},
			"told": ["REG-I1/already_assigned"],
		},
		"moving with another role": {
			"does": "assignment.edit", "at": "ghi", "with": {"new_location": "abc", "new_role": "ed_normal"},
			"told": ["REG-I1/already_assigned"],
		},
		"adding a role that is not offered": {
			"does": "assignment.add", "at": "abc", "with": {"role": "public_health"},
			"told": ["REG-I1/already_assigned", "REG-I5/role_not_available"],
		},
	}
	authz_test.answer(object.union({"who": "regina", "user": "ed"}, c)) == {"allow": false, "reasons": c.told}
}

test_reg_i1_free_location_is_taken[note] if {
	some note, q in {
		"adding": {"does": "assignment.add", "at": "jkl", "with": {"role": "ed_admin"}},
		"moving": {"does": "assignment.edit", "at": "ghi", "with": {"new_location": "jkl"}},
		"staying": {"does": "assignment.edit", "at": "ghi", "with": {"new_location": "ghi", "new_role": "ed_normal"}},
	}
	authz_test.answer(object.union(q, {"who": "regina", "user": "ed", "context": {"confirmed": true}})) == {"allow": true}
}

test_reg_i2_only_location_cannot_be_deleted[note] if {
	some note, c in {
		"from the region": {"who": "regina", "user": "sue", "at": "jkl"},
		"here": {"who": "regina", "user": "sue", "from": "jkl"},
	}
	authz_test.answer(object.union({"does": "assignment.remove"}, c)) == {
		"allow": false,
		"reasons": ["REG-I3/default_location", "REG-I2/only_location"],
		"advice": ["REG-I3/change_default_first", "REG-I2/deactivate_instead"],
	}
}

# An assignment elsewhere counts for nothing (ALL-4), so that the only one here is the only one.
test_reg_i2_only_location_of_this_organization if {
	authz_test.answer({"who": "cora", "does": "assignment.remove", "user": "mixed", "at": "pier"}) == {
		"allow": false,
		"reasons": ["REG-I2/only_location"],
		"advice": ["REG-I2/deactivate_instead"],
	}
}

test_reg_i3_default_location_cannot_be_deleted[note] if {
	refused := {
		"allow": false,
		"reasons": ["REG-I3/default_location"],
		"advice": ["REG-I3/change_default_first"],
	}
	some note, c in {
		"from the region": {"q": {"who": "regina", "user": "ed", "at": "abc"}, "allow": false},
		"here": {"q": {"who": "regina", "user": "ed", "from": "abc"}, "allow": false},
		"another from the region": {"q": {"who": "regina", "user": "ed", "at": "ghi"}, "allow": true},
		"another here": {"q": {"who": "regina", "user": "ed", "from": "ghi"}, "allow": true},
	}
	told := authz_test.answer(object.union(c.q, {"does": "assignment.remove", "context": {"confirmed": true}}))
	told == {true: {"allow": true}, false: refused}[c.allow]
}

test_reg_i4_new_default_is_an_active_assignment[note] if {
	some note, c in {
		"not assigned": {
			"q": {"user": "ed", "at": "jkl"},
			"want": {"allow": false, "reasons": ["REG-I4/not_assigned"]},
		},
		"a location above": {
			"q": {"user": "ed", "at": "north"},
			"want": {"allow": false, "reasons": ["REG-I4/not_assigned"]},
		},
		"the default already": {
			"q": {"user": "ed", "at": "abc"},
			"want": {"allow": false, "reasons": ["REG-8/nothing_to_change"]},
		},
		"another": {"q": {"user": "ed", "at": "ghi"}, "want": {"allow": true}},
		"another, here": {"q": {"user": "ed", "from": "ghi"}, "want": {"allow": true}},
	}
	q := object.union(c.q, {"who": "regina", "does": "default_location.change", "context": {"confirmed": true}})
	authz_test.answer(q) == c.want
}

test_reg_i4_inactive_assignment_is_no_default if {
	directory := object.union(authz_test.world, {"users": {"ed": {"assignments": {
		"ghi": {"role": "ed_admin", "status": "deactivated"},
	}}}})
	q := {"who": "regina", "does": "default_location.change", "user": "ed", "at": "ghi"}
	authz_test.answer_in(directory, q) == {"allow": false, "reasons": ["REG-I4/not_assigned"]}
}

test_reg_i5_role_is_one_of_the_location_after_the_edit[note] if {
	some note, c in {
		"adding at a facility": {"does": "assignment.add", "at": "jkl", "with": {"role": "division_admin"}, "offered": false},
		"adding at a division": {
			"does": "assignment.add", "at": "south", "with": {"role": "division_admin"}, "offered": true,
		},
		"adding a role that nobody knows": {
			"does": "assignment.add", "at": "jkl", "with": {"role": "king"}, "offered": false,
		},
		"adding, with what an edit asks for": {
			"does": "assignment.add", "at": "jkl", "with": {"role": "ed_normal", "new_role": "king"}, "offered": true,
		},
		"another role here": {"does": "assignment.edit", "at": "ghi", "with": {"new_role": "ed_normal"}, "offered": true},
		"another role, with what an addition asks for": {
			"does": "assignment.edit", "at": "ghi", "with": {"new_role": "ed_normal", "role": "king"}, "offered": true,
		},
		"a role of another kind": {
			"does": "assignment.edit", "at": "ghi", "with": {"new_role": "public_health"}, "offered": false,
		},
		"moving with the role kept": {
			"does": "assignment.edit", "at": "ghi", "with": {"new_location": "mno"}, "offered": true,
		},
		"moving to another kind": {
			"does": "assignment.edit", "at": "ghi", "with": {"new_location": "south"}, "offered": false,
		},
		"moving to it with its role": {
			"does": "assignment.edit", "at": "ghi", "with": {"new_location": "south", "new_role": "public_health"},
			"offered": true,
		},
		"moving with a role of the old kind": {
			"does": "assignment.edit", "at": "ghi", "with": {"new_location": "south", "new_role": "ed_normal"},
			"offered": false,
		},
		"the same role, moving": {
			"does": "assignment.edit", "at": "ghi", "with": {"new_location": "jkl", "new_role": "ed_admin"},
			"offered": true,
		},
	}
	told := authz_test.answer(object.union(c, {"who": "regina", "user": "ed", "context": {"confirmed": true}}))
	told == {true: {"allow": true}, false: {"allow": false, "reasons": ["REG-I5/role_not_available"]}}[c.offered]
}

test_reg_i6_moving_the_default_moves_it_along[note] if {
	refused := {
		"allow": false,
		"reasons": ["REG-I6/default_location"],
		"advice": ["REG-I6/change_default_first"],
	}
	some note, c in {
		"from the region": {
			"q": {"user": "ed", "at": "abc", "from": "metro", "with": {"new_location": "jkl"}},
			"want": {"allow": true, "advice": ["REG-I6/default_moves"]},
		},
		"an only location from the region": {
			"q": {"user": "sue", "at": "jkl", "from": "metro", "with": {"new_location": "abc"}},
			"want": {"allow": true, "advice": ["REG-I6/default_moves"]},
		},
		"not the default": {
			"q": {"user": "ed", "at": "ghi", "from": "metro", "with": {"new_location": "jkl"}},
			"want": {"allow": true},
		},
		"staying": {
			"q": {"user": "ed", "at": "abc", "from": "metro", "with": {"new_role": "ed_admin"}},
			"want": {"allow": true},
		},
		"staying, said in as many words": {
			"q": {"user": "ed", "at": "abc", "from": "metro", "with": {"new_role": "ed_admin", "new_location": "abc"}},
			"want": {"allow": true},
		},
		"in a division": {"q": {"user": "ed", "from": "abc", "with": {"new_location": "jkl"}}, "want": refused},
		"in a division, not the default": {
			"q": {"user": "ed", "from": "ghi", "with": {"new_location": "jkl"}},
			"want": {"allow": true},
		},
		"in a division, the role alone": {
			"q": {"user": "ed", "from": "abc", "with": {"new_role": "ed_admin"}},
			"want": {"allow": true},
		},
	}
	told := authz_test.answer(object.union(c.q, {
		"who": "regina", "does": "assignment.edit",
		"context": {"confirmed": true},
	}))
	told == c.want
}

test_reg_i6_also_where_columns_are_united if {
	authz_test.answer({
		"who": "una", "does": "assignment.edit", "user": "ed", "from": "abc", "with": {"new_location": "jkl"},
	}) == {
		"allow": false,
		"reasons": ["REG-I6/default_location"],
		"advice": ["REG-I6/change_default_first"],
	}
}

test_reg_i7_assignment_moves_within_the_region[note] if {
	some note, c in {
		"unknown": {"at": "ghi", "with": {"new_location": "nowhere"}, "told": ["REG-I7/unknown_location"]},
		"another region": {"at": "ghi", "with": {"new_location": "pier"}, "told": ["REG-I7/other_organization"]},
		"another model": {"at": "ghi", "with": {"new_location": "mercy"}, "told": ["REG-I7/other_organization"]},
		"no other rule about that location": {
			"at": "ghi", "with": {"new_location": "bay", "new_role": "king"},
			"told": ["REG-I7/other_organization"],
		},
		"nor about an unknown one": {
			"at": "ghi", "with": {"new_location": "nowhere", "new_role": "king"},
			"told": ["REG-I7/unknown_location"],
		},
		"of a deactivated user": {
			"user": "off", "at": "ghi", "with": {"new_location": "pier"},
			"told": ["REG-I7/other_organization", "ALL-10/user_inactive"],
		},
	}
	q := object.union({"who": "regina", "does": "assignment.edit", "user": "ed"}, c)
	authz_test.answer(q) == {"allow": false, "reasons": c.told}
}

test_reg_i7_is_reported_beside_the_default[note] if {
	some note, c in {
		"unknown": {"with": {"new_location": "nowhere"}, "told": ["REG-I6/default_location", "REG-I7/unknown_location"]},
		"another region": {
			"with": {"new_location": "pier"}, "told": ["REG-I6/default_location", "REG-I7/other_organization"],
		},
	}
	q := object.union(c, {"who": "regina", "does": "assignment.edit", "user": "ed", "from": "abc"})
	authz_test.answer(q) == {"allow": false, "reasons": c.told, "advice": ["REG-I6/change_default_first"]}
}

# Beside "not assigned" only ALL-10 and missing_field may stand (policies/DOMAIN.md section 4.3).
test_all_8_not_assigned_is_reported_alone_in_a_region[note] if {
	some note, c in {
		"an edit": {"with": {"new_role": "king", "new_location": "pier"}, "told": ["ALL-8/not_assigned"]},
		"an edit of nothing": {"with": {}, "told": ["ALL-8/not_assigned"]},
		"an edit to where it is not": {"with": {"new_location": "jkl"}, "told": ["ALL-8/not_assigned"]},
		"of a deactivated user": {
			"user": "off", "with": {"new_location": "pier"},
			"told": ["ALL-8/not_assigned", "ALL-10/user_inactive"],
		},
		"with a malformed property": {
			"with": {"new_role": 1, "new_location": "pier"},
			"told": ["REG-7/missing_field field=new_role", "ALL-8/not_assigned"],
		},
	}
	q := object.union({"who": "regina", "does": "assignment.edit", "user": "ed", "at": "jkl"}, c)
	authz_test.answer(q) == {"allow": false, "reasons": c.told}
}

test_reg_6_and_reg_7_edit_that_changes_nothing[note] if {
	some note, c in {
		"nothing": {"at": "ghi", "with": {}, "told": ["REG-7/nothing_to_change"]},
		"nothing at all": {"at": "ghi", "told": ["REG-7/nothing_to_change"]},
		"the same role": {"at": "ghi", "with": {"new_role": "ed_admin"}, "told": ["REG-7/nothing_to_change"]},
		"the same location": {"at": "ghi", "with": {"new_location": "ghi"}, "told": ["REG-7/nothing_to_change"]},
		"the same of both": {
			"at": "ghi", "with": {"new_role": "ed_admin", "new_location": "ghi"}, "told": ["REG-7/nothing_to_change"],
		},
		"null and empty": {"at": "ghi", "with": {"new_role": null, "new_location": ""}, "told": ["REG-7/nothing_to_change"]},
		"here": {"from": "ghi", "with": {}, "told": ["REG-6/nothing_to_change"]},
	}
	q := object.union({"who": "regina", "does": "assignment.edit", "user": "ed"}, c)
	authz_test.answer(q) == {"allow": false, "reasons": c.told}
}

test_reg_5_to_reg_7_missing_field[note] if {
	some note, c in {
		"no role": {"does": "assignment.add", "at": "jkl", "told": ["REG-5/missing_field field=role"]},
		"an empty role": {
			"does": "assignment.add", "at": "jkl", "with": {"role": ""}, "told": ["REG-5/missing_field field=role"],
		},
		"a role that is no text": {
			"does": "assignment.add", "at": "jkl", "with": {"role": ["ed_normal"]}, "told": ["REG-5/missing_field field=role"],
		},
		"beside another rule": {
			"does": "assignment.add", "at": "ghi",
			"told": ["REG-I1/already_assigned", "REG-5/missing_field field=role"],
		},
		"a location that is no text": {
			"does": "assignment.edit", "at": "ghi", "with": {"new_location": 7},
			"told": ["REG-7/missing_field field=new_location"],
		},
		"two": {
			"does": "assignment.edit", "at": "ghi", "with": {"new_location": 7, "new_role": false},
			"told": ["REG-7/missing_field field=new_location", "REG-7/missing_field field=new_role"],
		},
		"one beside a good one": {
			"does": "assignment.edit", "at": "ghi", "with": {"new_location": "jkl", "new_role": {}},
			"told": ["REG-7/missing_field field=new_role"],
		},
	}
	authz_test.answer(object.union(c, {"who": "regina", "user": "ed"})) == {"allow": false, "reasons": c.told}
}

# Where the matrix lets somebody act on any user here, it is the records that say who has no assignment here.
test_all_8_somebody_who_is_not_assigned_here[note] if {
	some note, c in {
		"editing in a division of one's region": {
			"who": "regina", "does": "assignment.edit",
			"with": {"new_role": "public_health"},
		},
		"removing in a division of one's region": {"who": "regina", "does": "assignment.remove"},
		"editing in one's division": {"who": "dina", "does": "assignment.edit", "with": {"new_role": "public_health"}},
	}
	authz_test.answer(object.union({"user": "sue", "from": "north"}, c)).reasons == ["ALL-8/not_assigned"]
}

test_reg_i4_default_of_somebody_who_is_not_assigned_here[who] if {
	some who in ["regina", "dina"]
	q := {"who": who, "does": "default_location.change", "user": "sue", "from": "north"}
	authz_test.answer(q) == {"allow": false, "reasons": ["REG-I4/not_assigned"]}
}
