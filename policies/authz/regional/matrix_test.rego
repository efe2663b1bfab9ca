package authz.regional_test

import data.authz_test

# The matrix of 4.2, cell by cell. What is expected is written out here, and not read from the policy's table.

# Row, column, situation: "yes", or the rule and the code of the denial. `here` is the current location, `beneath` and
# `elsewhere` are other places; `covered` and `uncovered` are users, asked about at every place.
_table := {
	"REG-1": {
		"region": {"here": "yes"},
		"region_in_division": {"region": "REG-1/not_permitted"},
		"division": {"region": "REG-1/not_permitted"},
		"none": {"region": "REG-1/not_permitted"},
		"both": {"region": "REG-1/not_permitted"},
	},
	"REG-2": {
		"region": {"beneath": "yes"},
		"region_in_division": {"here": "yes", "beneath": "yes", "elsewhere": "REG-2/other_location"},
		"division": {"here": "yes", "beneath": "yes", "elsewhere": "REG-2/other_location"},
		"none": {"here": "REG-2/not_permitted", "beneath": "REG-2/not_permitted", "elsewhere": "REG-2/not_permitted"},
		"both": {"here": "yes", "beneath": "yes", "elsewhere": "REG-2/other_location"},
	},
	"REG-3": {
		"region": {"covered": "yes"},
		"region_in_division": {"covered": "yes", "uncovered": "yes"},
		"division": {"covered": "yes", "uncovered": "REG-4/not_assigned_here"},
		"none": {"covered": "REG-3/not_permitted", "uncovered": "REG-3/not_permitted"},
		"both": {"covered": "yes", "uncovered": "yes"},
	},
	"REG-5": {
		"region": {"here": "yes", "beneath": "yes"},
		"region_in_division": {
			"here": "REG-5/not_permitted", "beneath": "REG-5/not_permitted",
			"elsewhere": "REG-5/not_permitted", "region": "REG-5/not_permitted",
		},
		"division": {
			"here": "REG-5/not_permitted", "beneath": "REG-5/not_permitted",
			"elsewhere": "REG-5/not_permitted", "region": "REG-5/not_permitted",
		},
		"none": {
			"here": "REG-5/not_permitted", "beneath": "REG-5/not_permitted",
			"elsewhere": "REG-5/not_permitted", "region": "REG-5/not_permitted",
		},
		"both": {
			"here": "REG-5/not_permitted", "beneath": "REG-5/not_permitted",
			"elsewhere": "REG-5/not_permitted", "region": "REG-5/not_permitted",
		},
	},
	"REG-6 role": {
		"region_in_division": {"here": "yes"},
		"division": {"here": "yes"},
		"none": {"here": "REG-6/not_permitted"},
		"both": {"here": "yes"},
	},
	"REG-6 location": {
		"region": {"here": "yes"},
		"region_in_division": {"here": "yes"},
		"division": {"here": "REG-6/location_edit_not_permitted"},
		"none": {"here": "REG-6/not_permitted"},
		"both": {"here": "yes"},
	},
	"REG-7 role": {
		"region": {"beneath": "yes"},
		"region_in_division": {"beneath": "REG-7/other_location", "elsewhere": "REG-7/other_location"},
		"division": {"beneath": "REG-7/other_location", "elsewhere": "REG-7/other_location"},
		"none": {"beneath": "REG-7/not_permitted", "elsewhere": "REG-7/not_permitted"},
		"both": {"beneath": "REG-7/other_location", "elsewhere": "REG-7/other_location"},
	},
	"REG-7 location": {
		"region": {"beneath": "yes"},
		"region_in_division": {
			"beneath": "REG-7/other_location", "elsewhere": "REG-7/other_location", "region": "REG-7/other_location",
		},
		"division": {
			"beneath": "REG-7/other_location", "elsewhere": "REG-7/other_location", "region": "REG-7/other_location",
		},
		"none": {"beneath": "REG-7/not_permitted", "elsewhere": "REG-7/not_permitted", "region": "REG-7/not_permitted"},
		"both": {"beneath": "REG-7/other_location", "elsewhere": "REG-7/other_location", "region": "REG-7/other_location"},
	},
	"REG-8": {
		"region": {"here": "yes", "beneath": "yes"},
		"region_in_division": {
			"here": "yes", "beneath": "REG-8/other_location",
			"elsewhere": "REG-8/other_location", "region": "REG-8/other_location",
		},
		"division": {
			"here": "yes", "beneath": "REG-8/other_location",
			"elsewhere": "REG-8/other_location", "region": "REG-8/other_location",
		},
		"none": {
			"here": "REG-8/not_permitted", "beneath": "REG-8/not_permitted",
			"elsewhere": "REG-8/not_permitted", "region": "REG-8/not_permitted",
		},
		"both": {
			"here": "yes", "beneath": "REG-8/other_location",
			"elsewhere": "REG-8/other_location", "region": "REG-8/other_location",
		},
	},
	"REG-9": {
		"region": {"here": "yes"},
		"region_in_division": {"here": "yes"},
		"division": {"here": "REG-9/not_permitted"},
		"none": {"here": "REG-9/not_permitted"},
		"both": {"here": "yes"},
	},
	"REG-10": {
		"region": {"beneath": "yes"},
		"region_in_division": {
			"beneath": "REG-10/other_location", "elsewhere": "REG-10/other_location", "region": "REG-10/other_location",
		},
		"division": {
			"beneath": "REG-10/not_permitted", "elsewhere": "REG-10/not_permitted", "region": "REG-10/not_permitted",
		},
		"none": {"beneath": "REG-10/not_permitted", "elsewhere": "REG-10/not_permitted", "region": "REG-10/not_permitted"},
		"both": {"beneath": "REG-10/other_location", "elsewhere": "REG-10/other_location", "region": "REG-10/other_location"},
	},
	"REG-11": {
		"region": {"covered": "yes"},
		"region_in_division": {"covered": "yes", "uncovered": "REG-11/not_assigned_here"},
		"division": {"covered": "yes", "uncovered": "REG-11/not_assigned_here"},
		"none": {"covered": "REG-11/not_permitted", "uncovered": "REG-11/not_permitted"},
		"both": {"covered": "yes", "uncovered": "REG-11/not_assigned_here"},
	},
}

# Every question of a cell has the same answer, whatever comes with it.
_holds(cell) if {
	count(cell.questions) > 0
	every q in cell.questions {
		told := authz_test.answer_in(_directory, q)
		object.remove(told, ["advice", "obligations"]) == _decision(cell.want)
	}
}

_decision("yes") := {"allow": true}

_decision(told) := {"allow": false, "reasons": [told]} if told != "yes"

test_reg_1_view_all_users_in_the_region[note] if {
	some note, cell in _asked["REG-1"]
	_holds(cell)
}

test_reg_2_view_all_users_in_a_division_or_facility[note] if {
	some note, cell in _asked["REG-2"]
	_holds(cell)
}

test_reg_3_view_the_other_locations_of_a_user[note] if {
	some note, cell in _asked["REG-3"]
	_holds(cell)
}

test_reg_5_add_a_location_and_role[note] if {
	some note, cell in _asked["REG-5"]
	_holds(cell)
}

test_reg_6_edit_the_role_here[note] if {
	some note, cell in _asked["REG-6 role"]
	_holds(cell)
}

test_reg_6_edit_the_location_here[note] if {
	some note, cell in _asked["REG-6 location"]
	_holds(cell)
}

test_reg_7_edit_the_role_elsewhere[note] if {
	some note, cell in _asked["REG-7 role"]
	_holds(cell)
}

test_reg_7_edit_the_location_elsewhere[note] if {
	some note, cell in _asked["REG-7 location"]
	_holds(cell)
}

test_reg_8_change_the_default_location[note] if {
	some note, cell in _asked["REG-8"]
	_holds(cell)
}

test_reg_9_delete_a_location_here[note] if {
	some note, cell in _asked["REG-9"]
	_holds(cell)
}

test_reg_10_delete_other_locations[note] if {
	some note, cell in _asked["REG-10"]
	_holds(cell)
}

test_reg_11_view_and_edit_users[note] if {
	some note, cell in _asked["REG-11"]
	_holds({"want": cell.want, "questions": [q | some q in cell.questions; q.does in {"user.view", "user.edit"}]})
}

test_reg_11_deactivate_reactivate_and_reset_the_password[note] if {
	some note, cell in _asked["REG-11"]
	_holds({"want": cell.want, "questions": [q | some q in cell.questions; not q.does in {"user.view", "user.edit"}]})
}

# For REG-3 and REG-11 the place is not judged beyond ALL-4.
test_reg_11_place_is_not_judged[note] if {
	some note, c in {
		"a covered user": {"user": "norm", "want": {"allow": true}},
		"another": {"user": "sue", "want": {"allow": false, "reasons": ["REG-11/not_assigned_here"]}},
	}
	every place in ["metro", "north", "ghi", "mno"] {
		authz_test.answer({"who": "edna", "does": "user.view", "user": c.user, "at": place}) == c.want
	}
}

# No cell is left out: so many standings and situations were asked about in each row.
test_reg_1_to_reg_11_every_cell_is_asked_about if {
	{row: count(cells) | some row, cells in _asked} == {
		"REG-1": 12, "REG-2": 28, "REG-3": 23, "REG-5": 40, "REG-6 role": 11, "REG-6 location": 12,
		"REG-7 role": 17, "REG-7 location": 28, "REG-8": 40, "REG-9": 12, "REG-10": 28, "REG-11": 23,
	}
}

# REG-4 is a note to REG-3: who is no covered user is not told about.
test_reg_4_other_locations_with_the_right_to_manage_the_user[note] if {
	some note, c in {
		"assigned here": {
			"q": {"who": "edna", "does": "user.view_locations", "user": "norm"},
			"want": {"allow": true},
		},
		"assigned beneath": {
			"q": {"who": "dina", "does": "user.view_locations", "user": "norm", "from": "abc"},
			"want": {"allow": true},
		},
		"assigned beside": {
			"q": {"who": "edna", "does": "user.view_locations", "user": "roam"},
			"want": {"allow": false, "reasons": ["REG-4/not_assigned_here"]},
		},
		"assigned above": {
			"q": {"who": "edna", "does": "user.view_locations", "user": "dina"},
			"want": {"allow": false, "reasons": ["REG-4/not_assigned_here"]},
		},
		"covered from another of one's locations": {
			"q": {"who": "dina", "does": "user.view_locations", "user": "roam", "from": "abc"},
			"want": {
				"allow": false,
				"reasons": ["REG-4/not_assigned_here"],
				"advice": ["ALL-11/switch_location locations=[\"north\"]"],
			},
		},
		"the place does not help": {
			"q": {"who": "edna", "does": "user.view_locations", "user": "roam", "at": "ghi"},
			"want": {"allow": false, "reasons": ["REG-4/not_assigned_here"]},
		},
	}
	authz_test.answer(c.q) == c.want
}

# Two columns together allow what neither of them does: the cells are united before they are judged.
test_reg_9_and_reg_10_columns_are_united[note] if {
	q := {"who": "una", "does": "assignment.remove", "user": "ed", "from": "north", "context": {"confirmed": true}}
	some note, c in {
		"here by one column": {"at": "north", "want": {"allow": true}},
		"elsewhere by the other": {"at": "ghi", "want": {"allow": true}},
	}
	directory := object.union(authz_test.world, {"users": {"ed": {"assignments": {"north": "public_health"}}}})
	told := authz_test.answer_in(directory, object.union(q, {"at": c.at})) with data.authz.regional.matrix as object.union(
		data.authz.regional.matrix,
		{
			"assignment.remove": {"division": "no"},
			"assignment.remove_elsewhere": {"division": {"place": "any", "user": "any"}},
		},
	)
	told == c.want
}

test_reg_6_columns_are_united_before_the_extent[note] if {
	some note, c in {
		"the column with both": {"region_in_division": _edit("both"), "division": _edit("role"), "want": {"allow": true}},
		"whichever it is": {"region_in_division": _edit("role"), "division": _edit("both"), "want": {"allow": true}},
		"neither": {
			"region_in_division": "no", "division": _edit("role"),
			"want": {"allow": false, "reasons": ["REG-6/location_edit_not_permitted"]},
		},
		"none at all": {
			"region_in_division": "no", "division": "no",
			"want": {"allow": false, "reasons": ["REG-6/not_permitted"]},
		},
	}
	q := {
		"who": "una", "does": "assignment.edit", "user": "ed", "at": "ghi", "from": "ghi",
		"with": {"new_location": "jkl"}, "context": {"confirmed": true},
	}
	told := authz_test.answer(q) with data.authz.regional.matrix as object.union(data.authz.regional.matrix, {
		"assignment.edit": {"region_in_division": c.region_in_division, "division": c.division},
		"assignment.edit_elsewhere": {"region": "no", "region_in_division": "no"},
	})
	object.remove(told, ["advice"]) == c.want
}

_edit(extent) := {"place": "here", "user": "any", "edit": extent}
